"""Broker URLs, and what is said when a connection fails."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest

from edge_runtime.deliver.address import Address, explain, parse_address, tls_context


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


def test_tls_context_checks_names_and_refuses_old_versions(tmp_path: Path) -> None:
    context = tls_context(None, None, None)
    assert context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    with pytest.raises(FileNotFoundError) as caught:
        tls_context(tmp_path / "ca.pem", None, None)
    assert "[mqtt] ca" in explain(caught.value, Address("h", 1))
