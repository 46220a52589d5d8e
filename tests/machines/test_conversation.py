"""A conversation survives whatever happens between its ends: invariants 3, 4, 5 and 6.

The edges' and workers' own shells run, on loops whose clock the test moves. `HYPOTHESIS_EXAMPLES`
sets how many conversations of each kind of client are tried.
"""

import logging
import os
from collections.abc import Iterator

import livegate_worker.owned
import pytest
import structlog
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from livegate_worker.owned import OwnedSession

from tests.machines.broken import BROKEN
from tests.machines.client import Client
from tests.machines.conversation import Conversation
from tests.machines.page import Page
from tests.machines.processes import ModelUpstream, run_marked
from tests.machines.sdk import Plain, Sdk, SimpleSdk

EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "60"))
FUZZ = settings(
    max_examples=EXAMPLES,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
FIND = settings(
    FUZZ, max_examples=300, derandomize=True, database=None, phases=[Phase.generate]
)  # a counterexample need not be the smallest


@pytest.fixture(autouse=True)
def shells(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The shells as they are, but for the upstream socket and the logs."""
    upstream = type("Upstream", (), {"open": ModelUpstream.open_})
    monkeypatch.setattr(livegate_worker.owned, "Upstream", upstream)
    monkeypatch.setattr(OwnedSession, "run", run_marked)
    config = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**config)


def converse(client: type[Client], how: settings) -> None:
    machine = type("With" + client.__name__, (Conversation,), {"client_class": client})
    run_state_machine_as_test(machine, settings=how)


@pytest.mark.timeout(0)  # a longer run, and finding the smallest counterexample
@pytest.mark.parametrize("client", [Page, Sdk, SimpleSdk, Plain], ids=lambda kind: kind.__name__)
def test_a_conversation_survives(client: type[Client]) -> None:
    converse(client, FUZZ)


@pytest.mark.parametrize(
    "name",
    [
        "takes_any_number",
        "reopens_from_received",
        "forgets_what_was_sent",
        "never_rewinds",
        "announces_no_cut",
    ],
)
def test_the_model_sees_a_broken_system(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    owner, attribute, broken = BROKEN[name]
    monkeypatch.setattr(owner, attribute, broken)
    with pytest.raises(AssertionError):
        converse(Page, FIND)
