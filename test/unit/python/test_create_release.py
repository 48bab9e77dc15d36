# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from ansible_collections.nspawn.runner.plugins.module_utils._create import release
from ansible_collections.nspawn.runner.plugins.module_utils._create.release import NoAnswer, has_expired, read_release

SIGNED = (
    "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nOrigin: Debian\nLabel: Debian\nValid-Until: Sat, 01 Jan 2000 00:00:00 UTC\n"
    "SHA256:\n 00 1 Origin: main\nOrigin: Other\n"
)


class Archive(BaseHTTPRequestHandler):
    """Answers by the first directory of the path."""

    asked: ClassVar[list[tuple[str, str | None]]] = []

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("Authorization")))
        place = self.path.split("/")[1]
        if place == "moved":
            self.send_response(302)
            self.send_header("Location", self.path.replace("/moved/", "/debian/"))
            self.end_headers()
            return
        found = place == "debian" or (place == "old" and self.path.endswith("/Release"))
        self.send_response(200 if found else int(place) if place.isdecimal() else 404)
        self.end_headers()
        self.wfile.write((SIGNED + "x" * (1 << 20)).encode() if found else b"")

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    Archive.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Archive) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("place", ["debian", "debian/", "old", "moved"])
def test_the_first_fields(server: str, place: str) -> None:
    fields = read_release(f"{server}/{place}", "trixie")
    assert fields is not None
    assert (fields["Origin"], fields["Label"]) == ("Debian", "Debian")
    assert "//dists" not in Archive.asked[0][0]


@pytest.mark.parametrize("place", ["none", "404", "410"])
def test_an_archive_without_the_suite(server: str, place: str) -> None:
    assert read_release(f"{server}/{place}", "trixie") is None


@pytest.mark.parametrize("place", ["401", "403", "500", "503"])
def test_an_answer_that_proves_nothing(server: str, place: str) -> None:
    with pytest.raises(NoAnswer, match=f"HTTP status {place}"):
        read_release(f"{server}/{place}", "trixie")


def test_no_answer(server: str) -> None:
    for url in ("http://127.0.0.1:1/debian", "http://256.256.256.256/", "tor+http://x.example.org/debian"):
        with pytest.raises(NoAnswer, match=r"\w"):
            read_release(url, "trixie")


def test_a_login_goes_to_the_archive_alone(server: str) -> None:
    read_release(f"{server}/moved", "trixie", "me", "k/y")
    assert Archive.asked == [("/moved/dists/trixie/InRelease", "Basic bWU6ay95"), ("/debian/dists/trixie/InRelease", None)]


def test_a_proxy_is_asked_for_the_archive(server: str) -> None:
    with suppress(NoAnswer):
        read_release("http://none.example.org/debian", "trixie", proxy=server)
    assert Archive.asked[0][0] == "http://none.example.org/debian/dists/trixie/InRelease"


def test_a_slow_archive(monkeypatch: pytest.MonkeyPatch, server: str) -> None:
    monkeypatch.setattr(release, "_LONGEST", -1)
    with pytest.raises(NoAnswer, match="sends"):
        read_release(f"{server}/debian", "trixie")


@pytest.mark.parametrize("scheme", ["file://", "copy:", "file:"])
def test_an_archive_on_the_disk(tmp_path: Path, scheme: str) -> None:
    directory = tmp_path / "a b/dists/trixie"
    directory.mkdir(parents=True)
    url = f"{scheme}{tmp_path}/a%20b"
    assert read_release(url, "trixie") is None
    (directory / "Release").write_text("Origin: Own\n")
    assert read_release(url, "trixie") == {"Origin": "Own"}
    (directory / "InRelease").mkdir()
    assert read_release(url, "trixie") == {"Origin": "Own"}


@pytest.mark.parametrize(
    ("fields", "expired"),
    [
        ({}, False),
        ({"Valid-Until": "Sat, 01 Jan 2000 00:00:00 UTC"}, True),
        ({"Valid-Until": "Fri, 01 Jan 2100 00:00:00 UTC"}, False),
        ({"Valid-Until": "soon"}, False),
        ({"Valid-Until": "Fri, 99 Jan 99999 00:00:00 UTC"}, False),
    ],
)
def test_an_archive_that_is_no_longer_updated(fields: dict[str, str], expired: bool) -> None:
    assert has_expired(fields) is expired
