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
| `user:{user}:opens` | string | a minute | when all connections that the user opened are paid for |
| `user:{user}:sessions` | sorted set | 15 s, renewed | its sessions by expiry; edges renew them |
| `quota:{place}:sessions` | sorted set | 15 s, renewed | sessions at the Live API by expiry |
| `quota:{place}:cap` | hash | as it recovers | the working cap after a refusal, and since when |
| `quota:{place}:waiting` | sorted set | seconds | sessions that wait, by their first asking |
| `events` | channel | - | JSON: state changes, for `livegate sessions tail` |

And of the ledger, which lasts:

| key | type | TTL | why |
|---|---|---|---|
| `ledger:api-keys` | hash | none | JSON by SHA-256 of each API key that was issued |
| `ledger:api-keys:version` | string | none | another one after each change of these |
| `ledger:signed-out` | sorted set | none | sign-ins that were ended, by Redis time; pruned there |
| `usage:{user}:{day}` | hash | 400 days | tokens by model, direction and modality |
| `usage-writer:{id}` | string | 2 days | a worker's last counted batch: none counts twice |
"""

PROCESS_TTL_MS = 10_000
"""Twenty missed heartbeats; longer than any freeze that a process should survive unseen."""

REPORT_TTL_MS = 3_000
"""`/api/status` rests on reports younger than this."""

SESSION_TTL_MS = 10_000
"""Five missed registrations of its owner."""

USAGE_TTL_S = 400 * 24 * 3600
"""A year's bill, and time to look at it."""

WRITER_TTL_S = 2 * 24 * 3600
"""A batch is repeated within seconds; an emptied ledger's is written again at once."""

DISPATCH_NEW = b"dispatch:new"
DISPATCH_TAKEOVER = b"dispatch:takeover"
WORKERS = b"workers"
SESSIONS = b"session:*"
"""The pattern of all `session()`."""
EVENTS = b"events"

API_KEYS = b"ledger:api-keys"
API_KEYS_VERSION = b"ledger:api-keys:version"
SIGNED_OUT = b"ledger:signed-out"
USAGES = b"usage:*"
"""The pattern of all `usage()`."""


def worker_mailbox(process_id: str) -> bytes:
    """The mailbox of a session worker."""
    return f"worker:{process_id}:in".encode()


def edge_mailbox(process_id: str) -> bytes:
    """The mailbox of an edge."""
    return f"edge:{process_id}:out".encode()


def heartbeat(mailbox: bytes) -> bytes:
    """The heartbeat of the process that reads this mailbox."""
    return b"hb:" + mailbox.split(b":")[1]


def process_id(mailbox: bytes) -> str:
    """The id of the process that reads this mailbox."""
    return mailbox.decode().split(":")[1]


def report(process_id: str) -> bytes:
    """A worker's report."""
    return f"worker:{process_id}:report".encode()


def session(session_id: bytes) -> bytes:
    """Who owns this session."""
    return b"session:%b" % session_id.hex().encode()


def user_opens(user: str) -> bytes:
    """The rate of a user's connections."""
    return b"user:%b:opens" % user.encode()


def user_sessions(user: str) -> bytes:
    """A user's sessions."""
    return b"user:%b:sessions" % user.encode()


def quota_sessions(place: str) -> bytes:
    """Who has a place at a project, location and model."""
    return b"quota:%b:sessions" % place.encode()


def quota_cap(place: str) -> bytes:
    """How many sessions the Live API takes there for now."""
    return b"quota:%b:cap" % place.encode()


def quota_waiting(queue: str) -> bytes:
    """Who waits for a place of a project and model, in any location."""
    return b"quota:%b:waiting" % queue.encode()


def usage(user: str, day: str) -> bytes:
    """What a user used on a day (ISO, UTC)."""
    return b"usage:%b:%b" % (user.encode(), day.encode())


def usage_writer(process_id: str) -> bytes:
    """Which of a worker's batches is counted."""
    return f"usage-writer:{process_id}".encode()
