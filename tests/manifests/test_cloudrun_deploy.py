"""deploy/cloudrun/deploy with a gcloud that only notes what it is told."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from tests.manifests.cloudrun import FOLDER, settings

PASSWORD = "p/w#1"
MAKES = re.compile(r"\b(create|add|submit|deploy) ")
KEEPS = "beta services identity create"
"""Google's own account for IAP: asked for each time."""


@dataclass
class Cloud:
    """What is in it, and what it was told."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.folder / "bin").mkdir()
        (self.folder / "there").mkdir()
        shutil.copy(Path(__file__).parent / "gcloud.sh", self.folder / "bin" / "gcloud")
        self.password(PASSWORD)

    def password(self, password: str) -> None:
        """Of its Redis."""
        (self.folder / "password").write_text(password + "\n")

    def deploy(self, *options: str, path: str = "", **changed: str) -> tuple[int, str, str]:
        """Exit status, stdout, stderr. `path` instead of one with gcloud on it."""
        out = self.folder / "out"
        file = settings(self.folder, **changed)
        done = subprocess.run(
            [FOLDER / "deploy", "--settings", file, "--out", out, *options],
            env={
                "PATH": path or f"{self.folder / 'bin'}:{without_gcloud()}:{os.environ['PATH']}",
                "FAKE": str(self.folder),
                **self.environment,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def told(self) -> list[str]:
        """Since it was asked the last time."""
        calls = self.folder / "calls"
        lines = calls.read_text().splitlines() if calls.exists() else []
        calls.unlink(missing_ok=True)
        return lines

    def secret(self, name: str) -> str:
        """Its latest content."""
        return (self.folder / "there" / f"content-{name}").read_text()

    def yaml(self, name: str) -> str:
        """What it was given."""
        return (self.folder / "out" / f"{name}.yaml").read_text()


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return Cloud(tmp_path)


def made(calls: list[str]) -> list[str]:
    return [call for call in calls if MAKES.search(call) and KEEPS not in call]


def without_gcloud() -> str:
    """A PATH with python alone."""
    return str(Path(sys.executable).parent)


def test_the_first_run_makes_everything_the_second_nothing(cloud: Cloud) -> None:
    status, printed, said = cloud.deploy()
    assert (status, said) == (0, "")
    assert printed.endswith("livegate is at https://livegate-edge-1234567890.us-central1.run.app\n")
    first = cloud.told()
    assert all(call.endswith("--project=acme --quiet") for call in first)
    shown = [line.removeprefix("   gcloud ") for line in printed.splitlines() if "gcloud" in line]
    assert [call for call in first if call in shown] == shown, "each change is printed, in order"
    replaced = [call.split()[3].rpartition("/")[2] for call in first if " replace " in call]
    assert replaced == ["token-broker.yaml", "session-worker.yaml", "livegate-edge.yaml"]

    assert cloud.secret("livegate-redis-url") == (
        "rediss://:p%2Fw%231@10.0.0.3:6378/0?ssl_ca_certs=/run/redis/ca.pem&ssl_check_hostname=false"
    )
    assert cloud.secret("livegate-redis-ca") == "ONE\nTWO\n"
    seal = cloud.secret("livegate-seal")
    everywhere = (
        printed + "".join(first) + "".join(map(cloud.yaml, ("livegate-edge", "token-broker")))
    )
    for secret in (seal, PASSWORD, "p%2Fw"):
        assert secret not in everywhere

    status, _, _ = cloud.deploy()
    assert status == 0
    second = cloud.told()
    assert made(second) == []
    assert len([call for call in second if " replace " in call]) == 3
    assert cloud.secret("livegate-seal") == seal


def test_a_dry_run_prints_the_same_and_calls_nothing(cloud: Cloud) -> None:
    status, dry, said = cloud.deploy("--dry-run", path=without_gcloud())
    assert (status, said) == (0, "")
    assert cloud.told() == []
    _, wet, _ = cloud.deploy()
    of_content = re.compile(r"\bv[0-9a-f]{12}\b|NUMBER|1234567890")
    assert of_content.sub("X", dry) == of_content.sub("X", wet)


def test_what_the_autoscaler_made_of_the_workers_stays(cloud: Cloud) -> None:
    count = "metadata.annotations.run.googleapis.com/manualInstanceCount"

    def instances() -> str:
        name = count.partition("annotations.")[2]
        found: str = yaml.safe_load(cloud.yaml("session-worker"))["metadata"]["annotations"][name]
        return found

    cloud.deploy()
    assert instances() == "2"
    cloud.deploy()
    assert instances() == "7"
    cloud.deploy(WORKERS_MAX="5")
    assert instances() == "5"
    cloud.deploy(AUTOSCALE="no")
    assert instances() == "2"


def test_a_changed_secret_makes_another_revision(cloud: Cloud) -> None:
    cloud.deploy()
    before = cloud.yaml("livegate-edge")
    cloud.told()
    cloud.password("another")
    cloud.deploy()
    assert made(cloud.told()) == [
        "secrets versions add livegate-redis-url --data-file=- --project=acme --quiet"
    ]
    assert ":another@" in cloud.secret("livegate-redis-url")
    changed = set(cloud.yaml("livegate-edge").splitlines()) - set(before.splitlines())
    assert [line.strip() for line in changed] == [
        'valueFrom: { secretKeyRef: { name: livegate-redis-url, key: "2" } }'
    ]


def test_a_failing_step_stops_with_its_name_and_the_next_run_goes_on(cloud: Cloud) -> None:
    cloud.environment = {
        "FAIL": "run worker-pools replace",
        "HOW": "Invalid choice: 'worker-pools'",
    }
    status, _, said = cloud.deploy()
    assert status == 1
    assert "ERROR: (gcloud) Invalid choice" in said
    assert "deploy: step “session workers” failed (1): gcloud run worker-pools replace" in said
    assert "gcloud is too old" in said
    calls = cloud.told()
    assert "run worker-pools replace" in calls[-1]
    assert not any("livegate-edge.yaml" in call for call in calls)
    cloud.environment = {}
    assert cloud.deploy()[0] == 0
    again = made(cloud.told())
    assert again, "the autoscaler was still missing"
    assert all("autoscaler" in call for call in again)


@pytest.mark.parametrize(
    ("fail", "how", "step", "hint"),
    [
        (
            "compute networks describe",
            "Compute Engine API has not been used in project acme before or it is disabled.",
            "network",
            "roles/serviceusage.serviceUsageAdmin",
        ),
        (
            "services enable",
            "PERMISSION_DENIED: Permission denied to enable service",
            "project and APIs",
            "docs/deploy.md lists the roles",
        ),
    ],
)
def test_what_may_not_be_looked_at_is_not_taken_for_missing(
    cloud: Cloud, fail: str, how: str, step: str, hint: str
) -> None:
    cloud.environment = {"FAIL": fail, "HOW": how}
    status, _, said = cloud.deploy()
    assert status == 1
    assert f"step “{step}” failed" in said
    assert hint in said
    assert made(cloud.told()) == []


def test_a_project_that_there_is_not(cloud: Cloud) -> None:
    cloud.environment = {"FAIL": "projects describe", "HOW": "NOT_FOUND: Project 'acme' not found"}
    status, _, said = cloud.deploy()
    assert (status, said) == (1, "deploy: PROJECT: there is no project acme\n")


def test_a_redis_that_is_still_made_is_not_used(cloud: Cloud) -> None:
    cloud.environment = {"REDIS_STATE": "CREATING"}
    status, _, said = cloud.deploy()
    assert status == 1
    assert said == "deploy: Redis is creating: run this again when it is ready\n"


def test_a_secret_of_yours_must_be_there(cloud: Cloud) -> None:
    status, _, said = cloud.deploy(LIVE_UPSTREAM="developer")
    assert status == 1
    assert said == (
        "deploy: make the secret livegate-gemini first: "
        "gcloud secrets create livegate-gemini --data-file=FILE\n"
    )


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"PROJECT": "my-project"}, "PROJECT is not set"),
        ({"SIGN_IN": "none"}, "SIGN_IN is one of iap, oidc"),
        ({"WORKERS": "0"}, "WORKERS is a number"),
        ({"WHO": '"me"'}, "without quotes"),
        ({"LOCATIONS": "a, b"}, "or spaces"),
        ({"SIGN_IN": "oidc", "OIDC_CLIENT_ID": "1"}, "OIDC_ALLOWED_DOMAINS"),
    ],
)
def test_settings_that_cannot_be_right(cloud: Cloud, changed: dict[str, str], told: str) -> None:
    status, printed, said = cloud.deploy(**changed)
    assert (status, printed) == (2, "")
    assert told in said
    assert "settings.env" in said
    assert cloud.told() == []


def test_a_setting_that_is_missing_and_a_gcloud_that_is_missing(cloud: Cloud) -> None:
    status, _, said = cloud.deploy(path=without_gcloud())
    assert status == 2
    assert "gcloud is missing" in said
    (cloud.folder / "few.env").write_text("PROJECT=acme\n# WORKERS=1\n")
    status, _, said = cloud.deploy("--settings", str(cloud.folder / "few.env"))
    assert status == 2
    assert "not set: REGION, VERSION" in said
