"""A local certificate authority for `TLS=1`: the Python SDK always dials wss."""

from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class LocalTls:
    """PEM files: the authority to trust, the server's chain and its key."""

    authority: Path
    cert: Path
    key: Path


def make(folder: Path) -> LocalTls:
    """A new authority and a certificate for localhost, 127.0.0.1 and ::1 in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    files = LocalTls(folder / "ca.pem", folder / "cert.pem", folder / "key.pem")
    authority = trustme.CA(organization_name="livegate local")
    cert = authority.issue_cert("localhost", "127.0.0.1", "::1")
    authority.cert_pem.write_to_path(str(files.authority))
    files.cert.write_bytes(b"".join(blob.bytes() for blob in cert.cert_chain_pems))
    files.key.touch(mode=0o600)
    files.key.write_bytes(cert.private_key_pem.bytes())
    return files
