"""What a browser keeps of a sign-in, sealed: who it is, or a sign-in that has begun."""

import time
from collections.abc import Sequence

import msgspec
from starlette.requests import HTTPConnection
from starlette.responses import Response

from livegate_edge.seals import Seal, SealError
from livegate_edge.users import User


class SignedIn(msgspec.Struct, frozen=True, array_like=True, tag="signed-in"):
    """Somebody; `expires_at` in s since 1970."""

    id: str
    name: str
    expires_at: float
    sign_in: str

    @property
    def user(self) -> User:
        """Who it is."""
        return User(self.id, self.name, self.expires_at, self.sign_in)


class Begun(msgspec.Struct, frozen=True, array_like=True, tag="begun"):
    """A sign-in on its way to the issuer and back: what the answer must fit."""

    state: str
    nonce: str
    verifier: str
    expires_at: float


# A tag says which is which: no sealed text of the gateway passes for one of another kind.
_decoder = msgspec.msgpack.Decoder(SignedIn | Begun)
_NAMES: dict[type[SignedIn | Begun], str] = {SignedIn: "livegate", Begun: "livegate-begun"}


class Cookies:
    """Sets and reads them. `https`: browsers send them over https alone, to this host alone."""

    def __init__(self, keys: Sequence[bytes], *, https: bool) -> None:
        """`keys` as for `Seal`, which see for what it raises."""
        self._seal = Seal(keys)
        self._prefix = "__Host-" if https else ""

    def put(self, answer: Response, content: SignedIn | Begun) -> None:
        """Let the browser keep it until it expires."""
        answer.set_cookie(
            self._name(type(content)),
            self._seal.seal(msgspec.msgpack.encode(content)),
            max_age=round(content.expires_at - time.time()),
            # Browsers take http on loopback for secure, too.
            secure=True,
            httponly=True,
            samesite="lax",
        )

    def drop(self, answer: Response, kind: type[SignedIn | Begun]) -> None:
        """Let the browser forget it."""
        answer.delete_cookie(self._name(kind), secure=True, httponly=True, samesite="lax")

    def begun(self, connection: HTTPConnection) -> Begun | None:
        """The sign-in that this browser has begun, if any."""
        found = self._read(connection, Begun)
        return found if isinstance(found, Begun) else None

    def signed_in(self, connection: HTTPConnection) -> User | None:
        """Who this browser says it is, if that was sealed here and has not expired."""
        found = self._read(connection, SignedIn)
        return found.user if isinstance(found, SignedIn) else None

    def _name(self, kind: type[SignedIn | Begun]) -> str:
        return self._prefix + _NAMES[kind]

    def _read(
        self, connection: HTTPConnection, kind: type[SignedIn | Begun]
    ) -> SignedIn | Begun | None:
        text = connection.cookies.get(self._name(kind), "")
        try:
            found = _decoder.decode(self._seal.open(text))
        except (SealError, ValueError, msgspec.DecodeError):
            return None
        return found if time.time() < found.expires_at else None
