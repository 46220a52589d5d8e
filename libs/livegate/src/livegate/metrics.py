"""Every metric of every service, declared once: `livegate_<service>_<what>_<unit|total>`.

Labels hold only values from closed sets (kinds, codes, outcomes); never a session, user or token.
"""

from prometheus_client import Counter, Gauge, Histogram

# Bus (in each process that has a mailbox)
BUS_WRITES = Counter("livegate_bus_writes_total", "Writes to Redis, one a tick")
BUS_ENTRIES = Counter("livegate_bus_entries_total", "Stream entries written")
BUS_FRAMES = Counter("livegate_bus_frames_total", "Frames by direction", ["direction"])
BUS_RECONNECTS = Counter("livegate_bus_reconnects_total", "Lost Redis connections", ["connection"])
BUS_RESENT = Counter("livegate_bus_frames_resent_total", "Frames sent again after an interruption")

# HTTP (in each process that serves it)
HTTP_CUT = Counter("livegate_http_cut_total", "Connections cut before an answer", ["outcome"])

# Edge
EDGE_CONNECTIONS = Gauge("livegate_edge_connections", "Open client WebSockets")
EDGE_SESSIONS = Counter("livegate_edge_sessions_total", "Sessions begun")
EDGE_CLOSES = Counter("livegate_edge_closes_total", "Closed connections by close name", ["close"])
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
WORKER_SLOTS = Gauge("livegate_worker_slots", "Slots in all")
WORKER_QUEUE_DEPTH = Gauge("livegate_worker_queue_depth", "Sessions that wait for an owner")
WORKER_QUEUE_AGE = Gauge("livegate_worker_queue_age_seconds", "Age of the oldest of them")
WORKER_UPSTREAM_CONNECTS = Counter(
    "livegate_worker_upstream_connects_total", "Upstream connects by outcome", ["outcome"]
)
WORKER_UPSTREAM_CLOSES = Counter(
    "livegate_worker_upstream_closes_total", "Upstream closes by code", ["code"]
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
BROKER_TOKEN_LIFETIME = Gauge("livegate_broker_token_lifetime_seconds", "Left of the cached token")

# Simulator
SIMULATOR_CONNECTIONS = Gauge("livegate_simulator_connections", "Open Live API connections")
SIMULATOR_CLOSES = Counter("livegate_simulator_closes_total", "Closes by code", ["code"])
