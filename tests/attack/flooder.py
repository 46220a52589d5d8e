"""`python -m tests.attack.flooder PORT KEY SECONDS`: one user who sends as fast as it is let.

A process of its own, and a nice one: what it costs to send is not what it costs to receive.
"""

import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Iterator

from tests.attack import raw

SETUP = raw.frame(json.dumps({"setup": {"model": "gemini-3.8-live"}}).encode())
MESSAGE = raw.frame(b'{"realtimeInput":{"audio":{"data":"","mimeType":"audio/pcm;rate=16000"}}}')
BLOCK = MESSAGE * 500
AGAIN_S = 0.2


def session(port: int, key: str, until: float) -> Iterator[int]:
    """One connection, as long as it is taken; how many messages were sent at a time."""
    with socket.create_connection(("127.0.0.1", port), timeout=1) as sock:
        headers = raw.upgrade({"x-goog-api-key": key})
        sock.sendall(raw.request("/ws", headers, host=f"127.0.0.1:{port}"))
        if b" 101 " not in sock.recv(4096):
            return
        sock.sendall(SETUP)
        while b"setupComplete" not in sock.recv(65536):
            pass
        sock.settimeout(0.05)
        while time.monotonic() < until:
            with contextlib.suppress(TimeoutError):
                yield sock.send(BLOCK) // len(MESSAGE)
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                if not sock.recv(65536):
                    return
            sock.settimeout(0.05)


def main(port: int, key: str, seconds: float) -> None:
    """Flood, and say how much was sent over how many connections."""
    os.nice(19)
    until = time.monotonic() + seconds
    sent = connections = 0
    while time.monotonic() < until:
        connections += 1
        try:
            for more in session(port, key, until):
                sent += more
        except OSError:
            time.sleep(AGAIN_S)
    sys.stdout.write(json.dumps([sent, connections]))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
