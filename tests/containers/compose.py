"""A project of docker compose, beside whatever else runs on the machine."""

import asyncio
import json
import os
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.support.processes import free_port, until

ROOT = Path(__file__).parents[2]
PROJECT = "livegate-test"
SIMULATOR_PORT = 9081
ADMIN_PORT = 9000
OWNED = re.compile(r"^livegate_worker_sessions (\S+)$", re.MULTILINE)
NEEDED = ("PATH", "HOME", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "BASE")
"""Of the environment: nothing of the settings of whoever runs the tests gets in."""

BUILD_S = 600
ANSWER_S = 120


class Compose:
    """A running project. Errors of docker are AssertionErrors with what it said."""

    def __init__(self, port: int, http: httpx.AsyncClient) -> None:
        self.port = port
        self._http = http
        self.env = {name: os.environ[name] for name in NEEDED if name in os.environ}
        self.env |= {"EDGE_PORT": str(port), "MEMORY": "256m"}
        self.base = self.env.get("BASE", "python:3.11-slim")

    @property
    def page(self) -> str:
        """The edge, as a browser reaches it."""
        return f"http://127.0.0.1:{self.port}"

    # tests.chaos.trial.Running

    @property
    def urls(self) -> list[str]:
        """See `Running`."""
        return [f"ws://127.0.0.1:{self.port}"]

    async def session(self, key: str) -> dict[str, Any]:
        """See `Running`."""
        answer = await self._http.get(f"{await self.simulator()}/sessions/{key}")
        answer.raise_for_status()
        return dict(answer.json())

    async def fault(self, key: str, words: str) -> bool:
        """See `Running`."""
        url = f"{await self.simulator()}/sessions/{key}/fault"
        return (await self._http.post(url, json={"fault": words})).status_code == httpx.codes.OK

    # Docker

    async def simulator(self) -> str:
        """The simulator's control endpoint."""
        return f"http://{await self.address('simulator-1', 'upstream')}:{SIMULATOR_PORT}"

    async def address(self, name: str, network: str) -> str:
        """Of a container in a network of the project; this machine has a way there."""
        networks = (await self.inspect(name))["NetworkSettings"]["Networks"]
        return str(networks[f"{PROJECT}_{network}"]["IPAddress"])

    async def compose(self, *words: str, patience_s: float = ANSWER_S) -> str:
        """`docker compose …` for this project; what it wrote to stdout."""
        files = ("--env-file", "/dev/null", "--project-directory", str(ROOT))
        return await self.docker(
            "compose", "-p", PROJECT, *files, *words, patience_s=patience_s
        )  # fmt: skip

    async def docker(self, *words: str, patience_s: float = ANSWER_S) -> str:
        """`docker …`; what it wrote to stdout."""
        process = await asyncio.create_subprocess_exec(
            "docker", *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.env
        )
        async with asyncio.timeout(patience_s):
            out, error = await process.communicate()
        assert process.returncode == 0, f"docker {' '.join(words)}: {error.decode()[-2000:]}"
        return out.decode()

    async def inspect(self, name: str) -> dict[str, Any]:
        """What docker knows of a container, such as `edge-1`."""
        found: list[dict[str, Any]] = json.loads(await self.docker("inspect", f"{PROJECT}-{name}"))
        return found[0]

    async def containers(self) -> dict[str, dict[str, Any]]:
        """What docker knows of each container that runs, by name."""
        names = (await self.compose("ps", "--format", "{{.Name}}")).split()
        found = json.loads(await self.docker("inspect", *names))
        return {one["Name"].removeprefix(f"/{PROJECT}-"): one for one in found}

    async def exec(self, name: str, *command: str, user: str | None = None) -> str:
        """The output of a command in a container."""
        options = ("--user", user) if user else ()
        return await self.docker("exec", *options, f"{PROJECT}-{name}", *command)

    async def busiest(self) -> str:
        """The worker that owns most sessions, such as `session-worker-1`."""
        owned = {}
        for name in await self.containers():
            if name.startswith("session-worker"):
                url = f"http://{await self.address(name, 'bus')}:{ADMIN_PORT}/metrics"
                owned[name] = float(OWNED.findall((await self._http.get(url)).text)[0])
        busiest = max(owned, key=owned.__getitem__)
        assert owned[busiest] > 0, "no worker owns a session"
        return busiest

    async def ready(self) -> None:
        """Wait until a session would work with everything that is to be there."""
        await self.compose("up", "--wait", "--no-build")
        await until(self._works, "a session works", 60)

    async def _works(self) -> bool:
        try:
            return (await self._http.get(f"{self.page}/api/status")).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False


@asynccontextmanager
async def composed() -> AsyncIterator[Compose]:
    """Built, up and working as `docker compose up --build --wait` leaves it; removed at the end."""
    async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
        project = Compose(free_port(), http)
        await project.compose("down", "--volumes", "--remove-orphans")
        try:
            await project.compose("up", "--build", "--wait", patience_s=BUILD_S)
            yield project
        finally:
            await project.compose("--profile", "*", "down", "--volumes", "--remove-orphans")
