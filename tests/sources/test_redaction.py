"""No credential may be seen."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.options import Secret
from edge_runtime.sources import SourceSpec, redact
from edge_runtime.sources.redaction import with_credentials, without_secret


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://viewer:s3cret@10.0.0.7:554/s1", "rtsp://***@10.0.0.7:554/s1"),
        ("rtsp://viewer@10.0.0.7/s1", "rtsp://***@10.0.0.7/s1"),
        ("rtsp://10.0.0.7:554/s1", "rtsp://10.0.0.7:554/s1"),
        ("rtsp://u:p@ss@10.0.0.7/s1", "rtsp://***@10.0.0.7/s1"),
        ("rtsp://u:p/ss?w#d@10.0.0.7/s1", "rtsp://***@10.0.0.7/s1"),
        ("rtsp://10.0.0.7:554/a@b", "rtsp://10.0.0.7:554/a@b"),
        ("http://cam/cgi?user=a&pwd=s3cret&channel=1", "http://cam/cgi?user=a&pwd=***&channel=1"),
        ("http://cam/v?token=abc.def", "http://cam/v?token=***"),
        ("[Errno 1] denied: 'rtsp://u:s3cret@h/x' (after http://a:b@c)", "[Errno 1] denied: 'rtsp://***@h/x' (after http://***@c)"),
        ("gst:rtspsrc location=rtsp://u:s3cret@h/x ! decodebin", "gst:rtspsrc location=rtsp://***@h/x ! decodebin"),
        ("/video/street.mp4?loop=1", "/video/street.mp4?loop=1"),
        ("v4l2:/dev/video0", "v4l2:/dev/video0"),
    ],
)
def test_redact_examples(text: str, shown: str) -> None:
    assert redact(text) == shown
    assert redact(shown) == shown


_WORD = st.text(st.characters(codec="ascii", exclude_characters=" '\"<>@\n", categories=["L", "N", "P", "S"]), min_size=4, max_size=12)


@given(user=_WORD, password=_WORD)
def test_redact_encoded_credentials_never_show(user: str, password: str) -> None:
    url = with_credentials("rtsp://camera.example:554/stream", user, f"q{password}z")
    shown = redact(f"cannot open '{url}': timed out")
    assert shown == "cannot open 'rtsp://***@camera.example:554/stream': timed out"


@given(user=st.text(min_size=1), password=st.text())
def test_with_credentials_survives_any_character(user: str, password: str) -> None:
    try:
        f"{user}{password}".encode()
    except UnicodeEncodeError:  # a lone surrogate cannot be typed into a config file
        return
    parts = urlsplit(with_credentials("rtsp://old:gone@camera.example:554/a?b=c", user, password))
    assert (unquote(parts.username or ""), unquote(parts.password or "")) == (user, password)
    assert (parts.hostname, parts.port, parts.path, parts.query) == ("camera.example", 554, "/a", "b=c")


def test_with_credentials_leaves_devices_and_anonymous_urls() -> None:
    assert with_credentials("v4l2:/dev/video0", "u", "p") == "v4l2:/dev/video0"
    assert with_credentials("rtsp://h/x", None, None) == "rtsp://h/x"


def test_without_secret_hides_it_outside_urls_plain_and_encoded() -> None:
    assert without_secret("bad password 'p@ss/w' (p%40ss%2Fw)", "p@ss/w") == "bad password '***' (***)"
    assert without_secret("a short one stays", "a") == "a short one stays"


def test_spec_hides_credentials_but_hands_them_to_the_child() -> None:
    spec = SourceSpec(name="cam", url="rtsp://u:inurl@h/x", username="viewer", password=Secret("s3cret!"), fps=5, stall_s=3, transport="udp")
    for text in (repr(spec), str(spec), spec.shown, spec.clean("rtsp://u:inurl@h/x s3cret!")):
        assert "s3cret" not in text
        assert "inurl" not in text
    assert SourceSpec.from_json(spec.to_json()) == spec
    assert "\n" not in spec.to_json()
