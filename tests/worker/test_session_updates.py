"""What the Live API tells the gateway rather than the client."""

import msgspec
import pytest
from livegate_worker.session_updates import Told, read


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (
            {
                "sessionResumptionUpdate": {
                    "newHandle": "h",
                    "resumable": True,
                    "lastConsumedClientMessageIndex": "12",
                }
            },
            Told("h", 12, None, None),
        ),
        (
            {
                "sessionResumptionUpdate": {
                    "newHandle": "h",
                    "resumable": True,
                    "lastConsumedClientMessageIndex": 12,
                }
            },
            Told("h", 12, None, None),
        ),
        (
            {"sessionResumptionUpdate": {"newHandle": "h", "resumable": True}},
            Told("h", None, None, None),
        ),
        ({"sessionResumptionUpdate": {"newHandle": "h"}}, Told(None, None, None, None)),
        (
            {"sessionResumptionUpdate": {"newHandle": "", "resumable": True}},
            Told(None, None, None, None),
        ),
        ({"sessionResumptionUpdate": {}}, Told(None, None, None, None)),
        ({"goAway": {"timeLeft": "50s"}}, Told(None, None, 50.0, None)),
        ({"goAway": {"timeLeft": "1.5s"}}, Told(None, None, 1.5, None)),
        ({"goAway": {}}, Told(None, None, 0.0, None)),
        ({"goAway": {"timeLeft": "soon"}}, Told(None, None, 0.0, None)),
        (
            {"goAway": {"timeLeft": "5s"}, "usageMetadata": {"a": 1}},
            Told(None, None, 5.0, b'{"usageMetadata":{"a":1}}'),
        ),
    ],
)
def test_read(message: object, told: Told) -> None:
    assert read(msgspec.json.encode(message)) == told


@pytest.mark.parametrize(
    "message",
    [b'{"goAway":7}', b'{"sessionResumptionUpdate":{"resumable":"yes"}}', b"[]", b"nonsense"],
)
def test_what_is_not_as_documented_is_left_alone(message: bytes) -> None:
    assert read(message) == Told(None, None, None, message)


def test_an_index_that_is_no_number_is_none() -> None:
    update = {"newHandle": "h", "resumable": True, "lastConsumedClientMessageIndex": "x"}
    told = read(msgspec.json.encode({"sessionResumptionUpdate": update}))
    assert (told.handle, told.index) == ("h", None)


@pytest.mark.parametrize("more", [b'"\xff":1', b'"x":' + b"[" * 5000 + b"]" * 5000])
def test_what_cannot_be_read_passes_as_it_is(more: bytes) -> None:
    payload = b'{"goAway":{"timeLeft":"9s"},' + more + b"}"
    assert read(payload).rest == payload
