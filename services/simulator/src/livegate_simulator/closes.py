"""How the Live API has been seen to end connections: every row of the table, by name.

A reset (1006) has no close frame and is no row: it is the fault `reset`.
"""

from livegate_simulator.errors import RefusalError

TABLE: dict[str, tuple[int, str]] = {
    "cancelled": (1000, "The operation was cancelled."),
    "invalid-argument": (1007, "Request contains an invalid argument."),
    "bad-key": (1007, "API key not valid. Please pass a valid API key."),
    "modality": (1007, "Cannot extract voices from a non-audio request."),
    "bad-handle": (1007, "Invalid session resumption handle."),
    "sample-rate": (1007, "Sample rate changed from previously 16000 to 24000."),
    "model-not-found": (
        1008,
        "The model is not found for this API version, or is not supported for bidiGenerateContent.",
    ),
    "session-not-found": (1008, "BidiGenerateContent session not found"),
    "not-implemented": (1008, "Operation is not implemented, or supported, or enabled."),
    "aborted": (1008, "The operation was aborted."),
    "too-big": (1009, "The message is too big."),
    "internal": (1011, "Internal error encountered."),
    "deadline": (1011, "Deadline expired before operation could complete."),
    "unavailable": (1011, "The service is currently unavailable."),
    "quota": (1011, "RESOURCE_EXHAUSTED: quota exceeded for concurrent sessions."),
}


def refusal(name: str) -> RefusalError:
    """The row called `name`, to be raised."""
    code, reason = TABLE[name]
    return RefusalError(reason, code)
