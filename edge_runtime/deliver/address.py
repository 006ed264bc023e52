"""Where the broker is: the URL forms, TLS, and what went wrong in words that say what to do."""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

_PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}

# X509_V_ERR_… of OpenSSL's x509_vfy.h: what is wrong with a certificate, and what to do about it.
_HOST = ("tls-host", "check [mqtt] url: the certificate must name the host that stands in it")
_VERIFY = {
    9: ("tls-not-yet-valid", "is this device's clock right (here it is {now} UTC)?"),
    10: ("tls-expired", "the broker needs a new one, unless this device's clock is wrong"),
    62: _HOST,
    64: _HOST,
}
# Alerts with which a server refuses the certificate of a client, or the lack of one (RFC 8446, section 6.2).
_OWN_CERTIFICATE = ("ALERT_CERTIFICATE", "ALERT_BAD_CERTIFICATE", "ALERT_UNKNOWN_CA", "ALERT_UNSUPPORTED_CERTIFICATE", "CERTIFICATE_REQUIRED")
_UNREACHABLE = {
    ConnectionRefusedError: "nobody listens at {}: is the broker running?",
    TimeoutError: "no answer from {}: check the network and firewalls",
}


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
    context.sslsocket_class = _ClosedUnlessShaken
    if cert is not None:
        context.load_cert_chain(str(cert), None if key is None else str(key))
    return context


class _ClosedUnlessShaken(ssl.SSLSocket):
    """A handshake that fails closes its socket: paho lets go of it without, and a node whose broker's certificate is wrong tries for ever."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise  # not over yet
        except OSError:
            self.close()
            raise


class Trouble(NamedTuple):
    """Why there is no connection: `cause` is a key of link.CAUSES, `text` says what to look at."""

    cause: str
    text: str


def explain(error: BaseException, address: Address) -> str:
    """Why no connection came about, and what to look at."""
    return diagnose(error, address).text


def diagnose(error: BaseException, address: Address) -> Trouble:
    """The same, with its cause in one word."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _diagnose_certificate(error, address)
    if isinstance(error, ssl.SSLError) or (isinstance(error, ConnectionResetError) and address.tls):
        return _diagnose_tls(str(error), address)
    if isinstance(error, socket.gaierror):
        return Trouble("name", f"the name {address.host} was not found: check [mqtt] url and the network")
    for kind, text in _UNREACHABLE.items():
        if isinstance(error, kind):
            return Trouble("unreachable", text.format(address))
    if isinstance(error, (FileNotFoundError, PermissionError)) and error.filename is not None:
        return Trouble("file", f"{error.strerror}: {error.filename}")
    return Trouble("unreachable" if isinstance(error, OSError) else "broker", f"{address}: {error}")


def diagnose_loss(text: str, address: Address, *, greeted: bool) -> Trouble | None:
    """What a broken line says of TLS; None when it says nothing.

    In TLS 1.3 the client's part of the handshake is over before the broker has judged its certificate. The refusal comes as an alert later, or,
    when the broker resets the connection on top, as nothing but its end before the greeting.
    """
    if "ALERT" in text:
        return _diagnose_tls(text, address)
    if address.tls and not greeted:
        ended = f"TLS: {address} ended the connection right after the handshake, which is how it refuses a client's certificate, or the lack of one"
        return Trouble("tls-own-certificate", f"{ended}; check [mqtt] cert and key, and its dates; the broker's log says why")
    return None


def _diagnose_certificate(error: ssl.SSLCertVerificationError, address: Address) -> Trouble:
    cause, todo = _VERIFY.get(
        error.verify_code, ("tls-untrusted", "check [mqtt] ca: it must hold the authority that issued the broker's certificate")
    )
    if cause == "tls-not-yet-valid":
        todo = todo.format(now=time.strftime("%Y-%m-%d %H:%M", time.gmtime()))
    return Trouble(cause, f"TLS: the certificate of {address} was not accepted: {error.verify_message}; {todo}")


def _diagnose_tls(text: str, address: Address) -> Trouble:
    if any(word in text for word in _OWN_CERTIFICATE):
        return Trouble(
            "tls-own-certificate", f"TLS: {address} does not accept this node's certificate ({text}); check [mqtt] cert and key, and its dates"
        )
    return Trouble("tls", f"TLS with {address} failed: {text}; check that the port speaks TLS 1.2 or newer, and [mqtt] ca, cert and key")
