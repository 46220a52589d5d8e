"""Settings and what is made of them."""

import pytest
from livegate_simulator.age import Limits
from livegate_simulator.conversation import Pace
from livegate_simulator.journal import Bounds
from livegate_simulator.settings import SimulatorSettings


def test_defaults() -> None:
    settings = SimulatorSettings()
    assert (settings.port, settings.admin_port) == (8081, 9081)
    assert settings.token_uri == "http://127.0.0.1:9081/token"
    assert settings.pace == Pace(4.0, realtime_turn_end=True)
    assert settings.bounds == Bounds(10_000, 120)
    assert settings.simulator_project == "livegate-simulator"
    assert not settings.allow_any_bearer
    assert settings.limits == Limits(connection_age_s=600, session_audio_s=900, session_video_s=120)
    assert settings.scenario == ""


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "PUBLIC_URL": "http://simulator:9081/",
        "SPEED": "10",
        "REALTIME_TURN_END": "0",
        "PRETTY_JSON": "1",
        "ALLOW_ANY_BEARER": "1",
    }.items():
        monkeypatch.setenv(name, value)
    settings = SimulatorSettings()
    assert settings.token_uri == "http://simulator:9081/token"
    assert settings.pace == Pace(10, realtime_turn_end=False)
    assert settings.pretty_json
    assert settings.allow_any_bearer


def test_limits_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "HANDLE_EVERY_S": "1",
        "HANDLE_LIFETIME_S": "2",
        "OLD_SOCKET_S": "3",
        "CONNECTION_AGE_S": "0",
        "GO_AWAY_S": "4",
        "SESSION_AUDIO_S": "5",
        "SESSION_VIDEO_S": "6",
        "SCENARIO": "stall@turn2",
    }.items():
        monkeypatch.setenv(name, value)
    settings = SimulatorSettings()
    assert settings.limits == Limits(1, 2, 3, 0, 4, 5, 6)
    assert settings.scenario == "stall@turn2"


def test_a_scenario_that_means_nothing_is_no_setting(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCENARIO", "stall explode")
    with pytest.raises(SystemExit):
        SimulatorSettings.load([])
    error = capsys.readouterr().err
    assert "SCENARIO" in error
    assert "explode" in error


@pytest.mark.parametrize("speed", ["0", "-1", "fast"])
def test_a_bad_value_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], speed: str
) -> None:
    monkeypatch.setenv("SPEED", speed)
    with pytest.raises(SystemExit):
        SimulatorSettings.load([])
    assert "SPEED" in capsys.readouterr().err
