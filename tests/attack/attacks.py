"""Every attack: its line in the table, and what runs it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.attack import bombs, elsewhere, floods, leaks, signing, tickets, tricks
from tests.attack.scene import Scene
from tests.attack.table import Found, Row
from tests.attack.witness import Witnesses

Run = Callable[[Scene], Awaitable[Found]]


@dataclass(frozen=True)
class Attack:
    """`quiet`: Redis is listened to meanwhile."""

    name: str
    what: str
    expected: str
    run: Run
    quiet: bool = True


ATTACKS = (
    Attack("no-sign-in", "no sign-in, on each path", "401", signing.no_sign_in),
    Attack("cookies", "cookies altered, expired, foreign", "401", signing.cookies),
    Attack("iap", "IAP headers altered, foreign, unsigned", "401", signing.iap_headers),
    Attack("api-keys", "API keys guessed, altered, revoked", "401", signing.api_keys),
    Attack("oidc", "OIDC callback and ID tokens tampered", "400 or 403", signing.callback),
    Attack("cross-site", "pages of other origins", "403", signing.cross_site),
    Attack("rebinding", "other names in Host", "403", signing.rebinding),
    Attack("handles", "handles, tokens of others or altered", "1008, 4002", tickets.handles),
    Attack("paths", "path tricks", "refused, no file", tricks.paths),
    Attack("targets", "absolute and other targets", "nothing fetched", tricks.targets),
    Attack("headers", "headers twice, folded, huge", "refused or plain", tricks.headers),
    Attack("smuggling", "two lengths, hidden requests", "one answer", tricks.smuggling),
    Attack("log-injection", "colours and lines in logs", "shown as text", tricks.log_injection),
    Attack("ssrf", "addresses wherever one might be read", "no connection", elsewhere.ssrf),
    Attack("broker", "token broker, wrong callers", "401", elsewhere.broker),
    Attack("half-open", "half-open handshakes", "bounded, cut", floods.half_open, quiet=False),
    Attack("slow", "slowloris: headers, messages", "cut in time", floods.slow, quiet=False),
    Attack("frames", "pings, fragments, bad frames", "closed", floods.control_frames, quiet=False),
    Attack("deflate", "compression bombs", "never opened", bombs.deflate, quiet=False),
    Attack("json", "JSON depth, numbers, broken text", "closed", bombs.json_depth, quiet=False),
    Attack("messages", "broken messages in a live session", "closed or passed on",
           bombs.later_messages, quiet=False),
    Attack("upstream", "bombs from upstream", "the worker lives", bombs.from_upstream, quiet=False),
    Attack("open-drop", "sessions opened and dropped", "places return", floods.open_and_drop,
           quiet=False),
    Attack("flood", "one user's flood, 20 others talk", "p99 within 2x", floods.one_user,
           quiet=False),
)  # fmt: skip
SECRETS = Attack("secrets", "every secret, by value", "found nowhere", leaks.secrets)
FUZZ = "fuzz"
NAMES = (*(attack.name for attack in (*ATTACKS, SECRETS)), FUZZ)


async def tried(attack: Attack, scene: Scene, witnesses: Witnesses) -> Row:
    """The row of an attack; whatever goes wrong is in it."""
    witnesses.since()
    try:
        found = await attack.run(scene)
    except Exception as error:  # noqa: BLE001, an attack that fails is a row, too
        found = Found(0, "could not be tried", [f"{type(error).__name__}: {error}"])
    try:
        await witnesses.answered()
    except AssertionError:
        found.wrong.append("a witness is answered no more")
    return Row(attack.what, attack.expected, found, witnesses.since())
