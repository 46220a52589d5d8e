"""Rules are made quicker, and otherwise left as they are."""

from tests.monitoring.prometheus import quicker, shorter


def test_a_duration_is_divided_down_to_a_floor() -> None:
    assert shorter("1h", 60, 5) == "60s"
    assert shorter("1d", 60, 5) == "1440s"
    assert shorter("1m", 60, 5) == "5s"


def test_only_durations_change() -> None:
    rule = {"alert": "A", "expr": "rate(a[10m]) > 5 and b[1h:1m] < 2", "for": "2m"}
    [group] = quicker([{"name": "g", "interval": "15s", "rules": [rule]}], 60)
    expr = "rate(a[10s]) > 5 and b[1h:1m] < 2"
    assert group == {"name": "g", "interval": "1s", "rules": [{**rule, "expr": expr, "for": "2s"}]}
    [same] = quicker([{"name": "g", "interval": "15s", "rules": [rule]}], 1)
    assert same["rules"][0]["expr"] == rule["expr"]
