"""`livegate talk`: a conversation from the terminal, in writing or with WAV files."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import click

from livegate_cli import output, speech, talking
from livegate_cli.asking import Asker, EndedError, Turn, asking
from livegate_cli.conversation import RefusedError

CHUNK_MS = 100

Question = str | list[str]
"""In writing, or the messages that say it."""


@click.command("talk")
@talking.options
@click.argument("texts", nargs=-1)
@click.option("--out", type=Path, help="Write the answers' audio there, as WAV.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object for each answer.")
def command(
    talk: talking.Talk,
    texts: tuple[str, ...],
    out: Path | None,
    as_json: bool,  # noqa: FBT001, click's flag
) -> None:
    """Talk with the model: TEXTS in turn; without any, line by line. A text that ends with .wav is
    a file to be said, of 16-bit PCM.

    Exits with 1 if there was no answer.
    """
    try:
        given = [_question(text) for text in texts]
    except speech.WavError as error:
        raise click.BadParameter(str(error), param_hint="TEXTS") from None
    questions = _given(given) if given else _lines()
    conversation = _converse(talk, questions, as_json=as_json, keeps_audio=out is not None)
    try:
        answered, audio = asyncio.run(conversation)
    except (RefusedError, EndedError) as error:
        raise click.ClickException(str(error)) from None
    except TimeoutError:
        raise click.ClickException("no answer: `livegate doctor` says what is wrong") from None
    if out is not None:
        speech.write(out, audio)
    sys.exit(not answered)


def _question(text: str) -> Question:
    is_file = text.lower().endswith(".wav")
    return speech.messages(speech.read(Path(text)), CHUNK_MS) if is_file else text


async def _given(questions: list[Question]) -> AsyncIterator[Question]:
    for question in questions:
        yield question


async def _lines() -> AsyncIterator[Question]:
    """What is typed, or comes from a pipe, to its end."""
    is_terminal = sys.stdin.isatty()
    while True:
        if is_terminal:
            click.secho("> ", nl=False, bold=True, err=True)
        line = await asyncio.to_thread(sys.stdin.readline)
        if not line:
            return
        if line.strip():
            yield line.strip()


async def _converse(
    talk: talking.Talk,
    questions: AsyncIterator[Question],
    *,
    as_json: bool,
    keeps_audio: bool,
) -> tuple[bool, bytes]:
    """Whether each question was answered, and the answers' audio."""
    answered, audio = True, bytearray()
    setup = talk.setup(talk.config())
    async with asking(talk.gateway, setup, chunk_ms=CHUNK_MS, keeps_audio=keeps_audio) as asker:
        await asker.until_live()
        async for question in questions:
            turn = await _ask(asker, question)
            answered &= turn.whole_s is not None
            audio.extend(turn.audio)
            is_lost = not asker.conversation.live.is_set()
            click.echo(json.dumps(_told(turn)) if as_json else _text(turn, is_lost=is_lost))
    return answered, bytes(audio)


async def _ask(asker: Asker, question: Question) -> Turn:
    if isinstance(question, str):
        return await asker.write(question)
    return await asker.speak(question)


def _text(turn: Turn, *, is_lost: bool) -> str:
    if turn.whole_s is None:
        why = ": the connection is lost, and not to be had again" if is_lost else ""
        return click.style(f"no answer{why}", fg="red")
    return output.plain(turn.transcript.strip()) or f"({turn.audio_s:.1f} s of audio)"


def _told(turn: Turn) -> dict[str, Any]:
    return {
        "answer": turn.transcript.strip(),
        "first_s": turn.first_s and round(turn.first_s, 3),
        "whole_s": turn.whole_s and round(turn.whole_s, 3),
        "audio_s": round(turn.audio_s, 2),
        "tokens": turn.tokens,
    }
