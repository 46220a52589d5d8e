"""`livegate load`: many who talk at once, with any livegate, and a report."""

import asyncio
import json
import sys
from collections.abc import Callable
from html import escape
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table

from livegate_cli import loading, plot, speech, talking
from livegate_cli.loading import Plan, Report, Snapshot

PLAIN_EVERY_S = 5
LAG_S = 0.1
"""A program that is later than this measures itself."""


@click.command("load")
@talking.options
@click.option("--sessions", default=10, type=click.IntRange(1, 2000), help="At once; default 10.")
@click.option(
    "--seconds", default=60.0, type=click.FloatRange(1, 86_400), help="How long; default 60."
)
@click.option(
    "--ramp-s", default=5.0, type=click.FloatRange(0, 3600), help="Until all are there; default 5."
)
@click.option(
    "--stay-s",
    default=0.0,
    type=click.FloatRange(0, 86_400),
    help="How long a session lasts on average, for sessions that come and go; default: to the end.",
)
@click.option("--wav", type=Path, help="What everybody says, 16-bit PCM; default: a question.")
@click.option(
    "--chunk-ms", default=100, type=click.IntRange(20, 1000), help="Audio a message; default 100."
)
@click.option("--seed", default=0, help="Of who pauses and leaves when.")
@click.option("--json", "as_json", is_flag=True, help="The report as JSON, each second in it.")
@click.option("--html", type=Path, help="Write the report with its plots there.")
def command(
    talk: talking.Talk,
    sessions: int,
    seconds: float,
    ramp_s: float,
    stay_s: float,
    wav: Path | None,
    chunk_ms: int,
    seed: int,
    as_json: bool,  # noqa: FBT001, click's flag
    html: Path | None,
) -> None:
    """Let many talk at once: opens, latencies, losses. Exits with 1 if anybody lost anything.

    Each session asks a spoken question in real time, over and over. A turn's latency is from the
    end of the question to the first audio of the answer, at the client; the time in which the Live
    API decides that the speech has ended is in it.
    """
    try:
        question = speech.read(wav or speech.QUESTION)
    except speech.WavError as error:
        raise click.BadParameter(str(error), param_hint="--wav") from None
    config = talk.config()
    plan = Plan(
        talk.gateway,
        talk.setup(config),
        question,
        sessions=sessions,
        seconds=seconds,
        ramp_s=min(ramp_s, seconds / 2),
        stay_s=stay_s,
        chunk_ms=chunk_ms,
        seed=seed,
        echoes=config.get("upstream") == "simulator",
    )
    console = Console(stderr=True)
    try:
        if console.is_terminal:
            with Live(console=console, auto_refresh=False) as live:
                report = asyncio.run(
                    loading.run(plan, lambda now: live.update(_table(now), refresh=True))
                )
        else:
            report = asyncio.run(loading.run(plan, _plainly(console)))
    except KeyboardInterrupt:
        click.echo("stopped; there is no report", err=True)
        sys.exit(130)
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=2))
    if html is not None:
        html.write_text(page(report))
    _say(report, console)
    sys.exit(not report.is_clean)


def _plainly(console: Console) -> Callable[[Snapshot], None]:
    def tell(now: Snapshot) -> None:
        if round(now.at_s) % PLAIN_EVERY_S == 0:
            cells = (f"{name} {value}" for name, value in _cells(now))
            console.print(" \u00b7 ".join(cells), highlight=False, soft_wrap=True)

    return tell


def _cells(now: Snapshot) -> list[tuple[str, str]]:
    return [
        ("after", f"{now.at_s:.0f} s"),
        ("sessions", f"{now.sessions}"),
        ("opened", f"{now.opens}"),
        ("failed", f"{now.failed}"),
        ("turns", f"{now.turns}"),
        ("p50", _seconds(now.p50_s)),
        ("p99", _seconds(now.p99_s)),
        ("losses", f"{now.losses}"),
    ]


def _table(now: Snapshot) -> Table:
    table = Table()
    cells = _cells(now)
    for name, _ in cells:
        table.add_column(name, justify="right", min_width=6)
    table.add_row(*(value for _, value in cells))
    return table


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f} s"


def _rows(report: Report) -> list[tuple[str, str]]:
    tally = report.tally
    spread = (0.5, 0.9, 0.99)

    def told(values: list[float]) -> str:
        return ", ".join(
            f"p{share * 100:.0f} {_seconds(loading.percentile(values, share))}" for share in spread
        )

    rows = [
        ("sessions opened", f"{len(tally.opens_s)}: {told(tally.opens_s)}"),
        ("turns answered", f"{len(tally.turns_s)}: {told(tally.turns_s)}"),
        ("reconnects", f"{tally.reconnects}, {tally.recovered} of them with everything"),
        ("answers cut and given afresh", f"{tally.cuts}"),
        ("losses", f"{tally.losses}"),
    ]
    lost = {
        "turns unanswered": tally.unanswered,
        "answers that lack something": tally.shorter,
        "resumes after which something may be missing": tally.unrecovered,
        "sessions that the Live API had lost": tally.began_anew,
        **{f"session dropped, {why}": count for why, count in tally.dropped.items()},
        **{f"session not opened, {why}": count for why, count in tally.failed.items()},
    }
    rows += [(f"  {count} times", what) for what, count in lost.items() if count]
    if report.lag_s > LAG_S:
        what = f"{report.lag_s:.2f} s late: what you see is this program, use more machines"
        rows.append(("this program was", what))
    return rows


def _say(report: Report, console: Console) -> None:
    rows = _rows(report)
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        console.print(f"{name.ljust(width)}  {value}", highlight=False, soft_wrap=True)
    if report.is_clean:
        console.print("clean: everybody was answered, nothing was lost", style="green")


def page(report: Report) -> str:
    """The report as a page of its own: nothing is fetched from anywhere."""
    series = report.series

    def over_time(name: str, field: str) -> plot.Line:
        return plot.Line(name, [(now.at_s, getattr(now, field)) for now in series])

    charts = [
        plot.chart("Sessions", "", [over_time("live", "sessions")]),
        plot.chart(
            "A question's end to the answer's first audio",
            "s",
            [over_time("p50", "p50_s"), over_time("p99", "p99_s")],
        ),
        plot.chart(
            "Opened, answered, failed and lost, in all",
            "",
            [
                over_time("opened", "opens"),
                over_time("answered", "turns"),
                over_time("failed", "failed"),
                over_time("lost", "losses"),
            ],
        ),
        plot.chart(
            "Share of answers that began within",
            "%",
            [plot.Line("answers", plot.shares(report.tally.turns_s))],
        ),
    ]
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in _rows(report)
    )
    plan = report.plan
    told = f"{plan.sessions} sessions, {plan.seconds:g} s, {plan.gateway.url}"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>livegate load</title>
<style>:root{{color-scheme:light dark}}body{{font:15px system-ui,sans-serif;max-width:880px;
margin:2rem auto;padding:0 1rem}}th{{text-align:left;font-weight:500;padding-right:2rem}}
svg{{width:100%;margin:.6rem 0}}</style></head><body>
<h1>livegate load: {"clean" if report.is_clean else "something was lost"}</h1>
<p>{escape(told)}</p><table>{rows}</table>
{"".join(charts)}
</body></html>
"""
