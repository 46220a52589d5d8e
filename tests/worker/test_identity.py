"""What is shown to the broker: files that change, and where it comes from."""

from pathlib import Path
from typing import Any

import pytest
from livegate_worker import identity
from livegate_worker.google_identity import GoogleIdentity
from livegate_worker.identity import FromFile

from tests.worker.harness import settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shown"
    path.write_text("first\n")
    return path


async def shown(by: identity.Identity) -> str:
    (header,) = (await by.headers()).items()
    assert header[0] == "Authorization"
    return header[1]


async def test_a_file_that_is_renewed(file: Path) -> None:
    by = FromFile(file, "BROKER_TOKEN_FILE")
    assert await shown(by) == "Bearer first"
    file.write_text("\n second \nfirst\n")  # noqa: ASYNC240
    assert await shown(by) == "Bearer second", "the new one is the first line"
    file.write_text("")  # noqa: ASYNC240
    assert await shown(by) == "Bearer second", "in the middle of a change"
    file.unlink()  # noqa: ASYNC240
    assert await shown(by) == "Bearer second"


@pytest.mark.parametrize(
    ("auth", "setting"), [("secret", "BROKER_SECRET_FILE"), ("kubernetes", "BROKER_TOKEN_FILE")]
)
async def test_which_file(
    file: Path, auth: str, setting: str, capsys: pytest.CaptureFixture[str]
) -> None:
    values: dict[str, Any] = {"broker_auth": auth}
    by = identity.configured(settings(**values, **{setting.lower(): file}))
    assert await shown(by) == "Bearer first"
    with pytest.raises(SystemExit):
        identity.configured(settings(**values))
    assert f"{setting} is not set" in capsys.readouterr().err


def test_google() -> None:
    by = identity.configured(settings(broker_auth="google", broker_audience="https://broker"))
    assert isinstance(by, GoogleIdentity)
