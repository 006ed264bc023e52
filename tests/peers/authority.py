"""Certificates as a laboratory makes them: by the script that ships for that."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "deploy" / "mosquitto" / "make-test-ca.sh"


def authority(folder: Path, *arguments: str) -> Path:
    """Run the script on `folder`; a test's broker may run as another user, so that everybody may look into the folder."""
    subprocess.run([str(SCRIPT), str(folder), *arguments], check=True, capture_output=True, timeout=60)
    folder.chmod(0o755)
    return folder


def server_lines(folder: Path) -> str:
    """The listener's part of a mosquitto.conf."""
    return f"cafile {folder}/ca.pem\ncertfile {folder}/server.pem\nkeyfile {folder}/server.key\ntls_version tlsv1.2"


def variant(folder: Path, name: str, *arguments: str) -> Path:
    """The same authority with another certificate for its broker."""
    other = folder.with_name(name)
    shutil.copytree(folder, other)
    return authority(other, *arguments)
