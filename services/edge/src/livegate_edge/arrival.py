"""A client's first message: a session begins, or its client comes back to it."""

import asyncio
import secrets
from asyncio import FIRST_COMPLETED
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from livegate import envelope, logs, models
from livegate.closes import Close, Closing
from livegate.ownership import Claim

from livegate_edge import notices, setups
from livegate_edge.incoming import Incoming, Rejected
from livegate_edge.outputs import OfferSession, Output
from livegate_edge.session import EdgeSession
from livegate_edge.tickets import Ticket, TicketError
from livegate_edge.users import User

if TYPE_CHECKING:
    from livegate_edge.gateway import Gateway

log = logs.get("arrival")


class Arrived(NamedTuple):
    """A session whose client is here. `began`: when it did (s since 1970); 0: now.

    `outputs`: what its machine wants first. `is_back`: its client has had it before; `is_owned`:
    a worker has it.
    """

    session: EdgeSession
    resumption: setups.Resumption | None
    outputs: list[Output]
    began: float = 0.0
    is_back: bool = False
    is_owned: bool = True


class Arrival:
    """Of one connection. `at`: when its setup came (s, of the loop's clock)."""

    def __init__(
        self, gateway: "Gateway", user: User, incoming: Incoming, *, livegate_v1: bool
    ) -> None:
        self.at = 0.0
        self._gateway = gateway
        self._settings = gateway.settings
        self._user = user
        self._incoming = incoming
        self._livegate_v1 = livegate_v1
        self._loop = asyncio.get_running_loop()

    async def session(self, is_closing: Callable[[], bool]) -> Arrived | None:
        """The session that the client's first message is about; None: the client is gone, or its
        connection is closing.

        Raises:
            Rejected: there is none for this client.
        """
        patience_s = self._settings.setup_timeout_s
        deadline = self._loop.time() + patience_s
        from_demo = False
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    data = await self._incoming.message()
            except TimeoutError:
                text = f"no setup arrived in {patience_s:g} s"
                raise Rejected(Closing.of(Close.SETUP_TIMEOUT, text)) from None
            if data is None or is_closing():
                return None
            message = parse(data)
            if not message.is_original_demo:
                return await self._first(message, default_unlisted=from_demo)
            from_demo = True

    async def _first(self, message: envelope.ClientMessage, *, default_unlisted: bool) -> Arrived:
        if isinstance(message.setup, msgspec.UnsetType):
            raise Rejected(Closing.of(Close.NOT_SETUP))
        allowed = self._settings.allowed_models
        try:
            setup = setups.resolve(message.setup, allowed, default_unlisted=default_unlisted)
            resumption = setups.resumption(message.setup)
            told = notices.read(message.livegate if self._livegate_v1 else msgspec.UNSET)
        except envelope.MessageError as error:
            raise Rejected(Closing.of(Close.BAD_MESSAGE, str(error))) from None
        except models.UnknownModelError as error:
            raise Rejected(Closing.of(Close.UNKNOWN_MODEL, str(error))) from None
        self.at = self._loop.time()
        sealed = told.token or (resumption and resumption.handle)
        if sealed:
            return await self._back(setup, resumption, sealed, told)
        session = secrets.token_bytes(16)
        await self._within_limits(session)
        machine = self._machine(session, setup, resumption, told)
        return Arrived(machine, resumption, [OfferSession()])

    async def _within_limits(self, session: bytes) -> None:
        reached = await self._gateway.limits.begins(self._user.id, session)
        if reached:
            raise Rejected(reached.closing, limit=reached.notice)

    def _machine(
        self,
        session: bytes,
        setup: msgspec.Raw,
        resumption: setups.Resumption | None,
        told: notices.FromClient,
    ) -> EdgeSession:
        may_return = self._livegate_v1 or resumption is not None
        return EdgeSession(
            session,
            setup,
            self._loop.time(),
            self._settings.owner_timeout_s,
            mailbox=self._gateway.mailbox,
            away_s=self._settings.resume_window_s if may_return else 0,
            confirms=self._livegate_v1,
            replays=not self._livegate_v1
            and resumption is not None
            and bool(resumption.transparent),
            user=self._user.id,
            tools=told.tools,
        )

    async def _back(
        self,
        setup: msgspec.Raw,
        resumption: setups.Resumption | None,
        sealed: str,
        told: notices.FromClient,
    ) -> Arrived:
        try:
            ticket = self._gateway.tickets.open(sealed, self._user.id)
        except TicketError as error:
            log.info("ticket refused", user=self._user.id, error=str(error))
            raise Rejected(Closing.of(Close.SESSION_LOST)) from None
        await self._within_limits(ticket.session)
        claim = await self._claim(ticket)
        if not self._gateway.supersede(ticket.session, claim.epoch if claim else ticket.epoch):
            raise Rejected(Closing.of(Close.SUPERSEDED))
        machine = self._machine(ticket.session, setup, resumption, told)
        outputs = machine.rejoin(
            claim.epoch if claim else ticket.epoch,
            claim.owner if claim else None,
            released=ticket.released,
            handle=ticket.handle,
            has=told.ack,
            fresh=secrets.token_bytes(16),
            location=ticket.location,
        )
        is_owned = claim is not None
        return Arrived(machine, resumption, outputs, ticket.began, is_back=True, is_owned=is_owned)

    async def _claim(self, ticket: Ticket) -> Claim | None:
        """The claim, unless the client goes meanwhile: it may have the session elsewhere by now."""
        claiming = self._loop.create_task(self._gateway.claim(ticket.session, ticket.epoch))
        early = self._incoming.ahead()
        patience_s = self._settings.owner_timeout_s
        await asyncio.wait({claiming, early}, timeout=patience_s, return_when=FIRST_COMPLETED)
        left = early.done() and early.result()["type"] != "websocket.receive"
        if not left:
            await asyncio.wait({claiming}, timeout=patience_s)
        if claiming.done() and not left:
            return claiming.result()
        claiming.cancel()
        raise Rejected(Closing.of(Close.ENDED if left else Close.BUS_UNAVAILABLE))


def parse(data: bytes) -> envelope.ClientMessage:
    """A client's message.

    Raises:
        Rejected: it is none.
    """
    try:
        return envelope.parse_client(data)
    except envelope.MessageError as error:
        raise Rejected(Closing.of(Close.BAD_MESSAGE, f"bad message: {error}")) from None
