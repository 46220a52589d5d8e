"""Which processes a run starts, with which environment."""

from dataclasses import replace
from pathlib import Path

import pytest
from livegate_cli.plan import Files, Ports, Program, programs, shell
from livegate_cli.settings import RunSettings

PORTS = Ports(1, 2, 3, 4, 5, 6, 7, (8, 9))
FILES = Files(
    Path("/run/secret"), Path("/run/seal-keys"), Path("/run/account.json"), Path("/run/api-key")
)
TLS = replace(FILES, tls_cert=Path("/run/cert"), tls_key=Path("/run/key"))


def plan(files: Files = FILES, **environ: str) -> dict[str, Program]:
    settings = RunSettings.load({"CREDENTIALS_DIR": "/nowhere", **environ})
    return {program.name: program for program in programs(settings, environ, PORTS, files)}


@pytest.mark.parametrize(
    ("upstream", "names"),
    [
        ("", ["simulator", "token-broker", "worker-1", "worker-2", "edge"]),
        ("simulator", ["simulator", "token-broker", "worker-1", "worker-2", "edge"]),
        ("vertex", ["token-broker", "worker-1", "worker-2", "edge"]),
        ("developer", ["token-broker", "worker-1", "worker-2", "edge"]),
        ("ws://somewhere:1", ["worker-1", "worker-2", "edge"]),
    ],
)
def test_which_programs(upstream: str, names: list[str]) -> None:
    planned = plan(LIVE_UPSTREAM=upstream)
    assert list(planned) == names
    expected = upstream or "simulator"
    assert {program.env["LIVE_UPSTREAM"] for program in planned.values()} == {expected}


def test_ports_and_addresses_fit_together() -> None:
    planned = plan(PORT="8123")
    assert planned["edge"].env["PORT"] == "8123"
    assert planned["edge"].env["ADMIN_PORT"] == "7"
    assert planned["worker-1"].env["ADMIN_PORT"] == "8"
    assert planned["worker-2"].env["ADMIN_PORT"] == "9"
    worker = planned["worker-1"].env
    assert worker["TOOLS_DIR"] == "tools"
    assert "TOOLS_DIR" not in planned["edge"].env
    assert worker["BROKER_URL"] == f"http://127.0.0.1:{planned['token-broker'].env['PORT']}"
    assert worker["SIMULATOR_URL"] == f"ws://127.0.0.1:{planned['simulator'].env['PORT']}"
    listening = [planned[name].env for name in ("edge", "token-broker", "simulator")]
    everything = [env["PORT"] for env in listening]
    everything += [program.env["ADMIN_PORT"] for program in planned.values()]
    assert len(set(everything)) == len(everything)


def test_the_pages_address_is_not_the_simulators() -> None:
    planned = plan(PUBLIC_URL="https://talk.example.com")
    assert planned["edge"].env["PUBLIC_URL"] == "https://talk.example.com"
    assert planned["simulator"].env["PUBLIC_URL"] == ""


def test_all_share_one_redis_and_one_secret() -> None:
    planned = plan().values()
    assert {program.env["REDIS_URL"] for program in planned} == {"redis://127.0.0.1:1/0"}
    assert {program.env["BROKER_SECRET_FILE"] for program in planned} == {"/run/secret"}


def test_what_must_last_is_in_a_redis_of_the_runs_own() -> None:
    assert {program.env["LEDGER_URL"] for program in plan().values()} == {"redis://127.0.0.1:2/0"}
    with_ledger = plan(LEDGER_URL="redis://mine/1").values()
    assert {program.env["LEDGER_URL"] for program in with_ledger} == {"redis://mine/1"}


def test_a_redis_of_the_operators() -> None:
    planned = plan(REDIS_URL="rediss://:pw@host:6380/2").values()
    assert not any("LEDGER_URL" in program.env for program in planned)
    assert {program.env["REDIS_URL"] for program in planned} == {"rediss://:pw@host:6380/2"}


def test_the_simulators_account_is_the_brokers_alone_and_is_waited_for() -> None:
    """Also when the operator has one: it is not used, and it is not written over."""
    planned = plan(LIVE_UPSTREAM="simulator", GOOGLE_APPLICATION_CREDENTIALS="/my/key.json")
    broker = planned["token-broker"]
    assert broker.env["GOOGLE_APPLICATION_CREDENTIALS"] == "/run/account.json"
    assert float(broker.env["CREDENTIALS_WAIT_S"]) > 0
    assert planned["simulator"].env["SERVICE_ACCOUNT_FILE"] == "/run/account.json"
    assert "SERVICE_ACCOUNT_FILE" not in planned["edge"].env


def test_with_vertex_the_operators_account_is_used_and_nothing_waited_for() -> None:
    broker = plan(LIVE_UPSTREAM="vertex", GOOGLE_APPLICATION_CREDENTIALS="/my/key.json")[
        "token-broker"
    ]
    assert broker.env["GOOGLE_APPLICATION_CREDENTIALS"] == "/my/key.json"
    assert "CREDENTIALS_WAIT_S" not in broker.env


def test_the_simulators_api_key_is_for_the_developer_dialect() -> None:
    planned = plan(LIVE_UPSTREAM="simulator", LIVE_DIALECT="developer")
    broker = planned["token-broker"].env
    assert broker["GEMINI_API_KEY_FILE"] == planned["simulator"].env["API_KEY_FILE"]
    assert broker["GEMINI_API_URL"] == f"http://127.0.0.1:{PORTS.simulator_admin}"
    assert "GOOGLE_APPLICATION_CREDENTIALS" not in broker
    assert planned["worker-1"].env["LIVE_DIALECT"] == "developer"
    assert "GEMINI_API_KEY_FILE" not in planned["worker-1"].env


def test_the_operators_api_key_is_the_brokers() -> None:
    planned = plan(LIVE_UPSTREAM="developer", GEMINI_API_KEY_FILE="/my/api-key")
    assert planned["token-broker"].env["GEMINI_API_KEY_FILE"] == "/my/api-key"
    assert planned["token-broker"].env["LIVE_UPSTREAM"] == "developer"
    assert "GEMINI_API_URL" not in planned["token-broker"].env


def test_other_settings_pass_on() -> None:
    planned = plan(SLOTS="3", LOG_LEVEL="debug", MODELS="a,b")
    assert all(program.env["SLOTS"] == "3" for program in planned.values())
    assert planned["edge"].env["MODELS"] == "a,b"
    assert planned["edge"].env["LOG_FORMAT"] == "console"
    assert plan(LOG_FORMAT="json")["edge"].env["LOG_FORMAT"] == "json"


@pytest.mark.parametrize("value", ["0.0.0.0", "x86_64-conda-linux-gnu"])  # noqa: S104
def test_everything_listens_on_loopback_whatever_the_environment_says(value: str) -> None:
    for program in plan(HOST=value, ADMIN_HOST=value).values():
        assert program.env["HOST"] == program.env["ADMIN_HOST"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "127.0.0.1,localhost"),
        ({"NO_PROXY": "corp.example"}, "corp.example,127.0.0.1,localhost"),
        ({"no_proxy": "a", "NO_PROXY": "b"}, "a,127.0.0.1,localhost"),
    ],
)
def test_our_own_services_are_reached_without_a_proxy(
    environ: dict[str, str], expected: str
) -> None:
    for program in plan(FILES, http_proxy="http://proxy:1", **environ).values():
        assert program.env["no_proxy"] == program.env["NO_PROXY"] == expected
        assert program.env["http_proxy"] == "http://proxy:1", "for what is outside"


def test_tls_is_the_edges() -> None:
    planned = plan(TLS, TLS="1", TLS_PORT="9443")
    assert planned["edge"].env["TLS_PORT"] == "9443"
    assert planned["edge"].env["TLS_CERT_FILE"] == "/run/cert"
    assert planned["edge"].env["TLS_KEY_FILE"] == "/run/key"
    assert "TLS_KEY_FILE" not in planned["worker-1"].env
    assert "TLS_KEY_FILE" not in plan()["edge"].env


def test_the_shell_command_quotes_and_leaves_no_shell() -> None:
    assert shell(Program("p", ("true", "a;b"), {})) == "exec true 'a;b'"
