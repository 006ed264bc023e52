"""A network namespace of the test's own behind a cable (veth) that can be pulled: then neither FIN nor RST nor anything else gets through."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest


class Namespace:
    """`here` is our address on the cable, as those inside see it; `inside` is what a command must begin with to run there."""

    def __init__(self) -> None:
        if os.geteuid() != 0 or shutil.which("ip") is None:
            pytest.skip("needs root and iproute2 for a network namespace")
        number = os.getpid()
        self._name = f"edge-{number}"
        self._cable = f"edge{number}"
        network = f"10.231.{number % 250}.{number // 250 % 60 * 4}"
        head, _, last = network.rpartition(".")
        self.here, there = f"{head}.{int(last) + 1}", f"{head}.{int(last) + 2}"
        self.inside = ("ip", "netns", "exec", self._name)
        try:
            _ip("netns", "add", self._name)
        except AssertionError as error:
            pytest.skip(f"no network namespace is allowed here: {error}")
        try:
            _ip("link", "add", self._cable, "type", "veth", "peer", "name", "street", "netns", self._name)
        except AssertionError as error:
            self.close()
            pytest.skip(f"no cable between network namespaces is allowed here: {error}")
        try:
            _ip("address", "add", f"{self.here}/30", "dev", self._cable)
            _ip("-n", self._name, "address", "add", f"{there}/30", "dev", "street")
            _ip("-n", self._name, "link", "set", "street", "up")
            _ip("-n", self._name, "link", "set", "lo", "up")
            self.plugged(True)
        except BaseException:
            self.close()
            raise

    def plugged(self, yes: bool) -> None:
        """Whether the cable is in."""
        _ip("link", "set", self._cable, "up" if yes else "down")

    def close(self) -> None:
        """The cable goes with the namespace."""
        _ip("netns", "delete", self._name)

    def __enter__(self) -> Namespace:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr.strip()}"
