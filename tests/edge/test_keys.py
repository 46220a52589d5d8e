"""The command for API keys, as a process."""

import asyncio
import re
import sys

import pytest
from livegate.api_keys import KeyStore
from livegate_edge.api_keys import ApiKeys
from livegate_edge.keys import parser
from livegate_edge.users import User
from redis.asyncio import Redis

from tests.edge.test_api_keys import showing


async def command(redis_url: str, *arguments: str, **env: str) -> tuple[int, str, str]:
    """Its exit code, stdout and stderr."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "livegate_edge.keys",
        *arguments,
        env={"REDIS_URL": redis_url, **env},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_issue_list_and_revoke(redis_url: str, admin: Redis) -> None:
    code, out, err = await command(redis_url, "issue", "alice's laptop", "--days", "90")
    assert code == 0
    key = out.strip()
    assert re.fullmatch(r"lg_[A-Za-z0-9_-]{43}", key)
    assert "no persistence" in err
    assert key not in err
    found = await ApiKeys(KeyStore(admin)).user(showing(key))
    assert isinstance(found, User)
    assert found.name == "alice's laptop"
    assert found.expires_at is not None

    code, out, _ = await command(redis_url, "list")
    assert code == 0
    assert found.id in out
    assert "alice's laptop" in out
    assert key not in out

    code, out, err = await command(redis_url, "revoke", found.id)
    assert (code, out) == (0, "")
    assert found.id in err
    assert "revoked" in str(await ApiKeys(KeyStore(admin)).user(showing(key)))
    assert "revoked 2" in (await command(redis_url, "list"))[1]


async def test_the_ledger_is_preferred(redis_url: str) -> None:
    nowhere = "redis://127.0.0.1:1/0"
    assert (await command(nowhere, "list", LEDGER_URL=redis_url))[0] == 0
    code, _, err = await command(nowhere, "list")
    assert code == 2
    assert "LEDGER_URL" in err
    assert "Traceback" not in err


async def test_a_key_that_is_not_there(redis_url: str) -> None:
    code, _, err = await command(redis_url, "revoke", "key:0123456789abcdef")
    assert code == 2
    assert "no key" in err


@pytest.mark.parametrize("arguments", [[], ["issue"], ["revoke"], ["issue", "a", "--days", "x"]])
def test_a_bad_command_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(arguments)
    assert "usage" in capsys.readouterr().err
