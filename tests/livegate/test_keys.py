"""Keys: names as the table says, and all of them in it."""

from livegate import keys


def test_mailboxes_and_heartbeats() -> None:
    assert keys.worker_mailbox("ab12") == b"worker:ab12:in"
    assert keys.edge_mailbox("ab12") == b"edge:ab12:out"
    assert keys.heartbeat(b"worker:ab12:in") == b"hb:ab12"
    assert keys.heartbeat(b"edge:ab12:out") == b"hb:ab12"
    assert keys.report("ab12") == b"worker:ab12:report"


def test_every_key_is_in_the_table() -> None:
    made = [
        keys.worker_mailbox("{id}"),
        keys.edge_mailbox("{id}"),
        keys.heartbeat(b"edge:{id}:out"),
        keys.report("{id}"),
        *(value for value in vars(keys).values() if isinstance(value, bytes)),
    ]
    assert len(made) == 7
    for key in made:
        assert f"| `{key.decode()}` |" in str(keys.__doc__)


def test_a_process_outlives_the_freeze_it_should_survive() -> None:
    assert keys.PROCESS_TTL_MS == 10_000
    assert keys.REPORT_TTL_MS == 3_000
