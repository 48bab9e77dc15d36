# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Makes the collection importable under the name that Ansible uses, and counts the tests for `npm test`.
# A test of plugin_utils begins with `pytest.importorskip("ansible")`: that code imports Ansible, which unit tests do not require.

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path

import pytest

TOP = Path(__file__).parents[3]


def pytest_configure() -> None:
    # Some versions of Ansible add an importer at this import. That importer takes a collection in one directory alone.
    with suppress(ImportError):
        import ansible.plugins.loader  # noqa: F401
        from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

        _AnsibleCollectionFinder._remove()
    # The measurement of coverage counts the lines of the built collection. Otherwise the tests use the sources, which are two directories
    # without an __init__.py: Python's import merges the folders of both, as the build does.
    built = os.environ.get("NSPAWN_RUNNER_COLLECTION")
    collection = [built] if built else [str(TOP / "collection"), str(TOP / "generated/collection")]
    for name, path in (("ansible_collections", []), ("ansible_collections.nspawn", []), ("ansible_collections.nspawn.runner", collection)):
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = path
        sys.modules[name] = module_from_spec(spec)


@pytest.fixture
def deep() -> Iterator[Callable[..., int]]:
    """A function that makes a chain of directories in a directory, longer than any path that can be opened, and returns the last one's descriptor."""
    tops: list[Path] = []
    descriptors: list[int] = []

    def make(directory: Path, depth: int, name: str = "d") -> int:
        tops.append(directory / name)
        descriptors.append(os.open(directory, os.O_PATH))
        for _level in range(depth):
            os.mkdir(name, dir_fd=descriptors[-1])
            descriptor = os.open(name, os.O_PATH, dir_fd=descriptors[-1])
            os.close(descriptors.pop())
            descriptors.append(descriptor)
        return descriptors[-1]

    yield make
    for descriptor in descriptors:
        os.close(descriptor)
    # pytest's own removal of old directories fails for such paths.
    subprocess.run(["rm", "-r", *tops], check=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--counts", metavar="FILE", help="write the numbers of tests, and what failed, as JSON")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not (file := config.getoption("--counts", None)):
        return
    stats = terminalreporter.stats
    failed = [*stats.get("failed", []), *stats.get("error", [])]
    counts = {
        "passed": len(stats.get("passed", [])),
        "failed": len(failed),
        "skipped": len(stats.get("skipped", [])),
        "failures": [f"{report.nodeid}: {_message(report)}" for report in failed],
    }
    Path(file).write_text(json.dumps(counts))


def _message(report: pytest.TestReport | pytest.CollectReport) -> str:
    """The exception's message; an error of pytest's collection has only a text, with the error in the last line."""
    crash = getattr(report.longrepr, "reprcrash", None)
    return crash.message if crash else str(report.longrepr).strip().rsplit("\n", 1)[-1]
