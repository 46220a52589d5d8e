"""What tokens cost: a table, read from one file. What it lacks has no cost, which is not zero."""

from importlib import resources
from pathlib import Path
from typing import Annotated

import msgspec

from livegate.settings import fail
from livegate.usage import Entry, Usage

Price = Annotated[float, msgspec.Meta(ge=0)]


class Rates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model's, by modality."""

    input: dict[str, Price]
    output: dict[str, Price]


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """The table: prices of `per_tokens` tokens, as `source` had them on `date` (ISO).

    `placeholder`: they are nobody's prices.
    """

    models: dict[str, Rates]
    currency: str
    per_tokens: Annotated[int, msgspec.Meta(gt=0)]
    date: str
    source: str
    placeholder: bool = False

    def rate(self, entry: Entry) -> float | None:
        """The price of `per_tokens` of these; None: unknown."""
        rates = self.models.get(entry.model)
        if rates is None:
            return None
        return (rates.input if entry.direction == "input" else rates.output).get(entry.modality)

    def cost(self, usage: Usage) -> float | None:
        """What this costs, in `currency`; None: unknown, since a price is missing."""
        total = 0.0
        for entry, tokens in usage.items():
            rate = self.rate(entry)
            if rate is None and tokens:
                return None
            total += tokens * (rate or 0) / self.per_tokens
        return round(total, 6)


def load(path: Path | None = None) -> Prices:
    """The table in PRICES_FILE, or the one that ships with livegate. Exits with 2 if it is none."""
    if path is None:
        return _decode(resources.files("livegate").joinpath("data/prices.json").read_bytes())
    try:
        return _decode(path.read_bytes())
    except OSError as error:
        fail(f"PRICES_FILE: can't read {path}: {error.strerror}")
    except msgspec.DecodeError as error:
        fail(f"PRICES_FILE: {path} is no price table: {error}")


def _decode(data: bytes) -> Prices:
    return msgspec.json.decode(data, type=Prices)
