"""The worker process: slots, readiness, reports, the token it keeps, and its end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from livegate import frame, keys
from livegate.closes import Close
from livegate.dispatch import Dispatch, Offer, Report
from livegate.ownership import Ownership
from livegate_worker import worker as module
from livegate_worker.machine import OPEN_TIMEOUT_S
from livegate_worker.worker import Worker
from redis.asyncio import Redis
from starlette.responses import JSONResponse, Response

from tests.support.live_api import live_api
from tests.support.processes import free_port, until
from tests.worker.harness import (
    SECRET,
    Edge,
    broker,
    edge,
    live,
    settings,
    token,
    with_broker,
    worker,
)


@asynccontextmanager
async def a_worker(redis_url: str) -> AsyncIterator[tuple[Worker, Edge]]:
    """A worker at a Live API of its own, and an edge that offers it sessions."""
    async with (
        live_api() as api,
        worker(redis_url, live_upstream=api.url) as running,
        edge(redis_url) as playing,
    ):
        yield running, playing


async def test_one_slot_one_session_and_the_second_waits(redis_url: str, admin: Redis) -> None:
    async with (
        live_api() as api,
        worker(redis_url, live_upstream=api.url, slots=1) as running,
        edge(redis_url) as playing,
    ):
        first = await live(playing)
        second = await playing.offer()
        assert running.free_slots == 0

        async def told() -> bool:
            return [r.free_slots for r in await playing.dispatch.reports()] == [0]

        await until(told, "it is reported")
        assert await admin.zcard(keys.DISPATCH_NEW) == 1, "it waits where others could take it"
        assert second.frames == []
        playing.say(first, frame.CLOSE, b'{"name":"ENDED","reason":"the client left"}')
        await until(lambda: second.live, "the second goes on")
        assert running.free_slots == 0
        assert len(api.connections) == 2


async def test_slots_are_free_again_after_failures(redis_url: str) -> None:
    """More failing sessions than slots: none of them keeps one."""
    async with (
        worker(redis_url, live_upstream=f"ws://127.0.0.1:{free_port()}", slots=2) as running,
        edge(redis_url) as playing,
    ):
        calls = [await playing.offer() for _ in range(5)]
        await until(lambda: all(call.closing for call in calls), "all were told")
        await until(lambda: running.free_slots == 2, "all slots are free")


async def test_a_session_that_is_taken_again_replaces_the_old_claim(redis_url: str) -> None:
    """Its edge offered it again because the answer was lost: one member, one slot."""
    async with (
        live_api() as api,
        worker(redis_url, live_upstream=api.url, slots=2) as running,
        edge(redis_url) as playing,
    ):
        playing.answers_claims = False
        call = await playing.offer()
        await until(lambda: len(call.frames) == 1, "claimed")
        await playing.dispatch.offer(Offer(call.session, 0, playing.mailbox))
        await until(lambda: len(call.frames) == 2, "claimed again")
        assert running.free_slots == 1
        playing.open(call)
        await until(lambda: call.live, "and live")
        assert len(api.connections) == 1
        playing.answers_claims = True
        other = await playing.offer()
        await until(lambda: other.live, "the other slot is free", OPEN_TIMEOUT_S / 2)


# Who owns what, for edges that don't know


async def known(admin: Redis, session: bytes) -> dict[Any, Any]:
    """What Redis knows of the session."""
    return await admin.hgetall(keys.session(session))


async def registered(admin: Redis, session: bytes, epoch: int, owner: Worker, at: Edge) -> None:
    """Wait until Redis knows the session so."""
    expected = {
        b"epoch": b"%d" % epoch,
        b"owner": owner.mailbox,
        b"edge": at.mailbox,
        b"away": b"",
    }

    async def so() -> bool:
        return await known(admin, session) == expected

    await until(so, f"{expected} is known")


async def test_a_session_is_registered_with_its_edge(
    redis_url: str, admin: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REGISTER_S", 60)  # at once, then in a minute
    async with a_worker(redis_url) as (running, playing):
        call = await live(playing)
        await registered(admin, call.session, 1, running, playing)
        assert 0 < await admin.pttl(keys.session(call.session)) <= keys.SESSION_TTL_MS


async def test_a_claim_that_was_not_granted_is_not_registered(
    redis_url: str, admin: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REGISTER_S", 0.02)
    async with (
        live_api() as api,
        worker(redis_url, live_upstream=api.url, slots=2),
        edge(redis_url) as playing,
    ):
        playing.answers_claims = False
        pending = await playing.offer()
        await until(lambda: pending.frames, "claimed")
        playing.answers_claims = True
        granted = await live(playing)
        await until(lambda: known(admin, granted.session), "the other is known")
        assert await known(admin, pending.session) == {}


async def test_an_emptied_redis_is_told_again_and_an_ended_session_not(
    redis_url: str, admin: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REGISTER_S", 0.05)
    async with a_worker(redis_url) as (running, playing):
        staying, leaving = await playing.offer(), await playing.offer()
        await until(lambda: staying.live and leaving.live, "both are live")
        playing.say(leaving, frame.CLOSE, b'{"name":"ENDED","reason":"the client left"}')
        await until(lambda: running.free_slots == running.settings.slots - 1, "one has ended")
        await admin.flushall()
        await until(lambda: known(admin, staying.session), "it is known again")
        assert await known(admin, leaving.session) == {}


async def test_what_has_ended_is_forgotten_at_once(
    redis_url: str, admin: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REGISTER_S", 60)  # at once, then in a minute
    async with a_worker(redis_url) as (running, playing):
        call = await live(playing)
        await registered(admin, call.session, 1, running, playing)
        playing.say(call, frame.CLOSE, b'{"name":"ENDED","reason":"the client left"}')

        async def forgotten() -> bool:
            return not await known(admin, call.session)

        await until(forgotten, "it is forgotten")


async def test_only_what_changed_is_registered_and_all_of_it_once_redis_refused(
    redis_url: str, admin: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REGISTER_S", 60)  # at once, then in a minute
    monkeypatch.setattr(module, "RETRY_S", 0.01)
    async with a_worker(redis_url) as (running, playing), edge(redis_url) as second:
        moving, staying = await live(playing), await live(playing)
        for call in (moving, staying):
            await registered(admin, call.session, 1, running, playing)
        await admin.delete(keys.session(staying.session))
        await admin.set(keys.session(moving.session), "no hash")
        await registered(admin, (await live(playing)).session, 1, running, playing)
        assert not await admin.exists(keys.session(staying.session))

        async def refused() -> bool:
            return "errorstat_WRONGTYPE" in await admin.info("errorstats")

        assert not await refused()
        second.join(moving, 2)
        await until(refused, "Redis refuses")
        await admin.delete(keys.session(moving.session))
        await registered(admin, moving.session, 2, running, second)
        await registered(admin, staying.session, 1, running, playing)


async def test_whose_client_is_away_is_registered_so(
    redis_url: str, admin: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REGISTER_S", 0.05)
    async with a_worker(redis_url) as (_, playing):
        call = await live(playing)
        playing.send(call, frame.AWAY, b"")

        async def away() -> bool:
            return (await known(admin, call.session)).get(b"away") == b"1"

        await until(away, "it is known")


async def test_an_edge_that_took_the_client_over_is_registered(
    redis_url: str, admin: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REGISTER_S", 60)  # at once, then in a minute
    async with a_worker(redis_url) as (running, first), edge(redis_url) as second:
        call = await live(first)
        claim = await Ownership(admin).claim(call.session, 1, second.mailbox)
        moved = second.join(call, claim.epoch if claim else 2)
        await until(lambda: moved.answer, "the owner answers the new edge")
        await registered(admin, call.session, 2, running, second)


# Reports


async def test_the_report_and_its_end(redis_url: str, admin: Redis) -> None:
    async with worker(redis_url, live_upstream="ws://127.0.0.1:1", slots=7) as running:
        dispatch = Dispatch(admin)
        await until(dispatch.reports, "a report")
        assert await dispatch.reports() == [Report(free_slots=7)]
        left_ms = await admin.pttl(keys.report(running.process_id))
        assert 0 < left_ms <= keys.REPORT_TTL_MS
    assert await dispatch.reports() == []
    assert not await admin.exists(running.mailbox, keys.heartbeat(running.mailbox))


async def test_an_upstream_failure_is_reported_until_it_is_old(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REPORT_S", 0.05)
    async with (
        worker(redis_url, live_upstream=f"ws://127.0.0.1:{free_port()}"),
        edge(redis_url) as playing,
    ):

        async def problem() -> str | None:
            return next((r.upstream for r in await playing.dispatch.reports()), None)

        call = await playing.offer()
        await until(lambda: call.closing, "it failed")
        await until(problem, "it is reported")
        assert (await problem() or "").startswith("the Live API can't be reached: ")
        monkeypatch.setattr(module, "FAILURE_COUNTS_S", 0.0)

        async def forgotten() -> bool:
            return await problem() is None

        await until(forgotten, "it is forgotten")


async def test_a_success_ends_the_failure(redis_url: str) -> None:
    async with live_api() as api, worker(redis_url, live_upstream=api.url) as running:
        running.upstream_failed("HTTP 503")
        async with edge(redis_url) as playing:
            await live(playing)
            assert running._upstream_problem is None


# Readiness and the token


def test_not_ready_before_redis_and_broker_were_heard(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    running = Worker(settings(live_upstream="vertex", broker_secret_file=secret))
    assert running.not_ready == ["Redis has not answered yet", "the token broker was not asked yet"]
    own = Worker(settings(live_upstream="ws://127.0.0.1:1"))
    assert own.not_ready == ["Redis has not answered yet"], "it needs no broker"


async def test_ready_when_there_is_a_token_before_any_session(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not ready while the broker fails, whatever it answers; then ready by itself."""
    monkeypatch.setattr(module, "REPORT_S", 0.02)
    answers = [
        Response(b'{"header":"\xff"}'),
        Response(b"<html>", 502),
        JSONResponse({"error": {"message": "no credential"}}, 503),
    ]
    said: list[str] = []

    async def moody(number: int) -> Response:
        said.extend(running.not_ready)
        return answers.pop(0) if answers else token(number)

    async with broker(moody) as tokens:
        running = Worker(
            settings(redis_url=redis_url, **with_broker(tmp_path, tokens, "ws://127.0.0.1:1"))
        )
        refused = "the token broker refused"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tests.worker.harness.Worker", lambda _: running)
            async with worker(redis_url):
                await until(lambda: not running.not_ready, "ready")
                problems = [text for text in said if text.startswith(refused)]
                assert problems == [
                    f"{refused} (200): it did not answer as a token broker does",
                    f"{refused} (502): it did not answer as a token broker does",
                    f"{refused} (503): no credential",
                ]
                assert not any(SECRET in text for text in said)
                assert len(tokens.requests) == 4


async def test_a_token_that_comes_is_reported_at_once(
    redis_url: str, admin: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else who asks what is wrong would hear of something that is mended."""
    may_answer = asyncio.Event()

    async def slow(number: int) -> Response:
        if number == 1:
            return JSONResponse({"error": {"message": "no credential"}}, 503)
        await may_answer.wait()
        return token(number)

    async def problems() -> list[str | None]:
        return [report.broker for report in await Dispatch(admin).reports()]

    async with broker(slow) as tokens:
        mine = with_broker(tmp_path, tokens, "ws://127.0.0.1:1")
        async with worker(redis_url, **mine) as running:

            async def refused() -> bool:
                return any("no credential" in str(problem) for problem in await problems())

            await until(refused, "it is reported")
            monkeypatch.setattr(module, "REPORT_S", 60.0)
            monkeypatch.setattr(module, "RETRY_S", 60.0)
            await admin.delete(keys.report(running.process_id))
            await until(problems, "the last report for a long time")
            may_answer.set()

            async def mended() -> bool:
                return await problems() == [None]

            await until(mended, "the token is there")


def test_a_missing_secret_is_said_at_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        Worker(settings(live_upstream="vertex"))
    assert caught.value.code == 2
    assert "BROKER_SECRET_FILE" in capsys.readouterr().err


# The end


async def test_drain_takes_nothing_more_and_tells_the_sessions(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LAST_FRAMES_S", 10)
    async with (
        live_api() as api,
        edge(redis_url) as playing,
        worker(redis_url, live_upstream=api.url) as running,
    ):
        call = await live(playing)
        await running.drain()
        assert running.free_slots == 0
        assert "this worker is going away" in running.not_ready
        assert call.closing is not None
        assert (call.closing.name, call.closing.reason) == ("DRAINING", Close.DRAINING.text)
        await until(api.connections[0].closed.is_set, "the upstream is closed")
        late = await playing.offer()
        async with worker(redis_url, live_upstream=api.url):

            async def offered_until_live() -> bool:
                await playing.dispatch.offer(Offer(late.session, 0, playing.mailbox))
                return late.live

            await until(offered_until_live, "another worker has it")
            assert late.owner != running.mailbox
            claims = {got.payload for got in late.frames if got.kinds & frame.CLAIM}
            assert claims == {late.owner}


async def test_a_drain_has_an_end_though_the_edge_is_silent(redis_url: str) -> None:
    async with (
        worker(redis_url, live_upstream="ws://127.0.0.1:1", drain_s=0.05) as running,
        edge(redis_url) as playing,
    ):
        playing.acknowledges = False
        call = await playing.offer()
        await until(lambda: call.closing, "it ends: nobody is there")
        assert running.free_slots < running.settings.slots, "it lingers for the edge"
        await running.drain()
