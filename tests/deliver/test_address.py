"""Broker URLs, and what is said when a connection fails."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest

from edge_runtime.deliver.address import Address, diagnose, diagnose_loss, explain, parse_address, tls_context
from edge_runtime.deliver.link import CAUSES


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("mqtt://broker", Address("broker", 1883)),
        ("mqtts://broker.example:8884", Address("broker.example", 8884, tls=True)),
        ("ws://broker", Address("broker", 80, websocket=True)),
        ("wss://broker/path/x", Address("broker", 443, tls=True, websocket=True, path="/path/x")),
        ("mqtt://[2001:db8::1]:1", Address("2001:db8::1", 1)),
        ("mqtt://broker/", Address("broker", 1883)),
    ],
)
def test_parse_address_of_each_form(url: str, address: Address) -> None:
    assert parse_address(url) == address


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("http://broker", "expected mqtt://"),
        ("broker:1883", "expected mqtt://"),
        ("mqtt://", "expected a host"),
        ("mqtt://user:secret@broker", "no login"),
        ("mqtt://broker:99999", "expected a port"),
        ("mqtt://broker:0", "expected a port"),
        ("mqtt://broker/path", "host and port only"),
    ],
)
def test_parse_address_of_nonsense_says_what_was_expected(url: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        parse_address(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConnectionRefusedError(111, "refused"), "nobody listens at h:1"),
        (socket.gaierror(-2, "unknown"), "the name h was not found"),
        (TimeoutError("timed out"), "no answer from h:1"),
        (ssl.SSLError(1, "WRONG_VERSION_NUMBER"), "TLS with h:1 failed"),
        (OSError(113, "No route to host"), "No route to host"),
    ],
)
def test_explain_each_failure(error: OSError, text: str) -> None:
    assert text in explain(error, Address("h", 1))


def unverified(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, "OpenSSL's words"
    return error


@pytest.mark.parametrize(
    ("error", "cause", "text"),
    [
        (unverified(9), "tls-not-yet-valid", "is this device's clock right (here it is 2"),
        (unverified(10), "tls-expired", "a new one"),
        (unverified(62), "tls-host", "check [mqtt] url"),
        (unverified(64), "tls-host", "check [mqtt] url"),
        (unverified(18), "tls-untrusted", "check [mqtt] ca"),
        (unverified(20), "tls-untrusted", "check [mqtt] ca"),
        (ssl.SSLError(1, "[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca"), "tls-own-certificate", "cert and key"),
        (ssl.SSLError(1, "[SSL: SSLV3_ALERT_HANDSHAKE_FAILURE]"), "tls", "TLS 1.2 or newer"),
        (ConnectionResetError(104, "reset"), "tls", "speaks TLS"),
        (ConnectionRefusedError(111, "refused"), "unreachable", "is the broker running?"),
        (socket.gaierror(-2, "unknown"), "name", "the network"),
        (FileNotFoundError(2, "[mqtt] ca: no such file", "ca.pem"), "file", "ca.pem"),
    ],
)
def test_diagnose_gives_each_failure_its_cause(error: OSError, cause: str, text: str) -> None:
    trouble = diagnose(error, Address("h", 1, tls=True))
    assert (trouble.cause, text in trouble.text) == (cause, True), trouble
    assert cause in CAUSES


def test_diagnose_loss_tells_a_refused_certificate_from_a_lost_connection() -> None:
    tls, plain = Address("h", 1, tls=True), Address("h", 1)
    for text, address, greeted, cause in (
        ("[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED]", tls, False, "tls-own-certificate"),
        ("", tls, False, "tls-own-certificate"),
        ("", tls, True, None),
        ("Connection reset by peer", plain, False, None),
    ):
        trouble = diagnose_loss(text, address, greeted=greeted)
        assert (None if trouble is None else trouble.cause) == cause


def test_handshake_that_fails_closes_its_socket() -> None:
    """Without that a node whose broker's certificate is wrong leaks one at each try."""
    near, far = socket.socketpair()
    with far:
        far.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        wrapped = tls_context(None, None, None).wrap_socket(near, server_hostname="h", do_handshake_on_connect=False)
        with pytest.raises(ssl.SSLError):
            wrapped.do_handshake()
        assert wrapped.fileno() == -1


def test_tls_context_checks_names_and_refuses_old_versions(tmp_path: Path) -> None:
    context = tls_context(None, None, None)
    assert context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    with pytest.raises(FileNotFoundError) as caught:
        tls_context(tmp_path / "ca.pem", None, None)
    assert "[mqtt] ca" in explain(caught.value, Address("h", 1))
