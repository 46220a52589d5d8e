"""The Redis in its second role: what must last. See `livegate.keys` for what that is."""

from livegate import logs
from livegate.bus import connection_pool
from redis.asyncio import Redis
from redis.exceptions import RedisError

log = logs.get("ledger")


def connect(url: str) -> Redis:
    """A client of the ledger; whoever asks it sets a time limit."""
    return Redis.from_pool(connection_pool(url, "edge/ledger"))


async def warn_unless_persistent(ledger: Redis) -> bool:
    """Say so in the log if what must last is gone with this server; whether it is persistent.

    A server that does not tell (managed ones often don't) counts as persistent.
    """
    try:
        told = await ledger.config_get("save", "appendonly")
    except (RedisError, OSError) as error:
        log.info("the ledger does not tell whether it is persistent", error=type(error).__name__)
        return True
    persistent = bool(told.get("save")) or told.get("appendonly") == "yes"
    if not persistent:
        log.warning(
            "the ledger has no persistence: what must last, such as keys, is lost when it "
            "restarts; set LEDGER_URL to a Redis with appendonly or save"
        )
    return persistent
