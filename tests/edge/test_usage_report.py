"""What a user is told of usage and cost."""

import datetime as dt

from livegate import prices
from livegate.usage import Entry
from livegate_edge import usage_report

TODAY = dt.date(2026, 3, 1)
HEARD = Entry("gemini-3.8-live", "input", "AUDIO")
SAID = Entry("gemini-3.8-live", "output", "AUDIO")
STRANGE = Entry("gemini-9-live", "output", "AUDIO")


def test_thirty_days_today_first() -> None:
    days = usage_report.days(TODAY)
    assert days[:2] == ["2026-03-01", "2026-02-28"]
    assert days[-1] == "2026-01-31"
    assert len(days) == 30


def test_today_and_thirty_days_by_model_and_modality() -> None:
    table = prices.load()
    usages = [{HEARD: 1000, SAID: 200}, {HEARD: 1}, *({} for _ in range(28))]
    told = usage_report.report("anna", "2026-03-01", usages, table)
    cost = table.cost(usages[0])
    assert told["user"] == "anna"
    assert told["today"] == {
        "date": "2026-03-01",
        "tokens": 1200,
        "cost": cost,
        "models": [
            {
                "model": "gemini-3.8-live",
                "cost": cost,
                "input": {"AUDIO": 1000},
                "output": {"AUDIO": 200},
            }
        ],
    }
    assert told["last_30_days"]["tokens"] == 1201
    assert told["last_30_days"]["models"][0]["input"] == {"AUDIO": 1001}
    assert told["prices"]["currency"] == "USD"
    assert told["prices"]["placeholder"] is True


def test_an_unknown_model_has_tokens_and_no_cost() -> None:
    told = usage_report.report("a", "d", [{SAID: 10, STRANGE: 5}], prices.load())["today"]
    assert told["tokens"] == 15
    assert told["cost"] is None
    assert [(part["model"], part["cost"] is None) for part in told["models"]] == [
        ("gemini-3.8-live", False),
        ("gemini-9-live", True),
    ]


def test_nothing_costs_nothing() -> None:
    told = usage_report.report("a", "d", [{}], prices.load())
    assert told["today"] == {"date": "d", "tokens": 0, "cost": 0.0, "models": []}
