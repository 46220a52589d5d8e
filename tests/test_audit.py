"""The audit of dependencies finds what is wrong, and says when nobody answered."""

import hashlib
import http.server
import importlib.util
import io
import json
import os
import threading
import zipfile
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "audit"
HASH = f"--hash=sha256:{'0' * 64}"
NOWHERE = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    loader = SourceFileLoader("audit", str(SCRIPT))
    spec = importlib.util.spec_from_loader("audit", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_the_locks_are_what_they_must_be(audit: ModuleType) -> None:
    found = [audit.read(path.read_text()) for path in audit.locks()]
    assert len(found) == 10
    assert [wrong for _, wrong in found if wrong] == []
    pins, different = audit.together(pins for pins, _ in found)
    assert different == []
    assert {"uvicorn", "cryptography", "uv", "hatchling"} <= set(pins)


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        (f"a==1 \\\n    {HASH}", []),
        (f"a==1 ; python_version < '3.12' \\\n    {HASH} \\\n    {HASH}", []),
        ("# a comment", []),
        ("a==1", ["no hash"]),
        (f"a>=1 {HASH}", ["not one version of a package"]),
        ("--index-url https://x/", ["not one version of a package"]),
        (f"a @ https://x/a.whl {HASH}", ["not one version of a package"]),
        ("-e .", ["not one version of a package"]),
    ],
)
def test_a_lock_names_one_version_and_its_hashes(
    audit: ModuleType, line: str, wrong: list[str]
) -> None:
    assert [found.partition(":")[0] for found in audit.read(line + "\n")[1]] == wrong


def test_two_versions_of_one_package_are_named(audit: ModuleType) -> None:
    assert audit.together([{"a": "1"}, {"a": "1", "b": "2"}]) == ({"a": "1", "b": "2"}, [])
    assert audit.together([{"a": "1"}, {"a": "2"}])[1] == ["two versions: a 1 and 2"]


class Answers(http.server.BaseHTTPRequestHandler):
    """An index with one withdrawn package, and OSV."""

    wheel = b""
    asked: list[Any] = []  # noqa: RUF012, the class is made for one test

    def do_GET(self) -> None:
        digest = hashlib.sha256(self.wheel).hexdigest()
        link = (
            f'<a href="/gone-1.0-py3-none-any.whl#sha256={digest}" data-yanked="it eats">gone</a>'
        )
        is_page = self.path.endswith("/")
        self._answer("text/html" if is_page else "x/x", link.encode() if is_page else self.wheel)

    def do_POST(self) -> None:
        size = int(self.headers["content-length"])
        self.asked.append(json.loads(self.rfile.read(size)))
        answer = {"results": [{}, {"vulns": [{"id": "GHSA-1"}, {"id": "PYSEC-2"}]}]}
        self._answer("application/json", json.dumps(answer).encode())

    def _answer(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


def _wheel() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(
            "gone-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: gone\nVersion: 1.0\n"
        )
        file.writestr("gone-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        file.writestr("gone-1.0.dist-info/RECORD", "")
    return buffer.getvalue()


@pytest.fixture
def served() -> Iterator[tuple[str, type[Answers]]]:
    kind = type("Own", (Answers,), {"wheel": _wheel(), "asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", kind
        server.shutdown()
        thread.join()


def test_what_was_withdrawn_is_named(
    audit: ModuleType, served: tuple[str, type[Answers]], tmp_path: Path
) -> None:
    url, kind = served
    lock = tmp_path / "x.lock"
    lock.write_text(f"gone==1.0 --hash=sha256:{hashlib.sha256(kind.wheel).hexdigest()}\n")
    environ = os.environ | {
        "UV_DEFAULT_INDEX": f"{url}/simple",
        "UV_CACHE_DIR": str(tmp_path / "c"),
    }
    [found] = audit.yanked([lock], environ)
    assert "gone==1.0" in found
    assert "it eats" in found
    environ["UV_DEFAULT_INDEX"] = f"{NOWHERE}/simple"
    environ |= {"UV_HTTP_RETRIES": "0", "UV_CACHE_DIR": str(tmp_path / "d")}
    assert audit.yanked([lock], environ) is None


def test_what_is_known_to_be_vulnerable_is_named(
    audit: ModuleType, served: tuple[str, type[Answers]]
) -> None:
    url, kind = served
    found = audit.vulnerable({"b": "2", "a": "1"}, url)
    assert found == ["b 2: GHSA-1", "b 2: PYSEC-2"]
    [asked] = kind.asked
    assert asked["queries"][0] == {"package": {"name": "a", "ecosystem": "PyPI"}, "version": "1"}
    assert audit.vulnerable({"a": "1"}, NOWHERE) is None


def test_nobody_who_answers_is_no_failure(
    audit: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(audit, "yanked", lambda *_: None)
    assert audit.main([], {"OSV_URL": NOWHERE}) == 0
    said = capsys.readouterr().out
    assert "nobody answered whether one is yanked" in said
    assert "nobody answered whether one is vulnerable" in said
    monkeypatch.setattr(audit, "vulnerable", lambda *_: ["a 1: GHSA-1"])
    assert audit.main([], {}) == 1
    assert "WRONG vulnerable: a 1: GHSA-1" in capsys.readouterr().out
