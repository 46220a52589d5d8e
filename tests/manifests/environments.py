"""The environment that a manifest gives a container of ours, and whether the service takes it."""

import functools
import os
import re
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

from livegate.settings import RedisSettings, ServiceSettings
from livegate_broker.settings import BrokerSettings
from livegate_edge.door import Door
from livegate_edge.settings import EdgeSettings
from livegate_simulator.settings import SimulatorSettings
from livegate_worker import upstreams
from livegate_worker.settings import WorkerSettings
from pydantic import ValidationError

from tests.manifests.kustomize import ROOT, Object, every_container, of_kind

SETTINGS: dict[str, type[ServiceSettings]] = {
    "edge": EdgeSettings,
    "session-worker": WorkerSettings,
    "token-broker": BrokerSettings,
    "simulator": SimulatorSettings,
}

FOR_THE_MANIFESTS = {"IMAGES", "VERSION", "IAP_CLIENT_ID", "SDK_HOST"}
"""Lines of settings.env that kustomize puts where they belong; the services don't read them."""

FOR_OTHER_VARIABLES = {"NAMESPACE"}
"""What a manifest puts into a container's environment to build another variable with it."""


def names(*classes: type[ServiceSettings]) -> set[str]:
    """The variables that these settings read."""
    return {name.upper() for one in classes for name in one.model_fields}


ALL_NAMES = names(*SETTINGS.values())


def service(container: Object) -> str | None:
    """Which of our services the container runs; None: somebody else's program."""
    image = container["image"].rsplit("/", 1)[-1].split(":")[0]
    name: str = image.removeprefix("livegate-")
    return name if name in SETTINGS else None


@functools.cache
def of_image(name: str) -> dict[str, str]:
    """What the image's Dockerfile sets."""
    text = (ROOT / "services" / name / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [
        line for line in text.split("FROM ${BASE}\n")[-1].splitlines() if line.startswith("ENV ")
    ]
    return dict(re.findall(r"([A-Z_]+)=(\S+)", " ".join(lines)))


def of_container(container: Object, objects: Sequence[Object]) -> dict[str, str]:
    """What the manifest sets, an example in place of a secret."""
    maps = {item["metadata"]["name"]: item["data"] for item in of_kind(objects, "ConfigMap")}
    found: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        found |= maps[source["configMapRef"]["name"]]
    for variable in container.get("env", ()):
        name = variable["name"]
        if "value" in variable:
            found[name] = re.sub(r"\$\((\w+)\)", lambda match: found[match[1]], variable["value"])
            continue
        source = variable["valueFrom"]
        if "configMapKeyRef" in source:
            reference = source["configMapKeyRef"]
            found[name] = maps[reference["name"]][reference["key"]]
        elif "secretKeyRef" in source:
            found[name] = "redis://:secret@10.0.0.3:6379/0"
        else:
            found[name] = "livegate"
    return found


def settings(container: Object, objects: Sequence[Object]) -> ServiceSettings:
    """What the service makes of it. ValidationError: it would not start."""
    name = service(container)
    assert name is not None
    return _read(name, frozenset((of_image(name) | of_container(container, objects)).items()))


@functools.cache
def _read(name: str, environment: frozenset[tuple[str, str]]) -> ServiceSettings:
    with mock.patch.dict(os.environ, dict(environment), clear=True):
        return SETTINGS[name]()


def problems(objects: Sequence[Object]) -> list[str]:
    """Variables that nobody reads, values a service refuses, ports it doesn't listen on."""
    found: list[str] = []
    for workload, container in every_container(objects):
        name = service(container)
        if name is None:
            continue
        given = {variable["name"] for variable in container.get("env", ())}
        known = names(SETTINGS[name]) | FOR_OTHER_VARIABLES
        found += [f"{name} does not read {variable}" for variable in sorted(given - known)]
        shared = set(of_container(container, objects)) - given
        unread = shared - ALL_NAMES - FOR_THE_MANIFESTS
        found += [f"nobody reads {variable}" for variable in sorted(unread)]
        try:
            read = settings(container, objects)
        except ValidationError as error:
            found.append(f"{name}: {error}")
            continue
        found += _start(read)
        if isinstance(read, RedisSettings):
            needed = {"REDIS_URL", "LEDGER_URL"} - set(of_container(container, objects))
            found += [f"{workload['metadata']['name']} lacks {one}" for one in sorted(needed)]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        listened = (
            {"admin": read.admin_port}
            if name == "session-worker"
            else {
                "live" if name == "simulator" else "http": read.port,
                "sim-admin" if name == "simulator" else "admin": read.admin_port,
            }
        )
        if ports != listened:
            found.append(f"{name} listens on {listened}, not on {ports}")
        if (read.host, read.admin_host) != ("0.0.0.0", "0.0.0.0"):  # noqa: S104
            found.append(f"{name} listens where no other pod reaches it")
    return found


@functools.cache
def _start(read: ServiceSettings) -> list[str]:
    """What the service itself would say at its start before it exits."""
    if isinstance(read, WorkerSettings):
        problem = upstreams.location_problem(read)
        return [problem] if problem else []
    if isinstance(read, EdgeSettings):
        try:
            # A file that is there, in place of the Secret's.
            secret = {"oidc_client_secret_file": Path(__file__)}
            Door(read.model_copy(update=secret), (b"0" * 43 + b"=",))
        except SystemExit:
            return ["the edge would not start with these settings"]
    return []
