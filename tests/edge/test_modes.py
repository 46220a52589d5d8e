"""Modes: the one that asks nothing. The others have test modules of their own."""

from livegate_edge.modes import Nobody
from livegate_edge.users import ANONYMOUS
from starlette.requests import HTTPConnection


async def test_without_sign_in_everybody_is_the_same() -> None:
    headers = [(b"x-goog-api-key", b"anything"), (b"cookie", b"livegate=anything")]
    connection = HTTPConnection({"type": "http", "headers": headers})
    assert await Nobody().user(connection) is ANONYMOUS
