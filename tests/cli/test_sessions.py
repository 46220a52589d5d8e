"""`livegate sessions`."""

import asyncio
import json

import pytest
from livegate import keys
from livegate.ownership import Owned, Ownership
from livegate_cli.main import main
from redis.asyncio import Redis


async def test_list_and_show(
    admin: Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    owned = [Owned(bytes([n]) * 8, 1, keys.edge_mailbox("e")) for n in (1, 2)]
    await Ownership(admin).register(keys.worker_mailbox("w"), owned)
    here = ["--redis-url", redis_url]
    assert await asyncio.to_thread(main, ["sessions", "list", "--json", *here]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [row["session"] for row in listed] == ["01" * 8, "02" * 8]
    assert await asyncio.to_thread(main, ["sessions", "show", "02", *here]) == 0
    shown = capsys.readouterr().out
    assert "02" * 8 in shown
    assert "01" * 8 not in shown
    with pytest.raises(SystemExit) as caught:
        await asyncio.to_thread(main, ["sessions", "show", "ff", *here])
    assert caught.value.code == 1
    assert "sessions list" in capsys.readouterr().err
