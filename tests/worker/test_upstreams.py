"""Where upstream connections go: settings and credential decide, never a client."""

import json
from typing import Any

import msgspec
import pytest
from livegate_worker import upstreams
from livegate_worker.settings import WorkerSettings
from livegate_worker.upstreams import (
    DEVELOPER_PATH,
    EPHEMERAL_PATH,
    VERTEX_PATH,
    MisconfiguredError,
    Target,
)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in WorkerSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def settings(**values: Any) -> WorkerSettings:
    return WorkerSettings.model_validate(values)


def models_of(project: str, location: str = "us-central1") -> str:
    return f"projects/{project}/locations/{location}/publishers/google/models/"


TARGETS = [
    (
        {"live_upstream": "vertex"},
        "theirs",
        Target(
            f"wss://us-central1-aiplatform.googleapis.com{VERTEX_PATH}",
            models_of("theirs"),
            transparent=True,
        ),
    ),
    (
        {"live_upstream": "vertex", "google_cloud_project": "ours"},
        "theirs",
        Target(
            f"wss://us-central1-aiplatform.googleapis.com{VERTEX_PATH}",
            models_of("ours"),
            transparent=True,
        ),
    ),
    (
        {"live_upstream": "vertex", "google_cloud_location": "eu"},
        "p",
        Target(
            f"wss://aiplatform.eu.rep.googleapis.com{VERTEX_PATH}",
            models_of("p", "eu"),
            transparent=True,
        ),
    ),
    (
        {"live_upstream": "developer", "google_cloud_project": "ours"},
        None,
        Target(f"wss://generativelanguage.googleapis.com{EPHEMERAL_PATH}", "models/"),
    ),
    (
        {"live_upstream": "simulator"},
        "livegate-simulator",
        Target(
            f"ws://127.0.0.1:8081{VERTEX_PATH}", models_of("livegate-simulator"), transparent=True
        ),
    ),
    (
        {"live_upstream": "simulator", "simulator_url": "ws://sim:1/"},
        "s",
        Target(f"ws://sim:1{VERTEX_PATH}", models_of("s"), transparent=True),
    ),
    (
        {"live_upstream": "wss://else.example/base/"},
        None,
        Target(f"wss://else.example/base{VERTEX_PATH}", models_of("livegate"), transparent=True),
    ),
    (
        {"live_upstream": "ws://else.example", "live_dialect": "developer"},
        None,
        Target(f"ws://else.example{DEVELOPER_PATH}", "models/"),
    ),
    (
        {"live_upstream": "simulator", "live_dialect": "developer"},
        None,
        Target(f"ws://127.0.0.1:8081{EPHEMERAL_PATH}", "models/"),
    ),
    (  # the dialect is for the simulator and others' servers
        {"live_upstream": "vertex", "live_dialect": "developer"},
        "p",
        Target(
            f"wss://us-central1-aiplatform.googleapis.com{VERTEX_PATH}",
            models_of("p"),
            transparent=True,
        ),
    ),
]


@pytest.mark.parametrize(("values", "project", "target"), TARGETS)
def test_targets(values: dict[str, str], project: str | None, target: Target) -> None:
    configured = settings(**values)
    (location, *_) = upstreams.locations(configured, "gemini-3.8-live")
    assert upstreams.target(configured, project, location) == target


@pytest.mark.parametrize("upstream", ["vertex", "simulator"])
def test_no_project_names_the_setting(upstream: str) -> None:
    with pytest.raises(MisconfiguredError, match="GOOGLE_CLOUD_PROJECT"):
        upstreams.target(settings(live_upstream=upstream), None, "us-central1")


@pytest.mark.parametrize(
    ("values", "value", "problem"),
    [
        ({"live_upstream": "vertex"}, "Bearer ya29.x", None),
        ({"live_upstream": "simulator"}, "Bearer ya29.x", None),
        ({"live_upstream": "developer"}, "Token auth_tokens/x", None),
        ({"live_upstream": "simulator", "live_dialect": "developer"}, "Token auth_tokens/x", None),
        ({"live_upstream": "developer"}, "Bearer ya29.x", "set LIVE_UPSTREAM=developer"),
        ({"live_upstream": "vertex"}, "Token auth_tokens/x", "set its LIVE_UPSTREAM"),
        ({"live_upstream": "simulator"}, "Token auth_tokens/x", "set its LIVE_UPSTREAM"),
    ],
)
def test_a_token_of_the_other_platform(
    values: dict[str, str], value: str, problem: str | None
) -> None:
    told = upstreams.token_problem(settings(**values), value)
    assert (told is None) is (problem is None)
    if told is not None and problem is not None:
        assert problem in told
        assert value not in told


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("global", "aiplatform.googleapis.com"),
        ("us", "aiplatform.us.rep.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
        ("europe-west4", "europe-west4-aiplatform.googleapis.com"),
    ],
)
def test_vertex_hosts(location: str, host: str) -> None:
    assert upstreams.vertex_host(location) == host


def test_a_setup_gets_the_models_resource_name_and_is_else_untouched() -> None:
    setup = b'{"a_b":{ "x":1.0},"model":"gemini-3.8-live","tools":[{"b_c" : null}]}'
    assert compose(setup, Target("", "models/")) == (
        b'{"setup":{"a_b":{ "x":1.0},"model":"models/gemini-3.8-live","tools":[{"b_c" : null}]}}'
    )


def compose(setup: bytes, target: Target) -> bytes:
    return upstreams.compose_setup(msgspec.Raw(setup), target, resumable=False)


@pytest.mark.parametrize("transparent", [True, False])
@pytest.mark.parametrize("handle", [None, "h"])
def test_resumption_and_compression_are_asked_for(handle: str | None, transparent: bool) -> None:
    composed = json.loads(
        upstreams.compose_setup(
            msgspec.Raw(b'{"model":"m"}'),
            Target("", "p/", transparent=transparent),
            resumable=True,
            handle=handle,
        )
    )["setup"]
    wanted = {"transparent": True} if transparent else {}
    assert composed["sessionResumption"] == (wanted | {"handle": handle} if handle else wanted)
    assert composed["contextWindowCompression"] == {"slidingWindow": {}}


@pytest.mark.parametrize("name", ["contextWindowCompression", "context_window_compression"])
def test_a_clients_own_compression_stays(name: str) -> None:
    setup = msgspec.Raw(msgspec.json.encode({"model": "m", name: {"triggerTokens": 9}}))
    composed = json.loads(upstreams.compose_setup(setup, Target("", "p/"), resumable=True))["setup"]
    assert composed[name] == {"triggerTokens": 9}
    assert len(composed.keys() & {"contextWindowCompression", "context_window_compression"}) == 1


@pytest.mark.parametrize(
    ("model", "holds"),
    [
        ("gemini-live-2.5-flash-native-audio", True),
        ("gemini-3.8-live", False),
        ("else", False),
    ],
)
def test_blocking_models_take_nothing_during_a_call(model: str, holds: bool) -> None:
    setup = msgspec.Raw(msgspec.json.encode({"model": model}))
    assert upstreams.holds_during_calls(setup) is holds


@pytest.mark.parametrize("name", ["sessionResumption", "session_resumption"])
def test_a_clients_handle_is_not_passed_on(name: str) -> None:
    setup = json.dumps({"model": "m", name: {"handle": "another user's"}}).encode()
    composed = json.loads(compose(setup, Target("", "p/")))
    assert composed == {"setup": {"model": "p/m"}}


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"live_upstream": "vertex", "google_cloud_location": "mars"}, True),
        ({"live_upstream": "vertex", "google_cloud_location": "us-central1"}, False),
        ({"live_upstream": "simulator", "google_cloud_location": "mars"}, False),
        ({"live_upstream": "vertex", "locations": "eu, mars"}, True),
        ({"live_upstream": "vertex", "locations": "eu, us-central1"}, False),
    ],
)
def test_a_location_without_models_is_named(values: dict[str, str], *, named: bool) -> None:
    problem = upstreams.location_problem(settings(**values))
    assert (problem is not None) is named
    if problem:
        setting = "LOCATIONS" if "locations" in values else "GOOGLE_CLOUD_LOCATION"
        assert f"{setting}: mars has" in problem
        assert "us-central1" in problem


@pytest.mark.parametrize(
    ("values", "model", "expected"),
    [
        ({}, "gemini-3.8-live", ("us-central1",)),
        ({"locations": "us-east1,eu"}, "gemini-3.8-live", ("eu",)),
        ({"locations": "eu,us-central1"}, "gemini-3.8-live", ("eu", "us-central1")),
        ({"locations": "mars,eu"}, "unheard-of", ("mars", "eu")),
        ({"locations": "mars,venus"}, "gemini-3.8-live", ("mars",)),
        ({"live_upstream": "developer", "locations": "eu"}, "gemini-3.8-live", ("",)),
    ],
)
def test_locations_that_have_the_model_in_order(
    values: dict[str, str], model: str, expected: tuple[str, ...]
) -> None:
    assert upstreams.locations(settings(**values), model) == expected


def test_a_session_with_a_handle_has_one_place() -> None:
    configured = settings(locations="eu,us-central1", google_cloud_project="ours")
    [place] = upstreams.places(configured, "theirs", "gemini-3.8-live", "us-central1")
    assert place == ("ours", "us-central1", "gemini-3.8-live")
    both = upstreams.places(configured, "theirs", "gemini-3.8-live")
    assert [place.location for place in both] == ["eu", "us-central1"]


@pytest.mark.parametrize(
    ("url", "host"),
    [("wss://h.example/ws?key=secret", "h.example"), ("ws://127.0.0.1:8081/x", "127.0.0.1:8081")],
)
def test_a_host_for_logs(url: str, host: str) -> None:
    assert upstreams.host_of(url) == host


def test_user_and_password_in_a_url_are_not_logged() -> None:
    assert "secret" not in upstreams.host_of("wss://user:secret@h.example/ws")
