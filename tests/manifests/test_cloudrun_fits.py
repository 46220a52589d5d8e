"""What no schema sees: whether the YAML for Cloud Run fits the code, itself, and `deploy`."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.fernet import Fernet
from livegate import bus, metrics
from livegate.settings import ServiceSettings
from livegate_broker import callers
from livegate_broker.settings import BrokerSettings
from livegate_edge import connection, gateway
from livegate_edge.settings import EdgeSettings
from livegate_worker import identity, upstreams, worker
from livegate_worker.settings import WorkerSettings

from tests.manifests.cloudrun import (
    FOLDER,
    ROOT,
    Rendered,
    containers,
    environment,
    every_choice,
    rendered,
    volumes,
)

KILLED_AFTER_S = 10.0
"""From SIGTERM to SIGKILL: docs.cloud.google.com/run/docs/container-contract."""

SERVICES: dict[str, type[ServiceSettings]] = {
    "edge": EdgeSettings,
    "session-worker": WorkerSettings,
    "token-broker": BrokerSettings,
}
ROUTES = {
    "edge": "services/edge/src/livegate_edge/app.py",
    "session-worker": "services/session-worker/src/livegate_worker/__main__.py",
    "token-broker": "services/token-broker/src/livegate_broker/app.py",
}
REDIS = "rediss://:password@10.0.0.3:6378/0?ssl_ca_certs=/run/redis/ca.pem&ssl_check_hostname=false"


@pytest.fixture
def choices() -> list[Rendered]:
    return every_choice()


def services(choices: list[Rendered]) -> Iterator[tuple[str, Any, Any]]:
    """Each service's name, its resource, and its own container, in every choice."""
    for choice in choices:
        for resource in choice.resources.values():
            ours = [name for name in containers(resource) if name in SERVICES]
            assert len(ours) == 1
            yield ours[0], resource, containers(resource)[ours[0]]


def image_environment(service: str) -> dict[str, str]:
    """What the Dockerfile sets."""
    text = (ROOT / "services" / service / "Dockerfile").read_text().replace("\\\n", " ")
    lines = " ".join(re.findall(r"^ENV .*", text, re.MULTILINE))
    return dict(re.findall(r"([A-Z_]+)=(\S+)", lines))


def own_port(container: Any) -> str | None:
    return str(container["ports"][0]["containerPort"]) if "ports" in container else None


def start(service: str, resource: Any, container: Any, folder: Path) -> ServiceSettings:
    """Settings as the container would read them; mounted files are in `folder`."""
    told = image_environment(service) | environment(container)
    if own_port(container):
        told["PORT"] = str(own_port(container))
    told["REDIS_URL"] = REDIS
    for name, secret in volumes(resource).items():
        mounts = [m["mountPath"] for m in container.get("volumeMounts", ()) if m["name"] == name]
        for mount in mounts:
            file = folder / mount.strip("/") / secret["items"][0]["path"]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(Fernet.generate_key())
    for name in [name for name in told if name.endswith("_FILE")]:
        told[name] = str(folder / told[name].strip("/"))
        assert Path(told[name]).is_file(), f"{service}: {name} is not mounted"
    with pytest.MonkeyPatch.context() as patched:
        for name in list(os.environ):
            patched.delenv(name)
        for name, value in told.items():
            patched.setenv(name, value)
        return SERVICES[service]()


def test_every_service_starts_with_its_settings(choices: list[Rendered], tmp_path: Path) -> None:
    """As far as that goes without Google: what is missing, or contradicts, ends a start."""
    for number, (service, resource, container) in enumerate(services(choices)):
        settings = start(service, resource, container, tmp_path / str(number))
        known = {name.upper() for name in SERVICES[service].model_fields}
        assert set(environment(container)) <= known, service
        assert settings.host == settings.admin_host == "0.0.0.0"  # noqa: S104, in its container
        if isinstance(settings, EdgeSettings):
            gateway.Gateway(settings)
        elif isinstance(settings, WorkerSettings):
            assert upstreams.location_problem(settings) is None
            identity.configured(settings)
        elif isinstance(settings, BrokerSettings):
            callers.configured(settings)


def test_ports_and_probes_are_those_of_the_code(choices: list[Rendered]) -> None:
    scraped = yaml.safe_load((FOLDER / "monitoring.yaml").read_text())["spec"]["endpoints"][0]
    assert scraped["path"] == "/metrics"
    for service, _, container in services(choices):
        admin = environment(container)["ADMIN_PORT"]
        assert str(scraped["port"]) == admin
        port = admin if service == "session-worker" else image_environment(service)["PORT"]
        assert own_port(container) in (port, None)
        routes = re.findall(r'Route\("(/\w+)"', (ROOT / ROUTES[service]).read_text())
        for probe in (container["startupProbe"], container["livenessProbe"]):
            assert probe["httpGet"]["path"] in routes
            assert str(probe["httpGet"]["port"]) == port
            assert probe["timeoutSeconds"] <= probe["periodSeconds"]
        start_s = container["startupProbe"]["periodSeconds"]
        assert start_s * container["startupProbe"]["failureThreshold"] <= 240


def test_what_follows_sigterm_fits(choices: list[Rendered], tmp_path: Path) -> None:
    for service, resource, container in services(choices):
        settings = start(service, resource, container, tmp_path)
        if isinstance(settings, EdgeSettings):
            needs_s = settings.drain_s + gateway.LAST_FRAMES_S
        elif isinstance(settings, WorkerSettings):
            needs_s = settings.drain_s + 2 * worker.LAST_FRAMES_S  # frames, then the ledger
        else:
            continue
        assert needs_s + bus.RETIRE_S <= KILLED_AFTER_S - 1, service


def test_a_connection_is_moved_before_cloud_run_cuts_it(
    choices: list[Rendered], tmp_path: Path
) -> None:
    for service, resource, container in services(choices):
        settings = start(service, resource, container, tmp_path)
        if isinstance(settings, EdgeSettings):
            cut_s = resource["spec"]["template"]["spec"]["timeoutSeconds"]
            assert cut_s == 3600
            assert 0 < settings.connection_length_s == 55 * 60
            assert settings.connection_length_s + connection.MOVE_GRACE_S < cut_s - 60


def test_memory_and_places_are_enough(choices: list[Rendered], tmp_path: Path) -> None:
    """As measured: docs/performance.md, "What a number of sessions needs"."""
    for service, resource, container in services(choices):
        memory_mb = int(container["resources"]["limits"]["memory"].removesuffix("Mi"))
        if service == "edge":
            settings = start(service, resource, container, tmp_path)
            assert isinstance(settings, EdgeSettings)
            at_once = resource["spec"]["template"]["spec"]["containerConcurrency"]
            assert at_once <= min(680, settings.max_connections)
            assert memory_mb >= 2 * (48 + 0.2 * at_once)
        if service == "session-worker":
            assert memory_mb >= 2 * (57 + 0.2 * int(environment(container)["SLOTS"]))


def test_processors_are_as_cloud_run_takes_them(choices: list[Rendered]) -> None:
    """Parts of one for a container, one at least in all: run/docs/configuring/services/cpu."""
    for _, resource, _ in services(choices):
        sizes = []
        for container in containers(resource).values():
            limits = container["resources"]["limits"]
            cpu = limits["cpu"]
            sizes.append(float(cpu[:-1]) / 1000 if cpu.endswith("m") else float(cpu))
            assert sizes[-1] < 1 or sizes[-1].is_integer()
            assert sizes[-1] >= 0.5 or int(limits["memory"].removesuffix("Mi")) <= 512
        assert sum(sizes) >= 1


def test_workers_and_broker_know_each_other(choices: list[Rendered]) -> None:
    for choice in choices:
        broker, workers = choice.resources["token-broker"], choice.resources["session-worker"]
        asked = environment(containers(workers)["session-worker"])
        asks = environment(containers(broker)["token-broker"])
        url = asked["BROKER_URL"]
        assert url == "https://livegate-token-broker-NUMBER.us-central1.run.app"
        assert asked["BROKER_AUDIENCE"] == asks["CALLER_AUDIENCE"] == url
        annotations = broker["metadata"]["annotations"]
        assert annotations["run.googleapis.com/custom-audiences"] == f'["{url}"]'
        assert annotations["run.googleapis.com/ingress"] == "internal"
        assert annotations["run.googleapis.com/invoker-iam-disabled"] == "false"
        account = workers["spec"]["template"]["spec"]["serviceAccountName"]
        assert asks["CALLER_ACCOUNTS"] == account
        invoker = "run services add-iam-policy-binding livegate-token-broker"
        invokers = [line for line in choice.printed.splitlines() if invoker in line]
        assert len(invokers) == 1
        assert f"serviceAccount:{account} --role=roles/run.invoker" in invokers[0]


def test_redis_and_the_broker_are_reached_through_the_network(choices: list[Rendered]) -> None:
    source = (FOLDER / "deploy").read_text()
    [authority] = re.findall(r"ssl_ca_certs=([\w/.]+)", source)
    for service, resource, container in services(choices):
        annotations = resource["spec"]["template"]["metadata"]["annotations"]
        if "REDIS_URL" not in environment(container):
            assert service == "token-broker"
            assert not any("network" in name for name in annotations)
            continue
        assert yaml.safe_load(annotations["run.googleapis.com/network-interfaces"]) == [
            {"network": "livegate", "subnetwork": "livegate"}
        ]
        file = volumes(resource)["redis-ca"]["items"][0]["path"]
        [mount] = [m["mountPath"] for m in container["volumeMounts"] if m["name"] == "redis-ca"]
        assert f"{mount}/{file}" == authority
        # Only what comes through the network is internal; there Google needs no public address.
        egress = annotations["run.googleapis.com/vpc-access-egress"]
        assert egress == ("all-traffic" if service == "session-worker" else "private-ranges-only")
    for choice in choices:
        assert "--enable-private-ip-google-access" in choice.printed


def test_only_iap_or_the_edge_itself_lets_anybody_in(choices: list[Rendered]) -> None:
    for choice in choices:
        for name in ("livegate-edge", "livegate-edge-sdk"):
            annotations = choice.resources[name]["metadata"]["annotations"]
            told = environment(containers(choice.resources[name])["edge"])
            iap = annotations["run.googleapis.com/iap-enabled"] == "true"
            open_ = annotations["run.googleapis.com/invoker-iam-disabled"] == "true"
            assert iap is not open_
            assert iap is (told["AUTH_MODES"] == "iap")
            assert told["IAP_AUDIENCE"].endswith(f"/locations/us-central1/services/{name}")
        sdk = environment(containers(choice.resources["livegate-edge-sdk"])["edge"])
        assert sdk["AUTH_MODES"] == "api-key"


def test_each_secret_is_made_and_read_by_who_needs_it(choices: list[Rendered]) -> None:
    for choice in choices:
        made = set(re.findall(r"secrets create (\S+)", choice.printed))
        read = set(
            re.findall(r"secrets add-iam-policy-binding (\S+) --member=(\S+)", choice.printed)
        )
        needed = set()
        for resource in choice.resources.values():
            spec = resource["spec"]["template"]["spec"]
            names = {secret["secretName"] for secret in volumes(resource).values()}
            if "REDIS_URL" in environment(next(iter(containers(resource).values()))):
                names.add("livegate-redis-url")
            needed |= {(name, f"serviceAccount:{spec['serviceAccountName']}") for name in names}
            mounted = [m for c in spec["containers"] for m in c.get("volumeMounts", ())]
            assert {m["name"] for m in mounted} == set(volumes(resource))
        assert read == needed, choice.name
        assert made == {name for name, _ in needed}, choice.name


def test_sidecars_wait_for_what_they_read(choices: list[Rendered]) -> None:
    for service, resource, container in services(choices):
        template = resource["spec"]["template"]
        waits = template["metadata"]["annotations"]["run.googleapis.com/container-dependencies"]
        assert waits == f'{{"collector":["{service}"]}}'
        assert container["startupProbe"]
        assert set(containers(resource)) == {service, "collector"}


def test_accounts_are_one_each_and_made(choices: list[Rendered]) -> None:
    for choice in choices:
        used = {
            name: resource["spec"]["template"]["spec"]["serviceAccountName"].partition("@")[0]
            for name, resource in choice.resources.items()
        }
        assert used["livegate-edge"] == used.pop("livegate-edge-sdk")
        assert len(set(used.values())) == 3
        made = re.findall(r"iam service-accounts create (\S+)", choice.printed)
        assert set(made) == {*used.values(), "livegate-autoscaler"}
        assert "aiplatform.user" not in choice.printed or "developer" not in choice.name


def roles(printed: str) -> set[tuple[str, str]]:
    """Who gets which role: service accounts of ours."""
    found = re.findall(r"--member=serviceAccount:livegate-([\w-]+)@\S+ --role=(\S+)", printed)
    return set(found)


def test_roles_are_those_that_the_documentation_lists(tmp_path: Path) -> None:
    narrow = "livegate-live@acme.iam.gserviceaccount.com"
    direct = roles(rendered(tmp_path / "direct").printed)
    by_proxy = roles(rendered(tmp_path / "narrow", IMPERSONATE_SERVICE_ACCOUNT=narrow).printed)
    vertex = {("broker", "roles/aiplatform.user")}
    assert direct - by_proxy == vertex
    assert by_proxy - direct == {("broker", "roles/iam.serviceAccountTokenCreator")}
    page = (ROOT / "docs" / "deploy.md").read_text()
    [section] = re.findall(r"^## Cloud Run\n.*?(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    row = re.compile(r"^\| `livegate-([\w-]+)` \| `(roles/[\w.]+)` \|", re.MULTILINE)
    documented = row.findall(section)
    assert set(documented) == direct | by_proxy
    assert len(documented) == len(set(documented))


def test_the_autoscaler_looks_at_metrics_that_there_are(choices: list[Rendered]) -> None:
    known = {metric._name for metric in vars(metrics).values() if hasattr(metric, "_name")}
    for choice in choices:
        [scaled] = choice.files["autoscaler"]["spec"]["scaledObjects"]
        target = scaled["spec"]["scaleTargetRef"]["name"]
        pool = choice.resources["session-worker"]
        assert target.rpartition("/")[2] == pool["metadata"]["name"]
        assert ("/workerpools/" in target) is (pool["kind"] == "WorkerPool")
        assert scaled["spec"]["minReplicaCount"] <= scaled["spec"]["maxReplicaCount"]
        for trigger in scaled["spec"]["triggers"]:
            asked = re.findall(r"livegate_\w+", trigger["metadata"]["query"])
            assert asked
            assert set(asked) <= known


def test_every_setting_of_the_file_is_used() -> None:
    names = re.findall(r"^([A-Z_]+)=", (FOLDER / "settings.env").read_text(), re.MULTILINE)
    users = "".join(file.read_text() for file in (FOLDER / "deploy", *FOLDER.glob("*.yaml")))
    assert [name for name in names if not re.search(rf"\$?[\"'$]{name}\b", users)] == []
