# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the doctor's check of the package archives that playbooks name. Names can change at any time.

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import quote

from ansible.module_utils.urls import open_url

from ansible_collections.nspawn.runner.plugins.module_utils._create.repositories import Mirror, mirror_of
from ansible_collections.nspawn.runner.plugins.module_utils._host.nspawn import proxy_environment
from ansible_collections.nspawn.runner.plugins.plugin_utils._doctor.check import OK, PROBLEM, WARNING, Row, Rows, Subject
from ansible_collections.nspawn.runner.plugins.plugin_utils._maintain.deadline import TimedOut, deadline

# Seconds for all questions to one mirror, and for one answer.
_PATIENCE, _ANSWER = 10, 5
# https://wiki.debian.org/DebianRepository/Format: a suite has at least one of them.
_FILES = ("InRelease", "Release")


def mirrors(subjects: Sequence[Subject]) -> Rows:
    """Whether each mirror that a playbook names has the suites that are made from it."""
    wanted: dict[tuple[Mirror, str], dict[str, list[Subject]]] = {}
    for subject in subjects:
        settings = subject.settings or {}
        suite, mirror = settings.get("nspawn_runner_chroot_suite"), mirror_of({"mirror": settings.get("nspawn_runner_mirror")})
        # A command or an archive makes a tree without the mirror.
        others = [settings.get(f"nspawn_runner_{name}") for name in ("create_command", "tarball")]
        if suite and mirror.url.startswith(("http://", "https://")) and not any(others):
            way = (mirror, settings.get("nspawn_runner_proxy") or "")
            wanted.setdefault(way, {}).setdefault(suite, []).append(subject)
    for (mirror, proxy), suites in wanted.items():
        with _environment(proxy_environment(proxy)):
            yield from list(_asked(mirror, suites))


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Adds variables to the environment of this process, in which open_url looks for a proxy."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _asked(mirror: Mirror, suites: dict[str, list[Subject]]) -> Rows:
    remedy = "start the mirror, or write another nspawn_runner_mirror"
    lacking: list[Row] = []
    try:
        with deadline(_PATIENCE):
            lacking = [_lacking(mirror, suite, users) for suite, users in suites.items() if not _has(mirror, suite)]
    except TimedOut:
        yield WARNING, f"{mirror.url} does not answer within {_PATIENCE} seconds", remedy
    except HTTPError as problem:
        yield WARNING, f"{mirror.url} answers with status {problem.code}", remedy
    # An error of the network, of TLS, of a server that speaks another protocol, or a URL without a host.
    except (OSError, HTTPException, ValueError) as problem:
        yield WARNING, f"{mirror.url} cannot be reached from this host: {getattr(problem, 'reason', None) or problem}", remedy
    else:
        yield from lacking or [(OK, f"{mirror.url} has {', '.join(suites)}")]


def _has(mirror: Mirror, suite: str) -> bool:
    for file in _FILES:
        url = f"{mirror.url.rstrip('/')}/dists/{quote(suite)}/{file}"
        try:
            # The answer's body is not read.
            open_url(url, timeout=_ANSWER, url_username=mirror.user or None, url_password=mirror.password or None, force_basic_auth=True).close()
        except HTTPError as problem:
            if problem.code not in (404, 410):
                raise
        else:
            return True
    return False


def _lacking(mirror: Mirror, suite: str, users: list[Subject]) -> Row:
    result = WARNING if all(os.path.lexists(user.image.path) for user in users) else PROBLEM
    playbooks = " and ".join(sorted({user.image.playbook for user in users}))
    return result, f"{mirror.url} has no suite {suite}", f"write another nspawn_runner_chroot_suite or nspawn_runner_mirror into {playbooks}"
