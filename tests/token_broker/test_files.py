"""livegate_broker.files: each wrong file gets one line that says what to do."""

import json
import os
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from livegate_broker import files
from livegate_broker.errors import CredentialFileError

MARK = "MARKED-CONTENT-7f3a"
"""In every wrong file, and in no error."""


def reason(path: Path) -> str:
    with pytest.raises(CredentialFileError) as caught:
        files.read(path, "GOOGLE_APPLICATION_CREDENTIALS")
    text = str(caught.value)
    assert text.startswith(f"GOOGLE_APPLICATION_CREDENTIALS: {path} ")
    assert "; " in text, "says what to do"
    assert "\n" not in text
    assert MARK not in text
    chained = caught.value.__cause__ or (
        None if caught.value.__suppress_context__ else caught.value.__context__
    )
    assert MARK not in str(chained) + repr(getattr(chained, "doc", ""))
    return text


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b" \n\t", "is empty"),
        (b"{not json " + MARK.encode(), "is not JSON (line 1)"),
        (b"\xff\xfe\x00\xd8" + MARK.encode(), "is not JSON"),
        (b"[" * 200_000, "is not JSON"),
        (json.dumps([MARK]).encode(), "not an object"),
        (json.dumps({"a": MARK}).encode(), "no field `type`"),
        (json.dumps({"api_key": MARK}).encode(), "holds an API key"),
        (f"AIza{MARK}\n".encode(), "holds an API key"),
        (json.dumps({"installed": {"client_secret": MARK}}).encode(), "OAuth client secret"),
        (json.dumps({"web": {"client_secret": MARK}}).encode(), "OAuth client secret"),
        (f"-----BEGIN PRIVATE KEY-----\n{MARK}".encode(), "bare or P12 key"),
        (json.dumps({"type": "gdch_service_account"}).encode(), "type 'gdch_service_account'"),
        (json.dumps({"type": ["x"]}).encode(), "can't be used here"),
        (
            json.dumps({"type": "service_account", "private_key": MARK}).encode(),
            "lacks client_email, token_uri",
        ),
        (
            json.dumps({"type": "authorized_user", "client_secret": MARK}).encode(),
            "lacks client_id, refresh_token",
        ),
        (b"{" + b" " * 300_000, "has 300001 bytes"),
    ],
)
def test_a_wrong_file_is_explained(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "key.json"
    path.write_bytes(content)
    assert says in reason(path)


def test_a_missing_file(tmp_path: Path) -> None:
    assert "does not exist" in reason(tmp_path / "none.json")


def test_a_directory(tmp_path: Path) -> None:
    assert "is a directory; name the JSON file in it" in reason(tmp_path)


def test_a_device() -> None:
    assert "is not a regular file" in reason(Path(os.devnull))


def test_a_path_through_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert "can't be read: Not a directory" in reason(tmp_path / "file" / "key.json")


def test_a_file_of_another_user(
    unprivileged: Callable[[], AbstractContextManager[None]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "key.json"
        path.write_text(MARK)
        path.chmod(0)
        if os.geteuid() == 0:
            os.chown(path, 4711, 4712)
        owner = path.stat()
        Path(folder).chmod(0o755)
        with unprivileged():
            text = reason(path)
            assert f"runs as user {os.geteuid()}; let that user read it" in text
            assert text.endswith(f".env: BROKER_USER={owner.st_uid}:{owner.st_gid}")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_right_file_in_any_encoding_that_editors_write(tmp_path: Path, encoding: str) -> None:
    info = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}
    path = tmp_path / "user.json"
    path.write_text(json.dumps(info), encoding=encoding)
    assert files.read(path, "CREDENTIALS_DIR") == info
