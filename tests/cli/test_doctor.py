"""`livegate doctor`: setups that are really broken, each named by its fault."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from livegate.dispatch import Dispatch, Report
from livegate_cli import doctor, place
from livegate_cli.conversation import Gateway
from livegate_cli.diagnosis import Finding
from livegate_cli.main import main
from redis.asyncio import Redis

from tests.conftest import Gateway as Running
from tests.support.processes import free_port, http_ok, python, running, until


async def examined(url: str, now: float | None = None) -> dict[str, Finding]:
    """What is found, but for what is in order."""
    settings = place.settings(url, {})
    found = await doctor.redis_and_workers(settings, time.time() if now is None else now)
    found += await doctor.reports(settings)
    return {finding.check: finding for finding in found if finding.level != "ok"}


async def test_nothing_is_wrong(admin: Redis, redis_url: str) -> None:
    await Dispatch(admin).report("w", Report(free_slots=4))
    assert await examined(redis_url) == {}


async def test_redis_is_away() -> None:
    [finding] = (await examined(f"redis://127.0.0.1:{free_port()}/0")).values()
    assert "does not answer" in finding.found
    assert "REDIS_URL" in finding.fix


async def test_a_wrong_password(admin: Redis, redis_url: str) -> None:
    await admin.config_set("requirepass", "right")
    [finding] = (await examined(redis_url.replace("//", "//:wrong@"))).values()
    assert "refused the password" in finding.found
    assert "REDIS_PASSWORD_FILE" in finding.fix
    assert "wrong" not in f"{finding}"


async def test_an_eviction_policy(admin: Redis, redis_url: str) -> None:
    await admin.config_set("maxmemory-policy", "allkeys-lru")
    finding = (await examined(redis_url))["eviction"]
    assert "allkeys-lru" in finding.found
    assert "noeviction" in finding.fix


@pytest.mark.parametrize("skew_s", [-60, 60])
async def test_a_wrong_clock(redis_url: str, skew_s: int) -> None:
    finding = (await examined(redis_url, time.time() + skew_s))["clock"]
    assert float(finding.found.split()[0]) == pytest.approx(skew_s, abs=2)
    assert "NTP" in finding.fix


async def test_no_worker(redis_url: str) -> None:
    assert "start a session worker" in (await examined(redis_url))["workers"].fix


async def test_no_free_slot_and_an_upstream_that_refuses(admin: Redis, redis_url: str) -> None:
    await Dispatch(admin).report("w", Report(free_slots=0, upstream="no luck"))
    found = await examined(redis_url)
    assert "SLOTS" in found["workers"].fix
    assert found["live-api"].found == "no luck"


async def test_a_worker_without_a_broker(tmp_path: Path, redis_url: str) -> None:
    found = await with_worker(tmp_path, redis_url, free_port())
    assert "can't be reached" in found.found
    assert "BROKER_URL" in found.fix


@pytest.mark.parametrize("same_secret", [False, True])
async def test_a_broker_that_refuses(tmp_path: Path, redis_url: str, same_secret: bool) -> None:
    """The worker's secret is another one; or it is right, and nobody mints."""
    port = free_port()
    (tmp_path / "api-key").write_text("key")
    (tmp_path / "broker-secret").write_text("s" * 32 if same_secret else "t" * 32)
    env = {
        "PORT": str(port),
        "ADMIN_PORT": str(free_port()),
        "LIVE_UPSTREAM": "developer",
        "BROKER_SECRET_FILE": str(tmp_path / "broker-secret"),
        "GEMINI_API_KEY_FILE": str(tmp_path / "api-key"),
        "GEMINI_API_URL": f"http://127.0.0.1:{free_port()}",
    }
    async with running("broker", *python("livegate_broker"), folder=tmp_path, env=env):
        await http_ok(f"http://127.0.0.1:{port}/healthz")
        found = await with_worker(tmp_path, redis_url, port)
    told = ("refused (503)", "network") if same_secret else ("refused (401)", "broker")
    assert told[0] in found.found
    assert found.check == told[1]


async def with_worker(folder: Path, redis_url: str, broker_port: int) -> Finding:
    """What is found of the broker when a real worker has asked it."""
    (folder / "secret").write_text("s" * 32)
    env = {
        "REDIS_URL": redis_url,
        "LIVE_UPSTREAM": "developer",
        "ADMIN_PORT": str(free_port()),
        "BROKER_URL": f"http://127.0.0.1:{broker_port}",
        "BROKER_SECRET_FILE": str(folder / "secret"),
    }
    found: list[Finding] = []

    async def says() -> bool:
        found.clear()
        found.extend(await doctor.reports(place.settings(redis_url, {})))
        return bool(found) and not any("not asked yet" in each.found for each in found)

    async with running("worker", *python("livegate_worker"), folder=folder, env=env):
        await until(says, "the worker has asked the broker")
    [finding] = found
    return finding


def test_an_unknown_model() -> None:
    [finding] = doctor.model_and_location({"MODELS": "gemini-none"})
    assert finding.found == "gemini-none is unknown"
    assert "MODELS" in finding.fix


def test_a_location_without_the_model() -> None:
    environ = {"LIVE_UPSTREAM": "vertex", "GOOGLE_CLOUD_LOCATION": "moon-north1"}
    [finding] = doctor.model_and_location(environ)
    assert "moon-north1" in finding.found
    assert "us-central1" in finding.fix
    [fine] = doctor.model_and_location({"LIVE_UPSTREAM": "vertex"})
    assert fine.level == "ok"


@pytest.mark.parametrize("content", [None, b"", b"short", b"\xff\xff\xff\xff"])
def test_seal_keys_that_are_none(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "seal-keys"
    if content is not None:
        path.write_bytes(content)
    finding = doctor.seal_keys({"SEAL_KEYS_FILE": str(path)})
    assert finding.level == "failed"
    assert "SEAL_KEYS_FILE" in finding.fix
    path.write_bytes(Fernet.generate_key() + b"\n" + Fernet.generate_key())
    assert doctor.seal_keys({"SEAL_KEYS_FILE": str(path)}).level == "ok"


async def test_a_ledger_that_forgets(admin: Redis, redis_url: str) -> None:
    settings = place.settings(redis_url, {})
    finding = await doctor.ledger(settings)
    assert finding.level == "warning"
    assert "LEDGER_URL" in finding.fix
    await admin.config_set("save", "60 1")
    assert (await doctor.ledger(settings)).level == "ok"


async def test_what_a_session_found_is_told_once(
    admin: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker says the same by itself, and whole; a session is not tried where none can open."""
    short = Finding("credentials", "failed", "HTTP 4", "short")
    fine = Finding("edge", "ok", "it is ready")

    async def session(*_: object) -> list[Finding]:
        return [short]

    async def ready(_: str) -> Finding:
        return fine

    monkeypatch.setattr("livegate_cli.doctor.trying.session", session)
    monkeypatch.setattr(doctor, "gateway", ready)
    settings = place.settings(redis_url, {})

    async def found(*, with_session: bool) -> list[Finding]:
        gateways = [Gateway("http://a")]
        every = await doctor.examine(settings, gateways, {}, with_session=with_session)
        return [finding for finding in every if finding.check in ("credentials", "live-api")]

    assert not any(finding == short for finding in await found(with_session=True)), "no worker"
    await Dispatch(admin).report("w", Report(free_slots=4))
    assert await found(with_session=True) == [short]
    assert [finding.level for finding in await found(with_session=False)] == ["ok"]
    await Dispatch(admin).report("w", Report(free_slots=4, upstream="HTTP 401 in full"))
    [finding] = await found(with_session=True)
    assert finding.found == "HTTP 401 in full"


def test_a_session_opens_in_a_run(
    gateway: Running, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUN_DIR", str(gateway.ca.parents[1]))
    with pytest.raises(SystemExit) as caught:
        main(["doctor", "--url", gateway.http, "--json"])
    findings = {finding["check"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert findings["session"]["level"] == "ok"
    assert "live-api" not in findings
    faults = [finding for finding in findings.values() if finding["level"] == "failed"]
    assert faults == []
    assert caught.value.code == 0


async def test_the_command(
    redis_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", redis_url)
    url = f"http://127.0.0.1:{free_port()}"

    async def told(*arguments: str) -> str:
        with pytest.raises(SystemExit) as caught:
            await asyncio.to_thread(main, ["doctor", "--url", url, *arguments])
        assert caught.value.code == 1
        return capsys.readouterr().out

    findings: list[dict[str, Any]] = json.loads(await told("--json"))
    wrong = {finding["check"] for finding in findings if finding["level"] == "failed"}
    assert wrong == {"workers", "edge"}
    assert "fix: start the edge, or name its address with --url" in await told()
