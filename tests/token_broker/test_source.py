"""livegate_broker.source: a replaced key file is taken without a restart."""

import json

import pytest
from livegate_broker.credentials import find
from livegate_broker.errors import CredentialFileError
from livegate_broker.settings import BrokerSettings
from livegate_broker.source import Source

from .conftest import WriteKey
from .fake_google import EMAIL, FakeGoogle


def source_of(settings: BrokerSettings) -> Source:
    return Source(lambda: find(settings, lambda *_, **__: None))


@pytest.fixture
def source(key_file: WriteKey) -> Source:
    return source_of(BrokerSettings(google_application_credentials=key_file()))


def test_an_unchanged_file_is_left_alone(source: Source) -> None:
    before = source.found
    assert not source.replaced()
    assert source.found is before


def test_a_replaced_file_is_taken_once(source: Source, key_file: WriteKey) -> None:
    key_file(client_email="new@a-project.iam.gserviceaccount.com")
    assert source.replaced()
    assert source.found.account == "new@a-project.iam.gserviceaccount.com"
    assert not source.replaced()


def test_a_file_moved_into_place(source: Source, key_file: WriteKey, google: FakeGoogle) -> None:
    path = key_file()
    source.replaced()
    other = path.with_name("other")
    other.write_text(json.dumps(google.service_account()))
    other.rename(path)
    assert source.replaced()


def test_a_bad_file_leaves_the_former_credential(source: Source, key_file: WriteKey) -> None:
    key_file().write_text("{half-writ")
    assert not source.replaced()
    assert source.found.account == EMAIL
    key_file(project_id="another")
    assert source.replaced()
    assert source.found.project == "another"


def test_a_removed_file_leaves_the_former_credential(source: Source, key_file: WriteKey) -> None:
    key_file().unlink()
    assert not source.replaced()
    assert source.found.account == EMAIL


def test_a_bad_file_at_the_start_is_an_error(key_file: WriteKey) -> None:
    path = key_file()
    path.write_text("")
    with pytest.raises(CredentialFileError):
        source_of(BrokerSettings(google_application_credentials=path))
