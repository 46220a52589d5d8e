"""The table says what is not as it must be."""

from tests.attack.table import Found, Harm, Row, as_json, render


def test_a_row_that_holds() -> None:
    row = Row("keys", "401", Found(1200, "1200 x 401"), Harm(3, 0.0123))
    assert row.missed == []
    line = " ".join(render([row]).splitlines()[2].split())
    assert line == "keys 1,200 401 1200 x 401 3 answers, slowest 12 ms"


def test_what_was_let_in_and_who_was_harmed() -> None:
    row = Row("keys", "401", Found(1, "1 x 101", ["let in"]), Harm(0, 0, ["closed"]))
    assert row.missed == ["let in", "closed"]
    said = render([row])
    assert "MISSED: 1 x 101" in said
    assert "HARMED: closed" in said
    assert said.splitlines()[-2:] == ["MISSED keys: let in", "MISSED keys: closed"]


def test_everything_is_in_the_report() -> None:
    [row] = as_json([Row("a", "b", Found(1, "c"), Harm(2))], 7)["rows"]
    assert (row["found"]["tries"], row["harm"]["answers"]) == (1, 2)
