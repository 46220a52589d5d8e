"""Dockerfiles, and docker-compose.yml against the code; `make test-containers` runs both."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.manifests.environments import SETTINGS

ROOT = Path(__file__).parents[2]
HADOLINT = Path(sys.executable).with_name("hadolint")


def dockerfile(service: str) -> Path:
    return ROOT / "services" / service / "Dockerfile"


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return found


def hadolint(text: str) -> str:
    return subprocess.run(
        [HADOLINT, "--no-color", "-"], input=text, capture_output=True, text=True, check=False
    ).stdout


def variables(service: str) -> dict[str, str]:
    """What the final image sets."""
    final = dockerfile(service).read_text().split("FROM ${BASE}\n")[1]
    return dict(re.findall(r"([A-Z_]+)=(\S+)", final.split("ENV ")[1].split("\nWORKDIR")[0]))


@pytest.mark.parametrize("service", SETTINGS)
def test_a_dockerfile_passes_hadolint(service: str) -> None:
    assert hadolint(dockerfile(service).read_text()) == ""


def test_hadolint_finds_what_is_wrong() -> None:
    text = dockerfile("edge").read_text().replace("WORKDIR /srv", "WORKDIR srv")
    assert "DL3000" in hadolint(text)


@pytest.mark.parametrize("service", SETTINGS)
def test_an_image_sets_what_the_service_reads_and_exposes_its_ports(service: str) -> None:
    known = {name.upper() for name in SETTINGS[service].model_fields}
    found = variables(service)
    assert set(found) - known == {"PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}
    [exposed] = re.findall(r"^EXPOSE (.*)$", dockerfile(service).read_text(), re.MULTILINE)
    assert exposed.split() == [found[name] for name in ("PORT", "ADMIN_PORT") if name in found]


@pytest.mark.parametrize("service", SETTINGS)
def test_compose_sets_what_the_service_reads(service: str) -> None:
    known = {name.upper() for name in SETTINGS[service].model_fields}
    assert set(compose()["services"][service]["environment"]) <= known


def test_prometheus_scrapes_the_ports_of_the_images() -> None:
    config = yaml.safe_load((ROOT / "deploy/monitoring/prometheus/prometheus.yml").read_text())
    scraped = {
        job["dns_sd_configs"][0]["names"][0]: job["dns_sd_configs"][0]["port"]
        for job in config["scrape_configs"]
    }
    assert scraped == {service: int(variables(service)["ADMIN_PORT"]) for service in SETTINGS}


def test_the_monitoring_profile_mounts_rules_and_dashboards() -> None:
    services = compose()["services"]
    folder = "./deploy/monitoring"
    assert f"{folder}/prometheus:/etc/prometheus:ro" in services["prometheus"]["volumes"]
    assert f"{folder}/dashboards:/etc/grafana/dashboards:ro" in services["grafana"]["volumes"]
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (ROOT / "deploy/monitoring/dashboards" / Path(home).name).is_file()
