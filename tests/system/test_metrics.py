"""What Prometheus is told of a session's life is what happened."""

from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import connect

from tests.support.live_api import live_api
from tests.support.processes import until
from tests.support.stack import stack
from tests.system.conftest import echo, live, talks

Samples = dict[str, float]


async def scrape(admin: str) -> Samples:
    """Every sample of a process by its name with labels, without the `livegate_`."""
    async with httpx.AsyncClient(trust_env=False) as http:
        text = (await http.get(f"{admin}/metrics")).text
    return {
        sample.name.removeprefix("livegate_")
        + "".join(f" {v}" for v in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_bucket")
    }


async def test_a_session_its_turn_and_its_takeover_are_counted(tmp_path: Path) -> None:
    async with (
        live_api(on_message=echo) as api,
        stack(tmp_path, upstream=api.url, workers=2) as system,
        connect(f"{system.ws}/ws") as client,
    ):
        await live(client)
        await talks(client)
        edge = await scrape(system.admin)
        workers = [await scrape(admin) for admin in system.worker_admins]
        owner = next(n for n, told in enumerate(workers) if told["worker_owned_sessions live"])
        worker = workers[owner]

        system.workers[owner].process.kill()
        answered: list[Samples] = []

        async def moved() -> bool:
            answered.append(await scrape(system.admin))
            return answered[-1]["edge_moves_total takeover moved"] == 1

        await until(moved, "the takeover is counted")
        assert b"interrupted" in await client.recv(decode=False)
        await talks(client)
        after = await scrape(system.worker_admins[1 - owner])

    assert edge["edge_opens_total opened"] == 1
    assert edge["edge_open_seconds_count"] == 1
    assert edge["edge_live_sessions owned"] == 1
    assert edge["edge_turn_seconds_count"] == edge["edge_added_seconds_count"] == 1
    shares = edge["edge_model_seconds_sum"] + edge["edge_added_seconds_sum"]
    assert abs(shares - edge["edge_turn_seconds_sum"]) < 0.001
    assert edge["edge_messages_total up"] == worker["worker_messages_total up"]
    assert edge["edge_bytes_total up"] == worker["worker_bytes_total up"] > 0
    assert edge["edge_messages_total down"] == 2, "setupComplete and the answer"
    assert worker["worker_upstream_setup_seconds_count new"] == 1
    assert edge["bus_round_trip_seconds_count"] > 0
    assert edge["process_loop_lag_seconds_count"] > 0
    assert 0 < answered[-1]["edge_move_seconds_sum takeover"] < 10
    assert after["worker_owned_sessions live"] == 1
    assert after["worker_upstream_connects_total new"] == 1
