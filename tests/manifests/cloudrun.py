"""deploy/cloudrun as `deploy` would give it to gcloud."""

import contextlib
import functools
import importlib.util
import io
import itertools
import sys
import tempfile
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "cloudrun"
PROJECT = "acme"


def load() -> ModuleType:
    """The command as a module; it writes no byte code beside itself."""
    loader = SourceFileLoader("cloudrun_deploy", str(FOLDER / "deploy"))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module


deploy = load()


def settings(folder: Path, **changed: str) -> Path:
    """The settings file that ships, filled in."""
    values = {"PROJECT": PROJECT, **changed}
    lines = []
    for line in (FOLDER / "settings.env").read_text().splitlines():
        name = line.partition("=")[0]
        lines.append(f"{name}={values[name]}" if name in values else line)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "settings.env"
    path.write_text("\n".join(lines) + "\n")
    return path


@dataclass(frozen=True)
class Rendered:
    """One choice of settings: what `deploy` prints, and its YAML by file name."""

    name: str
    printed: str
    files: dict[str, Any]

    @property
    def resources(self) -> dict[str, Any]:
        """Services and worker pool."""
        return {
            name: doc for name, doc in self.files.items() if "spec" in doc and "metadata" in doc
        }


def rendered(folder: Path, **changed: str) -> Rendered:
    """What a dry run makes."""
    path = settings(folder, **changed)
    printed = io.StringIO()
    gcloud = deploy.Gcloud(PROJECT, dry=True)
    with contextlib.redirect_stdout(printed):
        deploy.Deployment(deploy.read_settings(path), gcloud, folder).run()
    files = {file.stem: yaml.safe_load(file.read_text()) for file in sorted(folder.glob("*.yaml"))}
    return Rendered(",".join(changed.values()), printed.getvalue(), files)


@functools.cache
def every_choice() -> list[Rendered]:
    """Each combination of what changes the YAML; not to be changed."""
    choices = itertools.product(("iap", "oidc"), ("vertex", "developer"), ("pool", "service"))
    with tempfile.TemporaryDirectory() as folder:
        return [_choice(Path(folder), *choice) for choice in choices]


def _choice(folder: Path, sign_in: str, upstream: str, kind: str) -> Rendered:
    oidc = sign_in == "oidc"
    return rendered(
        folder / f"{sign_in}-{upstream}-{kind}",
        SIGN_IN=sign_in,
        OIDC_CLIENT_ID="1234.apps.googleusercontent.com" if oidc else "",
        OIDC_ALLOWED_DOMAINS="example.com" if oidc else "",
        LIVE_UPSTREAM=upstream,
        WORKERS_AS=kind,
        SDK_EDGE="yes",
    )


def containers(resource: Any) -> dict[str, Any]:
    """By name."""
    return {c["name"]: c for c in resource["spec"]["template"]["spec"]["containers"]}


def environment(container: Any) -> dict[str, str]:
    """What it is told; of a secret its name."""
    return {
        entry["name"]: entry["value"]
        if "value" in entry
        else entry["valueFrom"]["secretKeyRef"]["name"]
        for entry in container.get("env", ())
    }


def volumes(resource: Any) -> dict[str, Any]:
    """By name: the secret's."""
    spec = resource["spec"]["template"]["spec"]
    return {volume["name"]: volume["secret"] for volume in spec["volumes"]}
