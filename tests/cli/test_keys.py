"""`livegate keys`: issued, listed and revoked, in the ledger."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from livegate.api_keys import KeyStore, digest_of
from livegate_cli.main import main
from redis.asyncio import Redis

from tests.support.processes import free_port


@pytest.fixture
def ledger(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("LEDGER_URL", redis_url)
    monkeypatch.delenv("REDIS_URL", raising=False)
    return redis_url


async def run(*arguments: str) -> int:
    return await asyncio.to_thread(main, ["keys", *arguments])


async def listed(capsys: pytest.CaptureFixture[str]) -> list[Any]:
    assert await run("list", "--json") == 0
    rows: list[Any] = json.loads(capsys.readouterr().out)
    return rows


@pytest.mark.usefixtures("ledger")
async def test_a_key_is_printed_alone_and_once(
    admin: Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run("issue", "alice's laptop", "--days", "90") == 0
    told = capsys.readouterr()
    key = told.out.strip()
    assert re.fullmatch(r"lg_[A-Za-z0-9_-]{43}", key)
    assert key not in told.err
    assert "keeps nothing over a restart" in told.err
    assert "set LEDGER_URL" in told.err
    kept = (await KeyStore(admin).all())[digest_of(key)]
    assert kept.expires_at is not None
    assert kept.expires_at - kept.created_at == 90 * 24 * 3600
    [row] = await listed(capsys)
    assert (row["name"], row["state"]) == ("alice's laptop", "good")
    assert row["expires"] > row["issued"]
    assert key not in json.dumps(row)


@pytest.mark.usefixtures("ledger")
async def test_a_key_for_a_program(admin: Redis, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run("issue", "probe", "--json") == 0
    issued = json.loads(capsys.readouterr().out)
    assert digest_of(issued["key"]) in await KeyStore(admin).all()
    assert [row["id"] for row in await listed(capsys)] == [issued["id"]]


@pytest.mark.usefixtures("ledger")
async def test_revoked_and_expired(admin: Redis, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run("list") == 0
    assert "no key was issued" in capsys.readouterr().out
    _, revoked = await KeyStore(admin).issue("alice")
    await KeyStore(admin).issue("bob", lifetime_s=-1)
    assert await run("revoke", revoked) == 0
    assert revoked in capsys.readouterr().out
    assert {row["name"]: row["state"] for row in await listed(capsys)} == {
        "alice": "revoked",
        "bob": "expired",
    }


@pytest.mark.usefixtures("ledger")
async def test_a_key_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert await run("revoke", "key:0123456789abcdef") == 1
    assert "`livegate keys list`" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["issue"], ["revoke"], ["issue", "a", "--days", "0"]])
def test_a_bad_command_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", *arguments]) == 2
    assert "livegate keys" in capsys.readouterr().err


def test_a_ledger_that_does_not_answer_names_its_setting(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LEDGER_URL", f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(SystemExit) as caught:
        main(["keys", "list"])
    assert caught.value.code == 2
    assert "check LEDGER_URL" in capsys.readouterr().err


def test_nothing_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUN_DIR", str(tmp_path))
    with pytest.raises(SystemExit) as caught:
        main(["keys", "list"])
    assert caught.value.code == 2
    assert "livegate run" in capsys.readouterr().err
