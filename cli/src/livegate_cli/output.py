"""What commands print: a table for people, JSON for programs."""

import json
from collections.abc import Sequence
from typing import Any

import click


def plain(text: str) -> str:
    """What others wrote, without what a terminal would take for a command."""
    return "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def show(rows: Sequence[dict[str, Any]], *, as_json: bool, nothing: str) -> None:
    """Print the rows, which have the same names; `nothing` is said in a table's place."""
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    if not rows:
        click.echo(nothing)
        return
    names = list(rows[0])
    cells = [[_cell(row[name]) for name in names] for row in rows]
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    click.secho(_line(names, widths), bold=True)
    for line in cells:
        click.echo(_line(line, widths))


def _cell(value: object) -> str:
    return "-" if value is None or value == "" else plain(str(value))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip()
