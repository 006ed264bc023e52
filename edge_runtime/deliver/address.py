"""Where the broker is: the URL forms, TLS, and what went wrong in words that say what to do."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """A broker's place. `path` is used with WebSockets only."""

    host: str
    port: int
    tls: bool = False
    websocket: bool = False
    path: str = "/mqtt"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(url: str) -> Address:
    """mqtt:// mqtts:// ws:// wss://, host, optional port, path for WebSockets. Raises ValueError that says what was expected."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS:
        raise ValueError(f"expected mqtt:// mqtts:// ws:// or wss://, found {parts.scheme or 'no scheme'!r}")
    if parts.username or parts.password:
        raise ValueError("expected no login in the URL: set username and password beside it")
    if not parts.hostname:
        raise ValueError("expected a host, found none")
    websocket = parts.scheme in ("ws", "wss")
    if (parts.path not in ("", "/") and not websocket) or parts.query or parts.fragment:
        raise ValueError("expected host and port only")
    try:
        port = parts.port
    except ValueError:
        raise ValueError("expected a port of 1–65535") from None
    if port == 0:
        raise ValueError("expected a port of 1–65535")
    path = parts.path if parts.path not in ("", "/") else "/mqtt"
    return Address(parts.hostname, port or _PORTS[parts.scheme], parts.scheme in ("mqtts", "wss"), websocket, path)


def tls_context(ca: Path | None, cert: Path | None, key: Path | None) -> ssl.SSLContext:
    """At least TLS 1.2, certificate and host name checked, against `ca` or the system's. Raises OSError, ssl.SSLError naming the file."""
    for name, path in (("ca", ca), ("cert", cert), ("key", key)):
        if path is not None and not path.is_file():
            raise FileNotFoundError(2, f"[mqtt] {name}: no such file", str(path))
    context = ssl.create_default_context(cafile=None if ca is None else str(ca))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Python 3.13 began to refuse a CA whose certificate lacks an extension that many a city's own CA never had: the same answer on every Python.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if cert is not None:
        context.load_cert_chain(str(cert), None if key is None else str(key))
    return context


def explain(error: BaseException, address: Address) -> str:
    """Why no connection came about, and what to look at."""
    if isinstance(error, ssl.SSLError):
        return _explain_tls(error, address)
    if isinstance(error, socket.gaierror):
        return f"the name {address.host} was not found: check [mqtt] url and the network"
    if isinstance(error, ConnectionRefusedError):
        return f"nobody listens at {address}: is the broker running?"
    if isinstance(error, TimeoutError):
        return f"no answer from {address}: check the network and firewalls"
    if isinstance(error, FileNotFoundError):
        return f"{error.strerror}: {error.filename}"
    return f"{address}: {error}"


def _explain_tls(error: ssl.SSLError, address: Address) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: the certificate of {address} was not accepted: {error.verify_message}; check [mqtt] ca and the host name in url"
    return f"TLS with {address} failed: {error}; check that the port speaks TLS, and [mqtt] ca, cert and key"
