"""`--profile monitoring`: Prometheus finds every replica of every service."""

import json

import httpx
import pytest

from tests.containers.compose import Compose
from tests.support.processes import until

pytestmark = [pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="session")]
EXPECTED = {"edge": 1, "session-worker": 2, "token-broker": 1, "simulator": 1}


async def test_every_replica_is_scraped(project: Compose) -> None:
    here = await project.docker("images", "--format", "{{.Tag}}", "prom/prometheus")
    if here:  # whichever it is, rather than a download
        project.env["PROMETHEUS_TAG"] = here.split()[0]
    await project.compose(
        "--profile", "monitoring", "up", "--no-deps", "--no-build", "-d", "prometheus"
    )
    url = f"http://{await project.address('prometheus-1', 'monitoring')}:9090/api/v1/query"
    found: dict[str, int] = {}
    async with httpx.AsyncClient(trust_env=False) as http:

        async def all_up() -> bool:
            try:
                answer = await http.get(url, params={"query": "sum by (job) (up)"})
                answer.raise_for_status()
            except httpx.HTTPError:
                return False
            result = json.loads(answer.text)["data"]["result"]
            found.update({one["metric"]["job"]: int(one["value"][1]) for one in result})
            return found == EXPECTED

        await until(all_up, "every replica is scraped", 40)
    await project.compose("--profile", "monitoring", "rm", "--stop", "--force", "prometheus")
