"""Talk to systemd: readiness, watchdog, status. The protocol is one datagram (sd_notify(3)); without NOTIFY_SOCKET nothing is sent."""

from __future__ import annotations

import os
import socket


class Notifier:
    """Says how the service is. Never raises: a missing or dead systemd is not the daemon's problem."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address

    def ready(self) -> None:
        """Start-up is over."""
        self._send("READY=1")

    def alive(self) -> None:
        """Every loop turned: keep the watchdog quiet."""
        self._send("WATCHDOG=1")

    def starting(self, seconds: float) -> None:
        """Start-up takes longer than usual (a cold kernel cache): ask for `seconds` more."""
        self._send(f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}")

    def patience(self, seconds: float) -> None:
        """From now on the watchdog waits so long for the next sign of life (sd_notify(3), WATCHDOG_USEC)."""
        self._send(f"WATCHDOG_USEC={round(seconds * 1e6)}")

    def reloading(self) -> None:
        """The config is being read again; `ready` ends it."""
        import time

        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The drain has begun."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send("STATUS=" + text.replace("\n", " "))

    def _send(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.sendto(message.encode(), self._address)
        except OSError:
            self._address = ""  # whoever started us is gone


def watchdog_interval_s() -> float | None:
    """Half of what systemd allows between signs of life; None when it does not watch this process."""
    limit = os.environ.get("WATCHDOG_USEC", "")
    pid = os.environ.get("WATCHDOG_PID", str(os.getpid()))
    return int(limit) / 2e6 if limit.isdigit() and pid == str(os.getpid()) else None
