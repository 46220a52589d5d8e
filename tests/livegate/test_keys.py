"""Keys: names as the table says, and all of them in it."""

import fnmatch

from livegate import keys
from livegate.ownership import REGISTER_S


def test_mailboxes_and_heartbeats() -> None:
    assert keys.worker_mailbox("ab12") == b"worker:ab12:in"
    assert keys.edge_mailbox("ab12") == b"edge:ab12:out"
    assert keys.heartbeat(b"worker:ab12:in") == b"hb:ab12"
    assert keys.heartbeat(b"edge:ab12:out") == b"hb:ab12"
    assert keys.report("ab12") == b"worker:ab12:report"
    assert keys.session(bytes(range(16))) == b"session:000102030405060708090a0b0c0d0e0f"


def test_a_mailbox_tells_its_process() -> None:
    assert keys.process_id(keys.worker_mailbox("ab12")) == "ab12"
    assert keys.process_id(keys.edge_mailbox("ab12")) == "ab12"


def test_every_key_is_in_the_table() -> None:
    made = [
        keys.worker_mailbox("{id}"),
        keys.edge_mailbox("{id}"),
        keys.heartbeat(b"edge:{id}:out"),
        keys.report("{id}"),
        keys.session(b"\x01").replace(b"01", b"{id}"),
        keys.user_opens("{user}"),
        keys.user_sessions("{user}"),
        keys.quota_sessions("{place}"),
        keys.quota_cap("{place}"),
        keys.quota_waiting("{place}"),
        keys.usage("{user}", "{day}"),
        keys.usage_writer("{id}"),
        *(value for value in vars(keys).values() if isinstance(value, bytes)),
    ]
    patterns = {keys.SESSIONS: made[4], keys.USAGES: made[10]}
    for pattern, key in patterns.items():
        assert fnmatch.fnmatchcase(key.decode(), pattern.decode())
        made.remove(pattern)
    assert len(made) == 19
    for key in made:
        assert f"| `{key.decode()}` |" in str(keys.__doc__)


def test_a_process_outlives_the_freeze_it_should_survive() -> None:
    assert keys.PROCESS_TTL_MS == 10_000
    assert keys.REPORT_TTL_MS == 3_000


def test_an_owner_may_miss_several_registrations() -> None:
    assert keys.SESSION_TTL_MS >= 5 * REGISTER_S * 1000
