# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Suites of mirrors, asked of a small server on this host.

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ansible", reason="the mirror is asked by Ansible's own open_url")

from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.hosts import Image
from ansible_collections.nspawn.runner.plugins.plugin_utils._doctor import mirrors
from ansible_collections.nspawn.runner.plugins.plugin_utils._doctor.check import OK, PROBLEM, WARNING, Subject

LOGIN = f"Basic {base64.b64encode(b'user:word').decode()}"


class _Answers(BaseHTTPRequestHandler):
    """Suites: sid with InRelease, old with Release alone, `private` for a user, `broken`, and `slow`, which never ends."""

    def do_GET(self) -> None:
        asked = self.path.removeprefix("/debian/dists/")
        if asked == "slow/InRelease":
            self.server.ended.wait()  # type: ignore[attr-defined]
        status = {"sid/InRelease": 200, "old/Release": 200, "broken/InRelease": 500}.get(asked, 404)
        if asked == "private/InRelease":
            status = 200 if self.headers.get("Authorization") == LOGIN else 401
        self.send_response(status)
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as server:
        server.ended = threading.Event()  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}/debian"
        server.ended.set()  # type: ignore[attr-defined]
        server.shutdown()


def _subject(mirror: str | None, suite: str | None = "sid", root: str = "/nowhere", **more: Any) -> Subject:
    settings = {"mirror": mirror, "chroot_suite": suite, **more}
    image = Image("aa", root, f"{root}/aa", "/etc/nspawn-runner/aa.yml")
    return Subject(image, "", {f"nspawn_runner_{name}": value for name, value in settings.items()})


def _rows(*subjects: Subject) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in mirrors.mirrors(subjects)]


def test_suites_that_a_mirror_has_or_lacks(server: str, tmp_path: Path) -> None:
    url = f"http://{server}"
    assert _rows(_subject(url), _subject(f"http://{server}", "old"), _subject(url)) == [(OK, f"{url} has sid, old")]
    (tmp_path / "aa").mkdir()
    rows = list(mirrors.mirrors([_subject(url), _subject(url, "syd"), _subject(url, "sdi", str(tmp_path))]))
    assert [row[:2] for row in rows] == [(PROBLEM, f"{url} has no suite syd"), (WARNING, f"{url} has no suite sdi")]
    assert all("/etc/nspawn-runner/aa.yml" in row[2] for row in rows)


def test_a_login_is_used_and_not_shown(server: str) -> None:
    shown = f"http://{server}"
    assert _rows(_subject(f"http://user:word@{server}", "private")) == [(OK, f"{shown} has private")]
    assert _rows(_subject(f"http://user:wrong@{server}", "private")) == [(WARNING, f"{shown} answers with status 401")]


def test_a_mirror_that_gives_no_answer_is_a_warning(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _rows(_subject(f"http://{server}", "broken")) == [(WARNING, f"http://{server} answers with status 500")]
    for url in ("http://127.0.0.1:1/debian", f"https://{server}", "http://nowhere.invalid/debian", "http:///debian"):
        ((result, found),) = _rows(_subject(url))
        assert (result, found.startswith(f"{url} cannot be reached from this host: ")) == (WARNING, True)
        assert "None" not in found
    monkeypatch.setattr(mirrors, "_PATIENCE", 0.3)
    assert _rows(_subject(f"http://{server}", "slow")) == [(WARNING, f"http://{server} does not answer within 0.3 seconds")]


@pytest.mark.parametrize(
    "subject",
    [
        pytest.param(_subject(None), id="no mirror"),
        pytest.param(_subject("http://127.0.0.1:1/debian", None), id="no suite"),
        pytest.param(_subject("http://127.0.0.1:1/debian", tarball="/srv/aa.tar"), id="an archive"),
        pytest.param(_subject("http://127.0.0.1:1/debian", create_command=["true"]), id="a command"),
        pytest.param(_subject("file:/srv/debian"), id="a directory"),
        pytest.param(Subject(Image("aa", "/x", "/x/aa", ""), ""), id="an image without a playbook"),
    ],
)
def test_a_mirror_that_is_not_asked(subject: Subject) -> None:
    assert _rows(subject) == []
