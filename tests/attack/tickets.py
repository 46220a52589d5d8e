"""Other people's handles and resume tokens: guessed, altered, replayed."""

import time

import msgspec
from cryptography.fernet import Fernet
from livegate_edge.tickets import LIFETIME_S, Ticket, Tickets, _Sealed
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.attack import raw
from tests.attack.scene import Scene
from tests.attack.signing import altered
from tests.attack.table import Found
from tests.attack.witness import PAGE, SETUP

RESUMPTION = {"setup": {"model": "gemini-3.8-live", "sessionResumption": {}}}


async def session_token(client: ClientConnection) -> tuple[str, str]:
    """A new session's name and newest token, once it has had an answer."""
    await client.send(msgspec.json.encode(SETUP), text=True)
    name = token = ""
    asked = False
    while True:
        message = await client.recv(decode=False)
        notice = msgspec.json.decode(message).get("livegate", {})
        name, token = notice.get("session", name), notice.get("token", token)
        if b"setupComplete" in message and not asked:
            asked = True
            await client.send('{"realtimeInput":{"text":"hello"}}')
        if b"turnComplete" in message:
            return name, token


async def sdk_handle(client: ClientConnection) -> str:
    """A new session's first handle."""
    await client.send(msgspec.json.encode(RESUMPTION), text=True)
    while True:
        message = msgspec.json.decode(await client.recv(decode=False))
        if "setupComplete" in message:
            await client.send('{"realtimeInput":{"text":"hello"}}')
        update = message.get("sessionResumptionUpdate", {})
        if update.get("newHandle"):
            return str(update["newHandle"])


async def handles(scene: Scene) -> Found:
    """Two victims are connected; whoever brings their tickets hears nothing of them."""
    happened: dict[str, int] = {}
    wrong: list[str] = []
    victim, mallory = scene.new_key(), scene.new_key()
    vertex = scene.ws.removesuffix("/ws") + raw.VERTEX

    async def bring(what: str, sealed: str, *, page: bool, headers: dict[str, str]) -> None:
        first = (
            {**SETUP, "livegate": {"token": sealed, "ack": 0}}
            if page
            else {"setup": {**SETUP["setup"], "sessionResumption": {"handle": sealed}}}
        )
        async with connect(
            scene.ws if page else vertex,
            additional_headers=headers,
            subprotocols=PAGE if page else None,
            proxy=None,
        ) as client:
            await client.send(msgspec.json.encode(first), text=True)
            try:
                heard = await client.recv(decode=False)
                wrong.append(f"{what}: heard {heard[:60]!r}")
            except ConnectionClosed:
                code = client.close_code or 0
                happened[f"{code}"] = happened.get(f"{code}", 0) + 1
                if code not in (4002, 1008):
                    wrong.append(f"{what}: {code} {client.close_reason}")

    async with (
        connect(scene.ws, additional_headers=victim, subprotocols=PAGE, proxy=None) as one,
        connect(vertex, additional_headers=victim, proxy=None) as two,
    ):
        name, token = await session_token(one)
        handle = await sdk_handle(two)
        seal_keys = (scene.folder / "stack" / "seal-keys").read_bytes().split()
        seal = Tickets(seal_keys)
        foreign = Tickets([Fernet.generate_key()])
        ticket = Ticket(bytes.fromhex(name), 1, 0, None)
        old = _Sealed(ticket, time.time() - LIFETIME_S)
        old_text = seal._seal.seal(msgspec.msgpack.encode(old))
        for page in (True, False):
            for what, sealed in (("a token", token), ("a handle", handle)):
                await bring(f"another's {what}", sealed, page=page, headers=mallory)
            await bring("nobody's", seal.seal(ticket), page=page, headers=mallory)
            await bring("sealed by others", foreign.seal(ticket), page=page, headers=mallory)
            await bring("expired", old_text, page=page, headers=victim)
            for guess in (name, "", "x", "A" * 100_000, "../../x", "00" * 16):
                if page or guess:
                    await bring(f"guessed {guess[:20]}", guess or "=", page=page, headers=mallory)
            good = token if page else handle
            for sealed in altered(good, scene, scene.times(20, 5)):
                await bring("altered", sealed, page=page, headers=victim)
        for client in (one, two):
            await _talks(client, wrong)
    answers = ", ".join(f"{count} x {code}" for code, count in sorted(happened.items()))
    return Found(sum(happened.values()), f"{answers}; the victims talk on", wrong)


async def _talks(client: ClientConnection, wrong: list[str]) -> None:
    try:
        await client.send('{"realtimeInput":{"text":"still there?"}}')
        while b"turnComplete" not in await client.recv(decode=False):
            pass
    except ConnectionClosed as error:
        wrong.append(f"a victim lost its session: {error}")
