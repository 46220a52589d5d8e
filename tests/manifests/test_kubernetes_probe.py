"""The CronJob that asks a spoken question."""

from typing import Any

import click
import pytest
import yaml
from livegate_cli.probe import command

from tests.manifests.kustomize import ROOT, named, overlay
from tests.manifests.schemas import schema_problems


@pytest.fixture(scope="module")
def job() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "k8s" / "probe.yaml").read_text())
    return found


def test_schemas(job: dict[str, Any]) -> None:
    assert schema_problems([job]) == []


def test_the_command_line_takes_its_arguments(job: dict[str, Any]) -> None:
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    name, *arguments = container["args"]
    assert name == command.name
    parsed = command.make_context(name, list(arguments)).params
    assert parsed["url"] == "https://talk.example.org"
    [mount] = container["volumeMounts"]
    assert str(parsed["api_key_file"]).startswith(mount["mountPath"])
    timeout = next(
        option.default
        for option in command.params
        if isinstance(option, click.Option) and option.name == "timeout_s"
    )
    assert isinstance(timeout, float)
    assert timeout < job["spec"]["jobTemplate"]["spec"]["activeDeadlineSeconds"]


def test_it_runs_as_the_services_do(job: dict[str, Any]) -> None:
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    broker = named(overlay("local"), "Deployment", "token-broker")["spec"]["template"]["spec"]
    assert pod["securityContext"] == broker["securityContext"]
    of_broker = broker["containers"][0]["securityContext"]
    assert pod["containers"][0]["securityContext"] == of_broker


def test_a_network_policy_lets_it_out(job: dict[str, Any]) -> None:
    labels = job["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
    policy = named(overlay("local"), "NetworkPolicy", "public-https")["spec"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
