"""Dice: an example of a tool. Each public function of a file here is one (docs/tools.md)."""

import secrets
from typing import Annotated

from msgspec import Meta


def roll_dice(
    sides: Annotated[int, Meta(ge=2, le=1000, description="of each die")] = 6,
    dice: Annotated[int, Meta(ge=1, le=100, description="how many are rolled")] = 1,
) -> dict[str, object]:
    """Roll dice, and say what each one shows."""
    shown = [secrets.randbelow(sides) + 1 for _ in range(dice)]
    return {"shown": shown, "sum": sum(shown)}
