"""`livegate probe`: one spoken question, and whether the answer is one. For a CronJob."""

import asyncio
import json
import sys
from pathlib import Path
from typing import NamedTuple

import click

from livegate_cli import output, speech, talking
from livegate_cli.asking import EndedError, asking
from livegate_cli.conversation import RefusedError

ALIKE = 0.8
"""The simulator says the question again; what is none of it has less than 0.3."""


class Answer(NamedTuple):
    """What came back. Times in seconds."""

    open_s: float
    first_s: float | None
    whole_s: float | None
    audio: bytes
    transcript: str


@click.command("probe")
@talking.options
@click.option("--wav", type=Path, help="The question, 16-bit PCM; default: Paris' weather.")
@click.option("--expect", multiple=True, metavar="WORD", help="Must be in the answer, in any case.")
@click.option("--timeout", "timeout_s", default=30.0, type=click.FloatRange(1, 300))
@click.option("--json", "as_json", is_flag=True, help="JSON in place of lines.")
def command(
    talk: talking.Talk,
    wav: Path | None,
    expect: tuple[str, ...],
    timeout_s: float,
    as_json: bool,  # noqa: FBT001, click's flag
) -> None:
    """Ask a spoken question and check the answer. Exits with 1 if it is none.

    The simulator must say the question again, found by cross-correlation; any other Live API must
    say a word of --expect ("Paris" for the question that comes with it).
    """
    try:
        question = speech.read(wav or speech.QUESTION)
    except speech.WavError as error:
        raise click.BadParameter(str(error), param_hint="--wav") from None
    config = talk.config()
    echoes = config.get("upstream") == "simulator" and not expect
    if wav and not (expect or echoes):
        raise click.UsageError("--wav: say with --expect what the answer must have")
    wanted = () if echoes else expect or ("Paris",)
    found: dict[str, object] = {"url": talk.gateway.url, "upstream": config.get("upstream")}
    problem = None
    try:
        answer = asyncio.run(_ask(talk, config, question, timeout_s))
        found |= _told(answer)
        if echoes:
            found["likeness"] = round(speech.likeness(answer.audio, question), 3)
        problem = _problem(answer, wanted, found.get("likeness"))
    except (RefusedError, EndedError) as error:
        problem = str(error)
    except TimeoutError:
        problem = f"no answer within {timeout_s:g} s (--timeout)"
    if as_json:
        click.echo(json.dumps({**found, "ok": problem is None, "problem": problem}, indent=2))
    else:
        for name, value in found.items():
            click.echo(f"{name.ljust(14)} {output.plain(str(value))}")
        colour = "green" if problem is None else "red"
        click.secho(problem or "ok: the question was understood and answered", fg=colour)
    sys.exit(problem is not None)


def _told(answer: Answer) -> dict[str, object]:
    return {
        "open_s": round(answer.open_s, 3),
        "first_audio_s": answer.first_s and round(answer.first_s, 3),
        "whole_answer_s": answer.whole_s and round(answer.whole_s, 3),
        "audio_s": round(len(answer.audio) / speech.SAMPLE_BYTES / speech.HEARD_HZ, 2),
        "transcript": answer.transcript,
    }


async def _ask(
    talk: talking.Talk, config: dict[str, object], question: speech.Samples, timeout_s: float
) -> Answer:
    async with (
        asyncio.timeout(timeout_s),
        asking(talk.gateway, talk.setup(config), keeps_audio=True) as asker,
    ):
        open_s = await asker.until_live()
        turn = await asker.speak(speech.messages(question, 100))
    return Answer(open_s, turn.first_s, turn.whole_s, bytes(turn.audio), turn.transcript.strip())


def _problem(answer: Answer, expect: tuple[str, ...], likeness: object) -> str | None:
    """What is wrong with the answer; None: nothing."""
    if answer.whole_s is None:
        return "the answer did not come to its end"
    if not answer.audio:
        return "the answer had no audio"
    if isinstance(likeness, float) and likeness < ALIKE:
        return f"the answer's audio is not the question's (likeness {likeness}, at least {ALIKE})"
    said = answer.transcript.lower()
    if expect and not any(word.lower() in said for word in expect):
        return f"none of {', '.join(expect)} is in the answer's transcript"
    return None
