"""Opening a file, a device or an address with FFmpeg, and saying in our words why it did not work."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_runtime.errors import Disconnected, Unsupported

if TYPE_CHECKING:
    from av.container import InputContainer


@dataclass(frozen=True, slots=True)
class Target:
    """What to open, and how. `shown` is the name that errors use; `clean` takes credentials out of FFmpeg's words."""

    url: str
    shown: str
    clean: Callable[[str], str]
    format: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    open_timeout_s: float | None = None
    read_timeout_s: float | None = None


def failure(error: Exception, target: Target, elapsed_s: float = 0.0) -> Disconnected | Unsupported:
    """FFmpeg's error in our words, without credentials: Unsupported where trying again soon is useless."""
    name = type(error).__name__
    patience_s = target.open_timeout_s if elapsed_s else target.read_timeout_s
    if name == "ExitError" or (elapsed_s and patience_s and elapsed_s >= patience_s):  # interrupted in a handshake, FFmpeg calls it nonsense
        return Disconnected(f"{target.shown}: no answer within {patience_s or 0:g} s; is it switched on, and does it send pictures?")
    said = target.clean(str(getattr(error, "strerror", None) or error))
    kind, why = (_FILE_FAILURES if target.open_timeout_s is None else _LIVE_FAILURES).get(name, (Disconnected, ""))
    way = target.format or target.url.partition(":")[0].lower()
    why = _BY_ADDRESS.get((getattr(error, "errno", None), way), why)
    return kind(f"{target.shown}: {said}" + (f": {why}" if why else ""))


_Failures = dict[str, tuple[type[Disconnected] | type[Unsupported], str]]
_FILE_FAILURES: _Failures = {
    "FileNotFoundError": (Unsupported, "check the path"),
    "PermissionError": (Unsupported, "this user may not read it; check its owner and mode"),
    "InvalidDataError": (Unsupported, "expected a video, found none that can be read; is it complete (an MP4 ends with its index)?"),
    "EOFError": (Unsupported, "expected a video, found nothing in it"),
}
_LIVE_FAILURES: _Failures = {
    "HTTPUnauthorizedError": (Unsupported, "the camera refuses username or password; correct them in the config"),
    "HTTPForbiddenError": (Unsupported, "the camera forbids this stream to this user; give the user the right to view it"),
    "HTTPNotFoundError": (Disconnected, "the camera knows no such path; compare it with the camera's own settings"),
    "ConnectionRefusedError": (Disconnected, "nothing listens there; check address and port"),
    "FileNotFoundError": (Disconnected, "is the device plugged in? check the path"),
    "PermissionError": (Unsupported, "this user may not open it; add the user to the device's group (video)"),
    "InvalidDataError": (Disconnected, "expected a video stream, found something else; compare address and path with the camera's own settings"),
    "IsADirectoryError": (Unsupported, "expected a device, found a folder; check the path"),
    "EOFError": (Disconnected, "it ended before the first picture"),
    "DemuxerNotFoundError": (Unsupported, "this build of FFmpeg lacks the format"),
    "DecoderNotFoundError": (Unsupported, "this build of FFmpeg lacks the codec"),
    "ProtocolNotFoundError": (Unsupported, "this build of FFmpeg lacks the protocol"),
}
_NO_VIDEO = "the connection ended without a video stream; compare the path with the camera's own settings"
_NO_TLS = "no TLS connection, or it ended: does the camera speak TLS on this port? without it the address begins with "
_BY_ADDRESS: dict[tuple[int | None, str], str] = {  # where FFmpeg's error says less than the address
    (errno.ENOTTY, "v4l2"): "expected a video device, found another one; check the path",
    (errno.EIO, "http"): _NO_VIDEO,
    (errno.EIO, "https"): _NO_TLS + "http://",
    (errno.EIO, "rtsp"): "the connection broke off",
    (errno.EIO, "rtsps"): _NO_TLS + "rtsp://",
    (errno.EINVAL, "https"): "the far end sends us on to an address without TLS, which is not followed; give that address itself to accept it",
}


def opened(target: Target) -> InputContainer:
    """Open with FFmpeg. Raises Disconnected, Unsupported: see `failure`."""
    import av
    from av.error import FFmpegError

    # A title in another encoding is no reason to refuse a video; from PyAV 19 on that goes without saying.
    lenient = {} if int(av.__version__.partition(".")[0]) >= 19 else {"metadata_errors": "replace"}
    began_s = time.monotonic()
    try:
        container: InputContainer = av.open(
            target.url,
            "r",
            format=target.format,
            options=dict(target.options),
            timeout=(target.open_timeout_s, target.read_timeout_s),
            **lenient,
        )
        return container
    except FFmpegError as error:
        raise failure(error, target, time.monotonic() - began_s) from None
    except ValueError as error:
        raise Unsupported(f"{target.shown}: {target.clean(str(error))}") from None
