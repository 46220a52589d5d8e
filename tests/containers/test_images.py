"""The images: small, of one service, for nobody who is root, and without secrets."""

import json

import pytest

from tests.containers.compose import Compose

pytestmark = [pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="session")]
SERVICES = {
    "edge": "livegate_edge",
    "session-worker": "livegate_worker",
    "token-broker": "livegate_broker",
    "simulator": "livegate_simulator",
}
MOST_BYTES = 200_000_000
"""Beside the base image."""

LOOK = """
import importlib.metadata, json, os, pathlib, shutil
ours = [d.name for d in importlib.metadata.distributions() if d.name.startswith("livegate")]
def secret(path):
    name = path.name
    if name.startswith(".env") or "credentials" in path.parts:
        return True
    return path.suffix in (".json", ".pem", ".key") and b"PRIVATE KEY" in path.read_bytes()
files = [p for root in ("/srv", "/opt/livegate") for p in pathlib.Path(root).rglob("*")]
print(json.dumps({
    "ours": ours,
    "compilers": [name for name in ("cc", "gcc", "clang", "ld", "make") if shutil.which(name)],
    "secrets": [str(p) for p in files if p.is_file() and secret(p)],
    "sources": [str(p) for p in files if p.name in ("tests", "docs", ".git", "Dockerfile")
                and "site-packages" not in p.parts],
    "writable": [str(p) for p in files if p.is_file() and os.access(p, os.W_OK)],
}))
"""


@pytest.mark.parametrize(("service", "module"), SERVICES.items())
async def test_an_image(project: Compose, service: str, module: str) -> None:
    image = f"livegate-{service}"
    [found] = json.loads(await project.docker("image", "inspect", image))
    config = found["Config"]
    assert config["User"] == "1000:1000"
    assert config["Cmd"] == ["python", "-m", module], "not in a shell, so that SIGTERM arrives"
    assert not config["Entrypoint"]
    assert config["Healthcheck"]["Test"][0] == "CMD"

    sizes = await project.docker("history", "--human=false", "--format", "{{.Size}}", image)
    [base] = json.loads(await project.docker("image", "inspect", project.base))
    own = sum(map(int, sizes.split())) - base["Size"]
    assert 0 < own < MOST_BYTES
    assert found["RootFS"]["Layers"][: len(base["RootFS"]["Layers"])] == base["RootFS"]["Layers"]

    look = json.loads(await project.docker("run", "--rm", image, "python", "-c", LOOK))
    assert sorted(look.pop("ours")) == ["livegate", f"livegate-{service}"]
    assert look == {"compilers": [], "secrets": [], "sources": [], "writable": []}
