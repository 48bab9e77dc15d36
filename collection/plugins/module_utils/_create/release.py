# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the first fields of a suite's Release file, before apt checks its signature. Names can change at any time.

from __future__ import annotations

import base64
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from urllib.parse import unquote, urlsplit

# Bytes from the start of the file, where the fields are; the checksums follow.
_START = 16 << 10
# Seconds for one answer, and for all of the start.
_PATIENCE, _LONGEST = 10, 30
_MISSING = (404, 410)


class NoAnswer(Exception):
    """Whether the archive has the suite is not known."""


def read_release(url: str, suite: str, user: str = "", password: str = "", proxy: str = "") -> dict[str, str] | None:
    """The fields at the start of a suite's Release file; None if the archive has no such suite. Raises NoAnswer.

    `proxy`: instead of the one in the environment.

    The fields are not trusted: they choose which repositories apt is asked for, and apt checks the signatures.
    """
    parts = urlsplit(url)
    for name in ("InRelease", "Release"):
        if parts.scheme in ("file", "copy"):
            start = _read_local(os.path.join(unquote(parts.path), "dists", suite, name))
        elif parts.scheme in ("http", "https"):
            start = _read_remote(f"{url.rstrip('/')}/dists/{suite}/{name}", user, password, proxy)
        else:
            raise NoAnswer(f"a URL with {parts.scheme} is not looked at")
        if start is not None:
            return _fields(start.decode("utf-8", "replace"))
    return None


def _read_local(path: str) -> bytes | None:
    if not os.path.isfile(path):
        return None
    try:
        with open(path, "rb") as file:
            return file.read(_START)
    except OSError as exc:
        raise NoAnswer(exc.strerror or str(exc)) from exc


def _read_remote(url: str, user: str, password: str, proxy: str) -> bytes | None:
    # As apt, an archive's cache may answer, but not with an outdated file.
    request = urllib.request.Request(url, headers={"User-Agent": "nspawn.runner", "Cache-Control": "max-age=0"})
    if password:
        # No archive that this one redirects to gets the login.
        request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}")
    try:
        proxies = [urllib.request.ProxyHandler({"http": proxy, "https": proxy})] if proxy else []
        with urllib.request.build_opener(*proxies).open(request, timeout=_PATIENCE) as response:
            return _read_start(response)
    except urllib.error.HTTPError as exc:
        if exc.code in _MISSING:
            return None
        raise NoAnswer(f"HTTP status {exc.code}") from exc
    except urllib.error.URLError as exc:
        raise NoAnswer(str(exc.reason)) from exc
    except (OSError, http.client.HTTPException, ValueError) as exc:
        raise NoAnswer(str(exc) or type(exc).__name__) from exc


def _read_start(response: http.client.HTTPResponse) -> bytes:
    start = b""
    deadline = time.monotonic() + _LONGEST
    while len(start) < _START and (chunk := response.read1(_START)):
        start += chunk
        if time.monotonic() > deadline:
            raise NoAnswer(f"it sends {_START} bytes in more than {_LONGEST} s")
    return start


def _fields(text: str) -> dict[str, str]:
    """The fields before the first checksum, of a file with a signature around it or without."""
    fields: dict[str, str] = {}
    for line in text.split("\n"):
        name, colon, value = line.partition(":")
        if name in ("MD5Sum", "SHA1", "SHA256", "SHA512"):
            break
        if colon and name == name.strip():
            fields.setdefault(name, value.strip())
    return fields


def has_expired(release: Mapping[str, str]) -> bool:
    """Whether apt would refuse this Release file, since the archive is no longer updated."""
    try:
        return parsedate_to_datetime(release["Valid-Until"]).timestamp() < time.time()
    except (KeyError, TypeError, ValueError, OverflowError):
        return False
