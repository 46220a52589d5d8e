"""Whether a request was meant for this gateway: what it says in Host and Origin. Pure.

A page of another origin may open a WebSocket to any address, with the cookies of that address, and
a name that an attacker owns may lead to 127.0.0.1. What neither can change is Origin and Host.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

_NAME = r"\[[0-9a-f:.]+\]|[a-z0-9._-]+"
_host = re.compile(rf"({_NAME})(?::([0-9]{{1,5}}))?", re.IGNORECASE)
_origin = re.compile(rf"(https?)://({_NAME})(?::([0-9]{{1,5}}))?", re.IGNORECASE)
_PORTS = {"http": 80, "https": 443}

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Origin(NamedTuple):
    """Of a page."""

    scheme: str
    name: str
    port: int


def parse_origin(text: str) -> Origin | None:
    """An http or https origin; None for anything else, "null" among it."""
    match = _origin.fullmatch(text)
    if match is None:
        return None
    scheme, name, port = match.groups()
    scheme = scheme.lower()
    return Origin(scheme, name.lower(), int(port or _PORTS[scheme]))


def host_name(text: str) -> str | None:
    """The name in a Host header."""
    match = _host.fullmatch(text)
    return match[1].lower() if match else None


def is_host_of(host: str, origin: Origin) -> bool:
    """Whether a Host header is of the origin; without a port it is of the origin's scheme."""
    match = _host.fullmatch(host)
    if match is None:
        return False
    return (match[1].lower(), int(match[2] or _PORTS[origin.scheme])) == origin[1:]


class Origins:
    """Which hosts and origins are taken.

    `hosts`: the only names in Host, any if None; `allowed`: origins beside those that are at the
    host itself.
    """

    def __init__(self, *, hosts: Iterable[str] | None, allowed: Iterable[str]) -> None:
        self._hosts = None if hosts is None else frozenset(name.lower() for name in hosts)
        self._allowed = frozenset(origin.lower().rstrip("/") for origin in allowed)

    def host_problem(self, hosts: list[str]) -> str | None:
        """What is wrong with the Host headers, in words."""
        name = host_name(hosts[0]) if len(hosts) == 1 else None
        if name is None:
            return "one Host header is needed"
        if self._hosts is not None and name not in self._hosts:
            return "this name in Host is not the gateway's; ALLOWED_HOSTS adds names"
        return None

    def origin_problem(self, origins: list[str], hosts: Iterable[str]) -> str | None:
        """What is wrong with the Origin headers, in words; none at all: it is no browser.

        `hosts` are what the gateway was addressed by.
        """
        if not origins:
            return None
        if len(origins) == 1:
            if origins[0].lower() in self._allowed:
                return None
            origin = parse_origin(origins[0])
            if origin and any(is_host_of(host, origin) for host in hosts):
                return None
        return (
            "a page of another origin may not connect; ALLOWED_ORIGINS adds origins, "
            "TRUSTED_PROXIES proxies that change Host"
        )
