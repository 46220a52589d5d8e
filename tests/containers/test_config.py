"""docker-compose.yml with everything that can stand in .env or beside it."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.containers.compose import ROOT, Compose

pytestmark = [pytest.mark.timeout(60), pytest.mark.asyncio(loop_scope="session")]


async def config(project: Compose, *options: str, env: str = "") -> dict[str, Any]:
    """The services, as compose reads them with these lines of .env."""
    with tempfile.NamedTemporaryFile("w", suffix=".env") as file:
        file.write(env)
        file.flush()
        where = ("--project-directory", str(ROOT), "--env-file", file.name)
        text = await project.docker("compose", *where, *options, "config", "--format", "json")
    found: dict[str, Any] = json.loads(text)["services"]
    return found


async def test_everything_together_is_valid(project: Compose) -> None:
    both = ("-f", f"{ROOT}/docker-compose.yml", "-f", f"{ROOT}/docker-compose.dev.yml")
    services = await config(project, *both, "--profile", "monitoring")
    assert {"prometheus", "grafana", "edge"} <= services.keys()
    for name in ("edge", "session-worker", "token-broker", "simulator"):
        assert {rule["path"].rsplit("/", 1)[-1] for rule in services[name]["develop"]["watch"]} == {
            "libs",
            name,
        }


async def test_a_login_reaches_the_broker_alone(project: Compose, tmp_path: Path) -> None:
    login = tmp_path / "login.json"
    login.write_text("{}")
    lines = f"LIVE_UPSTREAM=vertex\nGOOGLE_APPLICATION_CREDENTIALS={login}\nBROKER_USER=7:8\n"
    services = await config(project, env=lines)
    seen = {name for name, service in services.items() if str(login) in json.dumps(service)}
    assert seen == {"token-broker"}
    broker = services["token-broker"]
    assert broker["user"] == "7:8"
    [mount] = [one for one in broker["volumes"] if one["source"] == str(login)]
    assert mount["target"] == broker["environment"]["GOOGLE_APPLICATION_CREDENTIALS"]
    assert mount["read_only"]
    assert services["session-worker"]["environment"]["LIVE_UPSTREAM"] == "vertex"


async def test_a_key_in_the_shell_does_not_meet_the_simulator(project: Compose) -> None:
    services = await config(project, env="GOOGLE_APPLICATION_CREDENTIALS=/some/key.json\n")
    named = services["token-broker"]["environment"]["GOOGLE_APPLICATION_CREDENTIALS"]
    assert "simulator" in named
