"""A certificate as cameras have them: signed by itself, for a name that is not the address."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

OPENSSL = shutil.which("openssl")


def self_signed(folder: Path) -> Path:
    """One PEM file with the certificate and its key."""
    assert OPENSSL is not None
    key, certificate, both = (folder / name for name in ("key.pem", "certificate.pem", "both.pem"))
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=camera.local"]
    subprocess.run([OPENSSL, "req", *kind, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True, timeout=30)
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    return both
