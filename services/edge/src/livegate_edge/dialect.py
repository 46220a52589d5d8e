"""What a client is told of its session, in its own dialect: a `livegate.v1` client in notices, any
other as the Live API itself would say it.
"""

from collections.abc import Callable

from livegate import frame

from livegate_edge import notices
from livegate_edge.downlink import ANNOUNCED, NOTICE, Downlink
from livegate_edge.outputs import Marked, Relay, Resumed, Saved
from livegate_edge.setups import Resumption

Seal = Callable[[int, str | None], str]
"""A ticket for the session, for what is released and the Live API's handle that covers it."""


class Dialect:
    """One client's. `resumption`: what it asked for; `is_live`: it has had its setupComplete;
    `has_left`: it is told nothing more.
    """

    def __init__(self, downlink: Downlink, *, livegate_v1: bool) -> None:
        self.livegate_v1 = livegate_v1
        self.resumption: Resumption | None = None
        self.is_live = False
        self.has_left = False
        self._downlink = downlink

    def notice(self, **content: object) -> None:
        """Something that only a `livegate.v1` client understands."""
        if self.livegate_v1 and not self.has_left:
            self._downlink.put(Relay(NOTICE, notices.notice(**content)))

    def _announce(self, kinds: int, payload: bytes) -> None:
        if not self.has_left:
            self._downlink.put(Relay(kinds | ANNOUNCED, payload))

    def goes_away(self, grace_s: float) -> None:
        """Its connection ends in so long."""
        self._announce(frame.GO_AWAY, notices.go_away(grace_s))

    def sign_in_ends(self, grace_s: float) -> None:
        """Its connection ends in so long, for want of a sign-in."""
        if self.livegate_v1:
            self.notice(sign_in={"ends_in_s": grace_s})
        elif self.is_live:
            self.goes_away(grace_s)

    def marked(self, marked: Marked) -> None:
        """How long the answer to what it had marked took."""
        if marked.n:
            times = {"worker_ms": marked.worker_ms, "model_ms": marked.model_ms}
            known = {name: ms for name, ms in times.items() if ms is not None}
            self.notice(mark={"n": marked.n} | known)

    def saved(self, saved: Saved, seal: Seal) -> None:
        """What it need not keep for a return."""
        if self.livegate_v1:
            self.notice(token=seal(saved.released, saved.handle), ack=saved.released)
        elif self.resumption is not None and saved.handle is not None:
            index = saved.index if self.resumption.transparent else None
            handle = notices.handle(seal(saved.released, saved.handle), index)
            self._announce(frame.RESUMPTION, handle)

    def resumed(self, resumed: Resumed, session: str, token: str) -> None:
        """It has its session back."""
        if resumed.setup_complete is not None:
            self.is_live = True
            if not self.livegate_v1:
                self._announce(frame.OTHER, resumed.setup_complete)
        self._downlink.next = resumed.next
        self.notice(
            session=session,
            recovered=resumed.recovered,
            resend=resumed.resend,
            next=resumed.next,
            token=token,
        )
