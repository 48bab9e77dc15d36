# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: what a host needs to make and maintain images. It only looks. Names can change at any time.

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import yaml
from ansible import constants as C
from ansible.module_utils.compat.version import LooseVersion
from ansible.plugins.loader import connection_loader
from ansible.release import __version__ as ANSIBLE

from ansible_collections.nspawn.runner.plugins.module_utils import _bootstrap, _layout, _record, _remove, _stage, _state
from ansible_collections.nspawn.runner.plugins.module_utils._bootstrap_tools import BOOTSTRAP_TOOLS
from ansible_collections.nspawn.runner.plugins.module_utils._guard import plain_text, run
from ansible_collections.nspawn.runner.plugins.module_utils._nspawn_flags import MINIMUM_SYSTEMD
from ansible_collections.nspawn.runner.plugins.module_utils._state import ChrootError, Place
from ansible_collections.nspawn.runner.plugins.plugin_utils._image_vars import Image
from ansible_collections.nspawn.runner.plugins.plugin_utils._maintenance import CREATION, SOURCES

OK, WARNING, PROBLEM = "ok", "warning", "problem"

_COLLECTION = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
_CONNECTION = "nspawn.runner.nspawn"
_CHROOT = "community.general.chroot"
_DAY = 86400

# Of one check: result, what was found, remedy.
Rows = Iterator[tuple[str, ...]]


class Check(NamedTuple):
    """A line of the table."""

    check: str
    result: str
    found: str
    remedy: str = ""


class Subject(NamedTuple):
    """An image as a maintenance would find it."""

    image: Image
    connection: str
    # None without a playbook, or with a problem.
    settings: Mapping[str, Any] | None = None
    problem: str | None = None


def examine(subjects: Sequence[Subject], listed: bool, forks: int) -> list[Check]:
    """All checks of this host and its images. `listed`: whether an inventory lists images, be they none."""
    roots = {subject.image.root for subject in subjects} or {os.environ.get("NSPAWN_RUNNER_ROOT") or _layout.ROOT}
    checks: list[tuple[str, Callable[..., Rows], tuple[Any, ...]]] = [
        ("user", _user, ()),
        ("ansible", _ansible, ()),
        ("inventory", _inventory, (subjects, listed)),
        ("systemd-nspawn", _nspawn, ()),
        ("connection", _connection, (subjects,)),
        ("facts", _facts, (subjects,)),
        ("bootstrap", _tools, ()),
        ("clock", _clock, ()),
        ("DNS", _dns, ()),
        ("overlay", _overlay, ()),
        ("cgroups", _cgroups, ()),
        ("forks", _forks, (len(subjects), forks)),
    ]
    for root in sorted(roots):
        checks += [("root directory", _root, (root,)), ("copies", _copies, (root, subjects))]
    checks += [(f"image {subject.image.name}", _image, (subject,)) for subject in subjects]
    return [Check(*map(_plain, check)) for entry in checks for check in _tried(*entry)]


def _plain(text: str) -> str:
    return plain_text(" ".join(text.split()).encode(errors="replace"))


def _tried(name: str, check: Callable[..., Rows], arguments: tuple[Any, ...]) -> Iterator[Check]:
    try:
        for row in check(*arguments):
            yield Check(name, *row)
    except ChrootError as problem:
        yield _told(name, PROBLEM, str(problem))
    except OSError as problem:
        yield Check(name, PROBLEM, f"{problem.filename}: {problem.strerror}", "run as root" if isinstance(problem, PermissionError) else "")


def _told(name: str, result: str, sentence: str) -> Check:
    """Our errors end with what to do."""
    found, colon, remedy = sentence.rpartition(": ")
    return Check(name, result, found, re.sub("^run ", "", remedy)) if colon else Check(name, result, sentence)


def _user() -> Rows:
    if os.geteuid() == 0:
        yield OK, "root"
    else:
        yield PROBLEM, f"user {os.geteuid()}", "run ansible-playbook as root, for example under sudo"


def _ansible() -> Rows:
    with open(os.path.join(_COLLECTION, "meta/runtime.yml"), encoding="utf-8") as file:
        wanted = yaml.safe_load(file)["requires_ansible"]
    with open(os.path.join(_COLLECTION, "MANIFEST.json"), encoding="utf-8") as file:
        own = json.load(file)["collection_info"]["version"]
    found = f"ansible-core {ANSIBLE}, nspawn.runner {own}"
    if LooseVersion(ANSIBLE) >= LooseVersion(wanted.removeprefix(">=")):
        yield OK, found
    else:
        yield PROBLEM, found, f"install ansible-core {wanted}"


def _inventory(subjects: Sequence[Subject], listed: bool) -> Rows:
    # A bad file is no more than a warning of Ansible's.
    if listed:
        yield OK, f"{len(subjects)} image{'s' * (len(subjects) != 1)}"
    else:
        yield PROBLEM, "lists no images", "give a file that ends in nspawn_runner.yml with -i, or mend the one whose error is shown above"


def _nspawn() -> Rows:
    if not _bootstrap.program("systemd-nspawn"):
        yield PROBLEM, "not installed", "apt install systemd-container"
        return
    _status, tail = run(["systemd-nspawn", "--version"], lambda line: None)
    match = re.match(r"systemd (\d+)", tail[0] if tail else "")
    version = int(match[1]) if match else 0
    if version < MINIMUM_SYSTEMD:
        yield PROBLEM, f"systemd {version or 'of unknown version'}", f"upgrade this host to systemd {MINIMUM_SYSTEMD} or later"
    elif version < 260:
        # The wrapper gives the option itself.
        yield OK, f"systemd {version}", "start jobs with --settings=no too: CVE-2026-40226"
    else:
        yield OK, f"systemd {version}"


def _connection(subjects: Sequence[Subject]) -> Rows:
    for name in sorted({subject.connection for subject in subjects} or {_CONNECTION}):
        if connection_loader.find_plugin_with_context(name).resolved:
            yield OK, name
        else:
            install = f"ansible-galaxy collection install {name.rpartition('.')[0]}"
            yield PROBLEM, f"{name} is not installed", f"apt install ansible, or {install}" if name == _CHROOT else install


def _facts(subjects: Sequence[Subject]) -> Rows:
    if getattr(C, "INJECT_FACTS_AS_VARS", False):
        file = C.CONFIG_FILE or os.path.join(os.getcwd(), "ansible.cfg")
        # That connection plugin takes the program that it runs on the host from a variable.
        what = "choose a program that runs on this host" if any(subject.connection == _CHROOT for subject in subjects) else "override a variable"
        yield WARNING, f"a fact from a tree can {what}", f"write inject_facts_as_vars = False into [defaults] of {file}"
    else:
        yield OK, "cannot override a variable"


def _tools() -> Rows:
    installed = [tool["program"] for tool in BOOTSTRAP_TOOLS if _bootstrap.program(tool["program"])]
    if installed:
        yield OK, ", ".join(installed)
    else:
        yield WARNING, "no tool is installed", f"apt install {BOOTSTRAP_TOOLS[0]['package']}"


def _clock() -> Rows:
    now = time.time()
    text = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now))
    # With such a clock no signature of an archive is valid yet.
    if os.stat(__file__).st_mtime > now + _DAY:
        yield PROBLEM, f"{text}, before this collection was installed", "timedatectl set-ntp true"
    else:
        yield OK, text


def _dns() -> Rows:
    path = "/etc/resolv.conf"
    # The containers get this file and share the network, so a resolver on a loopback address serves them too.
    if os.path.isfile(path):
        with open(path, encoding="utf-8", errors="replace") as file:
            found = re.findall(r"^\s*nameserver\s+(\S+)", file.read(), re.MULTILINE)
        if found:
            yield OK, ", ".join(found)
            return
    yield WARNING, f"{path} names no server, so containers find no host by name", f"write 'nameserver ADDRESS' into {path}"


def _overlay() -> Rows:
    with open("/proc/filesystems", encoding="utf-8") as file:
        known = "overlay" in file.read().split()
    modprobe = _bootstrap.program("modprobe")
    if known or (modprobe and run([modprobe, "--dry-run", "overlay"], lambda line: None)[0] == 0):
        yield OK, "available"
    else:
        yield WARNING, "this kernel has no overlay file system", "load its module: jobs that start with --overlay need it"


def _cgroups() -> Rows:
    if os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        yield OK, "version 2"
    else:
        remedy = "boot with systemd.unified_cgroup_hierarchy=1: jobs that boot an image with systemd 258 or later need it"
        yield WARNING, "version 1", remedy


def _forks(images: int, forks: int) -> Rows:
    processors, at_once = len(os.sched_getaffinity(0)), min(images, forks)
    found = f"{forks}, on {processors} processor{'s' * (processors != 1)}"
    # A maintenance waits for the network and the disk as well.
    if at_once > 4 * processors:
        yield WARNING, f"{found}: {at_once} images at once", f"give --forks {2 * processors}, or write forks = {2 * processors} into ansible.cfg"
    else:
        yield OK, found


def _root(root: str) -> Rows:
    _state.check_root(root)
    if not os.path.lexists(root):
        yield OK, f"{root} is made by the first run"
    elif os.stat(root).st_mode & 0o001:
        yield WARNING, f"{root}: every user can run the setuid programs of its trees", f"chmod 0700 {root}"
    else:
        yield OK, root


def _copies(root: str, subjects: Sequence[Subject]) -> Rows:
    there = root
    while not os.path.isdir(there):
        there = os.path.dirname(there)
    if _remove.has_subvolumes(there):
        yield OK, "snapshots, on btrfs"
    elif _remove.is_btrfs(there):
        yield WARNING, f"no snapshots: {there} is on btrfs, and its program is missing", "apt install btrfs-progs"
    # It tries with files that have no name.
    elif _stage.shares_extents(there):
        yield OK, "share their blocks"
    else:
        yield _space(there, [subject.image.path for subject in subjects if subject.image.root == root])


def _space(there: str, paths: Sequence[str]) -> tuple[str, ...]:
    system = os.statvfs(there)
    size = (system.f_blocks - system.f_bfree) * system.f_frsize
    free = system.f_bavail * system.f_frsize
    # No tree is larger than all that is there: mostly that is answer enough.
    if _stage.needed(size) > free:
        trees = [path for path in paths if os.path.isdir(path) and not os.path.islink(path)]
        size = max((_stage.used(tree, "--block-size=1") for tree in trees), default=0)
    missing = (_stage.needed(size) - free) / (1 << 20)
    if missing > 0:
        return PROBLEM, f"plain: the largest tree does not fit a second time into {there}", f"free {missing:.0f} MiB there, or use btrfs or xfs"
    return OK, f"plain, {free >> 20} MiB are free"


def _image(subject: Subject) -> Rows:
    image = subject.image
    place = Place(image.root, image.name)
    rows: list[tuple[str, ...]] = []
    if subject.problem:
        rows.append((PROBLEM, subject.problem, f"mend {image.playbook}"))
    elif subject.settings is not None:
        rows += _creation(image, subject.settings)
    rows += _history(place, _record.load(place), subject.settings)
    there = "is there" if os.path.lexists(image.path) else "is made by the next run"
    yield from rows or [(OK, there if image.playbook else "has no playbook, and is left alone")]


def _creation(image: Image, settings: Mapping[str, Any]) -> Rows:
    options = {option: settings.get(variable) for option, variable in CREATION.items()}
    missing = not os.path.lexists(image.path)
    if any(options[source] is not None for source in SOURCES):
        try:
            _bootstrap.plan(options)
        except ChrootError as problem:
            yield _told("", PROBLEM if missing else WARNING, str(problem))[1:]
    elif missing:
        yield PROBLEM, "is missing, and its playbook does not say how to make it", f"set {CREATION[SOURCES[0]]} in the vars of {image.playbook}"


def _history(place: Place, content: Mapping[str, Any], settings: Mapping[str, Any] | None) -> Rows:
    if "hold" in content:
        yield WARNING, f"held since {content['hold']['since']}", f"ansible-playbook nspawn.runner.release --limit {place.image}"
    last = content.get("last_run")
    if not isinstance(last, Mapping):
        return
    log = os.path.join(place.state, _layout.LOG_FILE)
    if last.get("result") in ("failed", "busy"):
        yield WARNING, f"the run of {last.get('started')} failed", f"see {log}"
    if settings is None:
        return
    there = [entry for entry in content["generations"] if entry["id"] in _record.directories(place)]
    # Only those that the last run should have removed already.
    due = (_record.seconds(last.get("started")) or 0) - settings["nspawn_runner_keep_days"] * _DAY
    kept = settings["nspawn_runner_keep_generations"]
    old = [entry["id"] for entry in there[kept:] if (_record.seconds(entry.get("retired")) or 0) < due]
    if old:
        yield WARNING, f"{', '.join(old)} could not be removed", f"end what uses it, as {log} says"
