"""Every Redis key: name, type, time to live and why.

Of the transport:

| key | type | TTL | why |
|---|---|---|---|
| `worker:{id}:in` | stream | 10 s, renewed | a worker's mailbox; a dead one's is not reborn |
| `edge:{id}:out` | stream | 10 s, renewed | an edge's mailbox |
| `hb:{id}` | string | 10 s | the process's own count and mailbox generation |
| `dispatch:new` | sorted set | none | sessions that wait for an owner, by Redis time |
| `dispatch:takeover` | sorted set | none | the same for sessions whose owner died; served first |
| `workers` | sorted set | none | worker ids by time of their last report, pruned there |
| `worker:{id}:report` | string | 3 s | JSON: free slots, what is wrong with broker, upstream |
| `session:{id}` | hash | 10 s | epoch, owner, edge: for a client that comes back at another edge |

And of the ledger, which lasts:

| key | type | TTL | why |
|---|---|---|---|
| `ledger:api-keys` | hash | none | JSON by SHA-256 of each API key that was issued |
| `ledger:api-keys:version` | string | none | another one after each change of these |
| `ledger:signed-out` | sorted set | none | sign-ins that were ended, by Redis time; pruned there |
"""

PROCESS_TTL_MS = 10_000
"""Twenty missed heartbeats; longer than any freeze that a process should survive unseen."""

REPORT_TTL_MS = 3_000
"""`/api/status` rests on reports younger than this."""

SESSION_TTL_MS = 10_000
"""Five missed registrations of its owner."""

DISPATCH_NEW = b"dispatch:new"
DISPATCH_TAKEOVER = b"dispatch:takeover"
WORKERS = b"workers"

API_KEYS = b"ledger:api-keys"
API_KEYS_VERSION = b"ledger:api-keys:version"
SIGNED_OUT = b"ledger:signed-out"


def worker_mailbox(process_id: str) -> bytes:
    """The mailbox of a session worker."""
    return f"worker:{process_id}:in".encode()


def edge_mailbox(process_id: str) -> bytes:
    """The mailbox of an edge."""
    return f"edge:{process_id}:out".encode()


def heartbeat(mailbox: bytes) -> bytes:
    """The heartbeat of the process that reads this mailbox."""
    return b"hb:" + mailbox.split(b":")[1]


def report(process_id: str) -> bytes:
    """A worker's report."""
    return f"worker:{process_id}:report".encode()


def session(session_id: bytes) -> bytes:
    """Who owns this session."""
    return b"session:%b" % session_id.hex().encode()
