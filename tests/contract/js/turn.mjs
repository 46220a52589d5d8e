// One text turn and one tool call with the unmodified @google/genai over ws; prints JSON.
import { GoogleGenAI, Modality } from '@google/genai';

const ai = new GoogleGenAI({ apiKey: 'none', httpOptions: { baseUrl: process.argv[2] } });
const seen = { text: '', audioBytes: 0, calls: [], turns: 0 };
let done;
const finished = new Promise((resolve, reject) => { done = { resolve, reject }; });

const session = await ai.live.connect({
  model: 'gemini-3.8-live',
  config: {
    responseModalities: [Modality.AUDIO],
    outputAudioTranscription: {},
    tools: [{ functionDeclarations: [{ name: 'get_weather', description: 'The weather.' }] }],
  },
  callbacks: {
    onmessage(message) {
      for (const part of message.serverContent?.modelTurn?.parts ?? []) {
        seen.audioBytes += Buffer.byteLength(part.inlineData?.data ?? '', 'base64');
      }
      seen.text += message.serverContent?.outputTranscription?.text ?? '';
      for (const call of message.toolCall?.functionCalls ?? []) {
        seen.calls.push(call.name);
        const response = { id: call.id, name: call.name, response: { weather: 'sunny' } };
        session.sendToolResponse({ functionResponses: [response] });
      }
      if (!message.serverContent?.turnComplete) return;
      seen.turns += 1;
      if (seen.turns === 1) say('Please call get_weather.');
      else if (seen.calls.length > 0) done.resolve();
    },
    onerror: (event) => done.reject(new Error(event.message)),
    onclose: (event) => done.reject(new Error(`closed: ${event.code} ${event.reason}`)),
  },
});
function say(text) {
  session.sendClientContent({ turns: [{ role: 'user', parts: [{ text }] }], turnComplete: true });
}
say('one two three');
await finished;
session.close();
console.log(JSON.stringify(seen));
