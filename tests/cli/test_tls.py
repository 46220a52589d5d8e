"""The local authority: a client that trusts it trusts our names, and no others."""

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from livegate_cli import tls


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tls.LocalTls:
    return tls.make(tmp_path_factory.mktemp("run") / "tls")


@pytest.fixture
def port(files: tls.LocalTls) -> Iterator[int]:
    """A TLS server for one handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert, files.key)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            accepted, _ = listening.accept()
            try:
                with context.wrap_socket(accepted, server_side=True) as secured:
                    secured.sendall(b"hello")
            except ssl.SSLError:
                accepted.close()  # the client did not trust us

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(10)
        assert not thread.is_alive()


def dial(port: int, name: str, authority: Path | None) -> bytes:
    context = ssl.create_default_context(cafile=authority)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as sock,
        context.wrap_socket(sock, server_hostname=name) as secured,
    ):
        return secured.recv(100)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_our_names_verify(files: tls.LocalTls, port: int, name: str) -> None:
    assert dial(port, name, files.authority) == b"hello"


@pytest.mark.parametrize("name", ["example.com", "127.0.0.2"])
def test_other_names_do_not(files: tls.LocalTls, port: int, name: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        dial(port, name, files.authority)


def test_nobody_else_trusts_it(port: int) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        dial(port, "localhost", None)


def test_the_key_is_its_owners(files: tls.LocalTls) -> None:
    assert files.key.stat().st_mode & 0o777 == 0o600


def test_the_authoritys_own_key_is_not_kept(files: tls.LocalTls) -> None:
    """Whoever had it could be any site for a client that trusts the authority."""
    assert {path.name for path in files.key.parent.iterdir()} == {"ca.pem", "cert.pem", "key.pem"}
    assert b"PRIVATE KEY" not in files.authority.read_bytes() + files.cert.read_bytes()


def test_again_in_the_same_folder(tmp_path: Path) -> None:
    first = tls.make(tmp_path).cert.read_bytes()
    again = tls.make(tmp_path)
    assert again.cert.read_bytes() != first
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(again.cert, again.key)
