"""Reasons within a close frame."""

from .harness import Talk


def test_a_reason_fits_a_close_frame() -> None:
    talk = Talk().set_up()
    talk.send({"ü" * 500: 1})
    assert talk.close is not None
    assert len(talk.close.reason.encode()) <= 123
    assert talk.close.reason.startswith('Invalid JSON payload received. Unknown name "üü')
