"""Every metric of every service, declared once: `livegate_<service>_<what>_<unit|total>`.

Labels hold only values from closed sets (kinds, codes, outcomes); never a session, user or token.
Where every message passes, a `tally.Tally` counts; `settle` takes those over at a scrape. What a
process only knows by looking, it sets in a function that is given to `at_scrape`.
"""

import contextlib
import resource
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import Metric

from livegate import tally
from livegate.closes import Close
from livegate.tally import Tally

_STATM = Path("/proc/self/statm")

SERVICES = ("edge", "worker", "broker", "simulator")
"""The second word of a name that only this service's processes expose."""

LATENCIES_S = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10)
"""Around the objectives: a session opens, and a turn is answered, within 2 s."""

HOPS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 3)
"""Around the few ms that a hop or the gateway's own share takes."""

# Process (each one)
PROCESS_LOOP_LAG = Histogram(
    "livegate_process_loop_lag_seconds",
    "How late the event loop runs what is due, four times a second",
    buckets=HOPS_S,
)
PROCESS_SESSION_MEMORY = Gauge(
    "livegate_process_session_memory_bytes",
    "What the process has grown by since its start, for each session that is here",
)

# Bus (in each process that has a mailbox)
BUS_WRITES = Counter("livegate_bus_writes_total", "Writes to Redis, one a tick")
BUS_ENTRIES = Counter("livegate_bus_entries_total", "Stream entries written")
BUS_FRAMES = Counter("livegate_bus_frames_total", "Frames by direction", ["direction"])
BUS_RECONNECTS = Counter("livegate_bus_reconnects_total", "Lost Redis connections", ["connection"])
BUS_RESENT = Counter("livegate_bus_frames_resent_total", "Frames sent again after an interruption")
BUS_WRITTEN = Counter("livegate_bus_written_bytes_total", "Payload written to Redis")
BUS_ROUND_TRIP = Histogram(
    "livegate_bus_round_trip_seconds",
    "A heartbeat's way to Redis and back, twice a second",
    buckets=HOPS_S,
)
BUS_KEPT = Gauge(
    "livegate_bus_kept_bytes", "What this process keeps until the other end has released it"
)
BUS_DROPPED = Counter(
    "livegate_bus_dropped_messages_total", "Messages dropped by policy", ["policy"]
)

# HTTP (in each process that serves it)
HTTP_CUT = Counter("livegate_http_cut_total", "Connections cut before an answer", ["outcome"])

# Edge
EDGE_CONNECTIONS = Gauge("livegate_edge_connections", "Open client WebSockets")
EDGE_SESSIONS = Counter("livegate_edge_sessions_total", "Sessions begun")
EDGE_CLOSES = Counter(
    "livegate_edge_closes_total",
    "Closed connections by close name and whose doing it was",
    ["close", "cause"],
)
EDGE_LIVE_SESSIONS = Gauge(
    "livegate_edge_live_sessions", "Sessions here by state; `away`: without their client", ["state"]
)
EDGE_OPENS = Counter(
    "livegate_edge_opens_total",
    "Connections by what became of their setup: `opened`, or the close that came first",
    ["outcome"],
)
EDGE_OPEN = Histogram(
    "livegate_edge_open_seconds",
    "From a new session's setup to its setupComplete",
    buckets=LATENCIES_S,
)
EDGE_TURN = Histogram(
    "livegate_edge_turn_seconds",
    "From the end of what a client said, where it tells that, to the model's first content;"
    " a turn still unanswered after 30 s counts as 30",
    buckets=LATENCIES_S,
)
EDGE_MODEL = Histogram(
    "livegate_edge_model_seconds",
    "The Live API's share of a turn: from the worker to the worker",
    buckets=LATENCIES_S,
)
EDGE_ADDED = Histogram(
    "livegate_edge_added_seconds",
    "The gateway's share of a turn: what the Live API's share leaves",
    buckets=HOPS_S,
)
EDGE_ROUND_TRIP = Histogram(
    "livegate_edge_worker_round_trip_seconds",
    "From edge to worker over Redis and back, once a turn",
    buckets=HOPS_S,
)
EDGE_MOVES = Counter(
    "livegate_edge_moves_total",
    "Sessions that changed workers: a takeover from a dead one, a hand_over by one that goes",
    ["kind", "outcome"],
)
EDGE_MOVE = Histogram(
    "livegate_edge_move_seconds",
    "From the notice that the worker is gone to the next one's claim",
    ["kind"],
    buckets=LATENCIES_S,
)
EDGE_MESSAGES = Counter("livegate_edge_messages_total", "Messages of clients", ["direction"])
EDGE_BYTES = Counter("livegate_edge_bytes_total", "Payload of these messages", ["direction"])
EDGE_FLUSHED = Counter("livegate_edge_flushed_frames_total", "Audio discarded on an interruption")
EDGE_RESUMES = Counter("livegate_edge_resumes_total", "Clients that came back", ["outcome"])
EDGE_OWNER_WAIT = Histogram(
    "livegate_edge_owner_wait_seconds",
    "From setup to a worker's claim",
    buckets=(0.01, 0.05, 0.2, 1, 5, 20),
)
EDGE_LIMITED = Counter("livegate_edge_limited_total", "Clients refused or closed", ["limit"])
EDGE_UNLIMITED = Counter(
    "livegate_edge_unlimited_total", "Checks that passed as Redis did not answer", ["limit"]
)

# Session worker
WORKER_SESSIONS = Gauge("livegate_worker_sessions", "Sessions owned")
WORKER_OWNED_SESSIONS = Gauge(
    "livegate_worker_owned_sessions", "Sessions owned by state", ["state"]
)
WORKER_SLOTS = Gauge("livegate_worker_slots", "Slots in all")
WORKER_QUEUE_DEPTH = Gauge("livegate_worker_queue_depth", "Sessions that wait for an owner")
WORKER_QUEUE_AGE = Gauge("livegate_worker_queue_age_seconds", "Age of the oldest of them")
WORKER_UPSTREAM_CONNECTS = Counter(
    "livegate_worker_upstream_connects_total", "Upstream connects by outcome", ["outcome"]
)
WORKER_UPSTREAM_CLOSES = Counter(
    "livegate_worker_upstream_closes_total", "Upstream closes by code", ["code"]
)
WORKER_UPSTREAM_SETUP = Histogram(
    "livegate_worker_upstream_setup_seconds",
    "From the order to connect upstream to setupComplete, with tries and waits for a place",
    ["kind"],
    buckets=LATENCIES_S,
)
WORKER_GO_AWAYS = Counter("livegate_worker_go_aways_total", "The Live API's notices of an end")
WORKER_STALLS = Counter(
    "livegate_worker_stalls_total", "Connections given up as the model owed an answer too long"
)
WORKER_RESENT = Counter(
    "livegate_worker_resent_messages_total", "Messages told again on a new upstream connection"
)
WORKER_MESSAGES = Counter(
    "livegate_worker_messages_total", "Messages on upstream connections", ["direction"]
)
WORKER_BYTES = Counter("livegate_worker_bytes_total", "Payload of these messages", ["direction"])
WORKER_COST = Counter(
    "livegate_worker_cost_total", "What the tokens cost, in the price table's currency", ["model"]
)
WORKER_TOKENS = Counter(
    "livegate_worker_tokens_total", "Tokens counted", ["model", "direction", "modality"]
)
WORKER_UNPRICED = Counter(
    "livegate_worker_unpriced_tokens_total", "Tokens whose price PRICES_FILE lacks", ["model"]
)
WORKER_UNREADABLE = Counter("livegate_worker_unreadable_usage_total", "Bills that can't be read")
WORKER_LEDGER_LOST = Counter("livegate_worker_ledger_lost_tokens_total", "Tokens never counted")
WORKER_LEDGER_DEPTH = Gauge("livegate_worker_ledger_depth", "Users' days not yet in the ledger")
WORKER_QUOTA_SESSIONS = Gauge(
    "livegate_worker_quota_sessions", "Sessions at the Live API, all workers", ["location", "model"]
)
WORKER_QUOTA_SLOTS = Gauge(
    "livegate_worker_quota_slots", "How many are let in for now", ["location", "model"]
)
WORKER_ADMISSIONS = Counter(
    "livegate_worker_admissions_total", "Sessions by what the quota said", ["outcome"]
)
WORKER_TOOL_CALLS = Counter(
    "livegate_worker_tool_calls_total", "Calls of the gateway's tools by outcome", ["outcome"]
)

# Token broker
BROKER_MINTS = Counter("livegate_broker_mints_total", "Tokens minted by outcome", ["outcome"])
BROKER_REQUESTS = Counter("livegate_broker_requests_total", "Token requests by status", ["status"])
BROKER_MINT = Histogram(
    "livegate_broker_mint_seconds", "How long a mint takes, failed or not", buckets=LATENCIES_S
)
BROKER_TOKEN_AGE = Gauge("livegate_broker_token_age_seconds", "Since the cached token was minted")
BROKER_TOKEN_LIFETIME = Gauge("livegate_broker_token_lifetime_seconds", "Left of the cached token")

# Simulator
SIMULATOR_CONNECTIONS = Gauge("livegate_simulator_connections", "Open Live API connections")
SIMULATOR_CLOSES = Counter("livegate_simulator_closes_total", "Closes by code", ["code"])


_TALLIED = (
    (tally.CLIENT_UP, EDGE_MESSAGES.labels("up")),
    (tally.CLIENT_DOWN, EDGE_MESSAGES.labels("down")),
    (tally.CLIENT_UP_BYTES, EDGE_BYTES.labels("up")),
    (tally.CLIENT_DOWN_BYTES, EDGE_BYTES.labels("down")),
    (tally.UPSTREAM_UP, WORKER_MESSAGES.labels("up")),
    (tally.UPSTREAM_DOWN, WORKER_MESSAGES.labels("down")),
    (tally.UPSTREAM_UP_BYTES, WORKER_BYTES.labels("up")),
    (tally.UPSTREAM_DOWN_BYTES, WORKER_BYTES.labels("down")),
    (tally.INTERRUPTED, BUS_DROPPED.labels("interrupted")),
    (tally.TOO_OLD, BUS_DROPPED.labels("too_old")),
    (tally.UNTAKEN, BUS_DROPPED.labels("untaken")),
    (tally.RESENT_UPSTREAM, WORKER_RESENT),
    (tally.GO_AWAYS, WORKER_GO_AWAYS),
    (tally.STALLS, WORKER_STALLS),
)
_told: dict[Tally, int] = {}
_looks: list[Callable[[], None]] = []

# A series that begins with its first event hides that from `increase()`: these begin at 0.
for _kind in ("takeover", "hand_over"):
    EDGE_MOVE.labels(_kind)
    for _outcome in ("moved", "failed"):
        EDGE_MOVES.labels(_kind, _outcome)
for _outcome in ("new", "resumed", "failed"):
    WORKER_UPSTREAM_CONNECTS.labels(_outcome)
for _kind in ("new", "resumed"):
    WORKER_UPSTREAM_SETUP.labels(_kind)
for _outcome in ("admitted", "spilled", "waited", "not asked", "refused"):
    WORKER_ADMISSIONS.labels(_outcome)
for _outcome in ("recovered", "from the handle"):
    EDGE_RESUMES.labels(_outcome)
for _outcome in ("ok", "failed", "timed out", "no place", "gone", "cancelled"):
    WORKER_TOOL_CALLS.labels(_outcome)
for _outcome in ("minted", "google_refused", "google_unreachable"):
    BROKER_MINTS.labels(_outcome)
for _connection in ("reader", "writer"):
    BUS_RECONNECTS.labels(_connection)
EDGE_OPENS.labels("opened")
for _row in Close:
    EDGE_CLOSES.labels(_row.label, _row.cause)
    EDGE_OPENS.labels(_row.label)


def resident_bytes() -> int:
    """Memory of this process that is in RAM; 0 where the system has no /proc."""
    try:
        pages = int(_STATM.read_text().split()[1])
    except FileNotFoundError:
        return 0
    return pages * resource.getpagesize()


@contextlib.contextmanager
def at_scrape(look: Callable[[], None]) -> Iterator[None]:
    """In this block each scrape calls `look` first."""
    _looks.append(look)
    try:
        yield
    finally:
        _looks.remove(look)


def settle() -> None:
    """Bring everything up to date for a scrape."""
    for counted, counter in _TALLIED:
        counter.inc(counted.n - _told.get(counted, 0))
        _told[counted] = counted.n
    for look in _looks:
        look()


class Exposed(CollectorRegistry):
    """What a process of this service tells: not the metrics of others, which it only declares."""

    def __init__(self, service: str) -> None:
        super().__init__()
        has_mailbox = service in ("edge", "worker")
        others = [other for other in SERVICES if other != service]
        others += [] if has_mailbox else ["bus"]
        self._others = tuple(f"livegate_{other}_" for other in others)

    def collect(self) -> Iterable[Metric]:
        """Up to date."""
        settle()
        return (each for each in REGISTRY.collect() if not each.name.startswith(self._others))
