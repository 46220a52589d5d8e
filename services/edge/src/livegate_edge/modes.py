"""What the ways to say who one is have in common. Pure."""

from typing import Protocol

from starlette.requests import HTTPConnection

from livegate_edge.users import ANONYMOUS, User


class Unavailable(Exception):  # noqa: N818, a state
    """Who it is can't be found out now; the text says what is missing."""


class Mode(Protocol):
    """One of AUTH_MODES."""

    async def user(self, connection: HTTPConnection) -> User | str:
        """Who connects; or in words what is missing, or wrong with what was shown.

        Raises:
            Unavailable: something that is needed to tell does not answer.
        """


class Nobody:
    """Mode `none`: everybody may talk."""

    async def user(self, connection: HTTPConnection) -> User | str:
        """See `Mode`."""
        del connection
        return ANONYMOUS
