"""A session that is opened to see whether one opens: nothing is said in it, so it costs nothing."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

from livegate_cli import diagnosis
from livegate_cli.asking import EndedError, asking
from livegate_cli.conversation import Conversation, Gateway, RefusedError
from livegate_cli.diagnosis import Finding
from livegate_cli.talking import KEY, FailedError, Talk

UNAUTHORIZED = (401, 403)


async def session(talk: Talk, others: Sequence[Gateway]) -> list[Finding]:
    """Whether a session opens at the gateway, and goes on at each of the others. Never raises."""
    try:
        setup = talk.setup(await asyncio.to_thread(talk.config))
    except FailedError as error:
        fix = "name the gateway's own address, of its page, with --url"
        return [Finding("edge", "failed", error.message, fix)]
    try:
        async with AsyncExitStack() as stack:
            asker = await stack.enter_async_context(asking(talk.gateway, setup, microphone=False))
            seconds = await asker.until_live()
            opened = Finding("session", "ok", f"one opened in {seconds:.2f} s")
            there = [
                await _goes_on(stack, gateway, setup, asker.conversation) for gateway in others
            ]
            return [opened, *there]
    except RefusedError as error:
        return [_refused(error, talk.gateway)]
    except EndedError as error:
        return [diagnosis.of_close(error.ended.code, error.ended.reason)]
    except TimeoutError:
        return [Finding("session", "failed", "none opened", "the logs of edge and worker")]


async def _goes_on(
    stack: AsyncExitStack, gateway: Gateway, setup: dict[str, Any], first: Conversation
) -> Finding:
    """Show the session's token to another edge; what there is stays open until `stack` ends."""
    elsewhere = asking(gateway, setup, microphone=False, token=first.token)
    try:
        asker = await stack.enter_async_context(elsewhere)
        await asker.until_live()
    except RefusedError as error:
        return _refused(error, gateway)
    except EndedError as error:
        return diagnosis.of_close(error.ended.code, error.ended.reason)
    except TimeoutError:
        found = f"a session does not go on at {gateway.url}"
        return Finding("session", "failed", found, "the logs of that edge")
    if asker.conversation.counts.began_anew:
        found = f"{gateway.url} can't open a session's token of the first gateway's"
        return Finding("seal-keys", "failed", found, "SEAL_KEYS_FILE: the same for every edge")
    if asker.conversation.session != first.session:
        found = f"{gateway.url} does not know a session of the first gateway's"
        return Finding("redis", "failed", found, "REDIS_URL: the same for every edge and worker")
    return Finding("seal-keys", "ok", f"a session goes on at {gateway.url}")


def _refused(error: RefusedError, gateway: Gateway) -> Finding:
    if error.status not in UNAUTHORIZED:
        return Finding("edge", "failed", str(error), "what it says; the edge's log")
    if not gateway.key:
        found = f"no session was tried: {gateway.url} asks who one is ({error.status})"
        fix = f"put an API key into {KEY}, or its file into --api-key-file (`livegate keys issue`)"
        return Finding("sign-in", "warning", found, fix)
    found = f"{gateway.url} does not take the API key ({error.status})"
    fix = f"{KEY}, --api-key-file: one of `livegate keys list`; edges: AUTH_MODES, LEDGER_URL"
    return Finding("sign-in", "failed", found, fix)
