"""A real Prometheus with the project's own configuration, quicker."""

import contextlib
import math
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.chaos.stack import Stack
from tests.monitoring.queries import MONITORING, RULES
from tests.support.processes import free_port, http_ok, running

SCRAPE_S = 1
SHORTEST_S = 5
"""Of a window: five scrapes."""

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"(\d+)([smhd])")


def shorter(text: str, factor: int, shortest_s: int) -> str:
    """A duration as Prometheus writes it, divided; rounded up to seconds."""
    found = _DURATION.fullmatch(text)
    assert found, text
    seconds = int(found[1]) * _SECONDS[found[2]]
    return f"{max(shortest_s, math.ceil(seconds / factor))}s"


def quicker(groups: Sequence[dict[str, Any]], factor: int) -> list[dict[str, Any]]:
    """Groups with windows and `for` divided, evaluated at each scrape; else as they are."""
    made = []
    for group in groups:
        rules = []
        for rule in group["rules"]:
            windows = re.compile(r"\[(\d+[smhd])\]")
            expr = windows.sub(
                lambda found: (
                    f"[{shorter(found[1], factor, SHORTEST_S)}]" if factor > 1 else found[0]
                ),
                rule["expr"],
            )
            lasts = {"for": shorter(rule["for"], factor, SCRAPE_S)} if "for" in rule else {}
            rules.append({**rule, "expr": expr, **lasts})
        made.append({**group, "interval": f"{SCRAPE_S}s", "rules": rules})
    return made


def targets(stack: Stack) -> dict[str, list[str]]:
    """What there is to scrape, by job."""
    return {
        "edge": [edge.admin for edge in stack.edges],
        "session-worker": [worker.admin for worker in stack.workers],
        "token-broker": [stack.broker.admin],
        "simulator": [stack.simulator_service.admin],
    }


class Prometheus:
    """A running server at `url`."""

    def __init__(self, url: str, http: httpx.AsyncClient) -> None:
        self._url = url
        self._http = http

    async def ask(self, expr: str) -> list[dict[str, Any]]:
        """The samples of a query, now; AssertionError with its own words if it is refused."""
        answer = await self._http.get(f"{self._url}/api/v1/query", params={"query": expr})
        body = answer.json()
        assert body["status"] == "success", f"{expr}: {body.get('error')}"
        assert body["data"]["resultType"] == "vector", expr
        result: list[dict[str, Any]] = body["data"]["result"]
        return result

    async def firing(self) -> set[str]:
        """The alerts that fire."""
        answer = await self._http.get(f"{self._url}/api/v1/alerts")
        found = answer.json()["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in found if alert["state"] == "firing"}


@contextlib.asynccontextmanager
async def prometheus(
    folder: Path, scraped: Mapping[str, Sequence[str]], factor: int = 1
) -> AsyncIterator[Prometheus]:
    """A server that scrapes these, with windows of rules divided by `factor`."""
    config = yaml.safe_load((MONITORING / "prometheus" / "prometheus.yml").read_text())
    every = f"{SCRAPE_S}s"
    config["global"] = dict.fromkeys(
        ("scrape_interval", "scrape_timeout", "evaluation_interval"), every
    )
    jobs = [job["job_name"] for job in config["scrape_configs"]]
    assert set(jobs) == set(scraped)
    config["scrape_configs"] = [
        {"job_name": job, "static_configs": [{"targets": list(scraped[job])}]} for job in jobs
    ]
    (folder / "rules").mkdir(parents=True)
    for path in RULES:
        groups = quicker(yaml.safe_load(path.read_text())["groups"], factor)
        (folder / "rules" / path.name).write_text(yaml.safe_dump({"groups": groups}))
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = (
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    )
    async with running("prometheus", *command, folder=folder):
        await http_ok(f"{url}/-/ready")
        async with httpx.AsyncClient(trust_env=False) as http:
            yield Prometheus(url, http)
