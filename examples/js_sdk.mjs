// The unmodified @google/genai SDK against livegate: only the base URL is ours.
//
//   make run
//   npm install @google/genai
//   node examples/js_sdk.mjs "How many words are these?"
//
// LIVEGATE_URL names another gateway; http:// becomes ws://.
import { GoogleGenAI, Modality } from '@google/genai';

const baseUrl = process.env.LIVEGATE_URL ?? 'http://localhost:8000';
const question = process.argv.slice(2).join(' ') || 'Hello, is anybody there?';

const ai = new GoogleGenAI({ apiKey: 'none is needed', httpOptions: { baseUrl } });
let audioBytes = 0;
let done;
const turn = new Promise((resolve, reject) => { done = { resolve, reject }; });

const session = await ai.live.connect({
  model: process.env.MODEL ?? 'gemini-3.8-live',
  config: { responseModalities: [Modality.AUDIO], outputAudioTranscription: {} },
  callbacks: {
    onmessage: (message) => {
      const content = message.serverContent;
      for (const part of content?.modelTurn?.parts ?? []) {
        audioBytes += Buffer.byteLength(part.inlineData?.data ?? '', 'base64');
      }
      process.stdout.write(content?.outputTranscription?.text ?? '');
      if (content?.turnComplete) done.resolve();
    },
    onerror: (event) => done.reject(new Error(event.message)),
    onclose: (event) => done.reject(new Error(`closed: ${event.code} ${event.reason}`)),
  },
});
session.sendClientContent({ turns: [{ role: 'user', parts: [{ text: question }] }], turnComplete: true });
await turn;
session.close();
console.log(`\n(${(audioBytes / 2 / 24000).toFixed(1)} s of speech)`);
