"""Sign-ins that were ended before they expired: a copied cookie is worth nothing after a sign-out.

They are in the ledger, by Redis time; every edge looks for new ones each second, so that a
handshake asks nobody.
"""

import asyncio
from typing import cast

from livegate import keys, logs
from redis.asyncio import Redis
from redis.exceptions import RedisError

LOOK_S = 1.0
TIMEOUT_S = 2.0
OVERLAP_S = 10.0
"""What is this old is asked for again: a slow writer's time may be behind what was seen."""

log = logs.get("sign_outs")
_LOST = (RedisError, OSError, TimeoutError)


class SignOuts:
    """`sign_in_s`: so long a sign-in lasts, and its end must be remembered. `run()` must run beside
    it.
    """

    def __init__(self, ledger: Redis, sign_in_s: float) -> None:
        self._ledger = ledger
        self._sign_in_s = sign_in_s
        self._ended: dict[str, float] = {}
        self._untold: set[str] = set()
        self._seen = 0.0
        self._is_away = False

    async def run(self) -> None:
        """Look for new ones until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    def has(self, sign_in: str) -> bool:
        """Whether this one was ended."""
        return sign_in in self._ended or sign_in in self._untold

    async def end(self, sign_in: str) -> None:
        """End one: here at once, elsewhere within seconds, or when the ledger answers again."""
        self._untold.add(sign_in)
        await self.look()

    async def look(self) -> None:
        """Tell what is new here, and take over what is new elsewhere."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                if self._untold:
                    await self._tell(frozenset(self._untold))
                found = await self._ledger.zrange(
                    keys.SIGNED_OUT, self._seen - OVERLAP_S, "+inf", byscore=True, withscores=True
                )
        except _LOST as error:
            if not self._is_away:
                log.warning("no answer from the ledger", error=type(error).__name__)
            self._is_away = True
            return
        self._is_away = False
        for name, at in cast("list[tuple[bytes, float]]", found):
            self._ended[name.decode()] = at
            self._seen = max(self._seen, at)
        oldest = self._seen - self._sign_in_s
        if any(at < oldest for at in self._ended.values()):
            self._ended = {name: at for name, at in self._ended.items() if at >= oldest}

    async def _tell(self, sign_ins: frozenset[str]) -> None:
        seconds, micros = await self._ledger.time()
        now = seconds + micros / 1e6
        async with self._ledger.pipeline(transaction=True) as pipe:
            pipe.zadd(keys.SIGNED_OUT, dict.fromkeys(sign_ins, now))
            pipe.zremrangebyscore(keys.SIGNED_OUT, "-inf", now - self._sign_in_s)
            await pipe.execute()
        self._ended |= dict.fromkeys(sign_ins, now)
        self._untold -= sign_ins
