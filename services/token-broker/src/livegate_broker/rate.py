"""How many requests a caller may make: a token bucket each. Pure.

Not the library `limits`: its memory starts a thread for each hit and counts by the wall clock.
"""

import math


class Rate:
    """`per_minute` requests for each caller, all of which may come at once.

    Holds at most `most` callers; past that the one not heard of for longest is forgotten.
    """

    def __init__(self, per_minute: int, most: int = 10_000) -> None:
        self._burst = float(per_minute)
        self._a_second = per_minute / 60
        self._most = most
        self._left: dict[str, tuple[float, float]] = {}

    def wait_s(self, caller: str, now: float) -> int:
        """0 and one request less, or after how many whole seconds there will be one."""
        left, then = self._left.pop(caller, (self._burst, now))
        left = min(self._burst, left + (now - then) * self._a_second)
        short = max(0.0, 1 - left)
        self._left[caller] = (left if short else left - 1, now)
        while len(self._left) > self._most:
            del self._left[next(iter(self._left))]
        return math.ceil(short / self._a_second)
