"""Credentials in URLs: put in at the last moment, taken out of everything that a person or a log may see.

rtsp://viewer:s3cret@10.0.0.7:554/stream1?token=abc
       └──── userinfo ───┘                      └─┘ values of secret-looking parameters
"""

from __future__ import annotations

import re
from urllib.parse import quote

HIDDEN = "***"
# Up to the last @ of the authority: people leave an @ in passwords unencoded, and FFmpeg accepts that.
_USERINFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)[^/?#\s'\"<>]*@")
# A password with an unencoded / ? or # ends what a parser takes for the authority. That it is one shows in a "port" that is no number.
_BROKEN_USERINFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?=[^/?#\s:@]*:(?!\d+(?:[/?#]|$)|\[))[^\s'\"<>@]*@(?:[^\s'\"<>/@]*@)*")
_PARAMETER = re.compile(r"(?P<key>(?:pass(?:word|wd|wort)?|pwd|psw|token|secret|auth|api_?key)=)[^&\s'\"<>]+", re.IGNORECASE)
_LEAST_SECRET = 3  # a shorter password would be found inside ordinary words


def redact(text: str) -> str:
    """`text` without the credentials of any URL in it: userinfo and the values of parameters such as password= or token=."""
    text = _USERINFO.sub(rf"\g<scheme>{HIDDEN}@", text)
    text = _BROKEN_USERINFO.sub(rf"\g<scheme>{HIDDEN}@", text)
    return _PARAMETER.sub(rf"\g<key>{HIDDEN}", text)


def without_secret(text: str, secret: str | None) -> str:
    """`redact`, and every appearance of `secret` itself, plain or percent-encoded."""
    text = redact(text)
    if secret and len(secret) >= _LEAST_SECRET:
        for form in (secret, quote(secret, safe=""), quote(secret)):
            text = text.replace(form, HIDDEN)
    return text


def with_credentials(url: str, username: str | None, password: str | None) -> str:
    """`url` with percent-encoded userinfo, replacing what it has; unchanged when neither is given or the URL has no authority (a device)."""
    scheme, mark, rest = url.partition("://")
    if not mark or (username is None and password is None):
        return url
    authority, slash, path = rest.partition("/")
    host = authority.rpartition("@")[2]
    userinfo = quote(username or "", safe="")
    if password is not None:
        userinfo += ":" + quote(password, safe="")
    return f"{scheme}://{userinfo}@{host}{slash}{path}"
