# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: what a host needs to make and maintain images, apart from the images. It only looks. Names can change at any time.

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Sequence
from functools import cache
from glob import glob
from urllib.parse import urlsplit

import yaml
from ansible import constants as C
from ansible.module_utils.compat.version import LooseVersion
from ansible.plugins.loader import connection_loader
from ansible.release import __version__ as ANSIBLE

from ansible_collections.nspawn.runner.plugins.module_utils._host.nspawn import flags
from ansible_collections.nspawn.runner.plugins.module_utils._host.paths import COLLECTION
from ansible_collections.nspawn.runner.plugins.module_utils._host.process import find_program, guarded, run
from ansible_collections.nspawn.runner.plugins.module_utils._spec.bootstrap_tools import BOOTSTRAP_TOOLS
from ansible_collections.nspawn.runner.plugins.module_utils._spec.nspawn_flags import ENVIRONMENT, MINIMUM_SYSTEMD
from ansible_collections.nspawn.runner.plugins.plugin_utils._doctor.check import OK, PROBLEM, WARNING, Rows, Subject

_CONNECTION = "nspawn.runner.nspawn"
_CHROOT = "community.general.chroot"
_DAY = 86400
_RESOLV_CONF = "/etc/resolv.conf"


def user() -> Rows:
    if os.geteuid() == 0:
        yield OK, "root"
    else:
        yield PROBLEM, f"user {os.geteuid()}", "run ansible-playbook as root, for example under sudo"


def ansible() -> Rows:
    with open(os.path.join(COLLECTION, "meta/runtime.yml"), encoding="utf-8") as file:
        wanted = yaml.safe_load(file)["requires_ansible"]
    with open(os.path.join(COLLECTION, "MANIFEST.json"), encoding="utf-8") as file:
        own = json.load(file)["collection_info"]["version"]
    found = f"ansible-core {ANSIBLE}, nspawn.runner {own}"
    if LooseVersion(ANSIBLE) >= LooseVersion(wanted.removeprefix(">=")):
        yield OK, found
    else:
        yield PROBLEM, found, f"install ansible-core {wanted}"


def inventory(subjects: Sequence[Subject], listed: bool) -> Rows:
    # A bad file is no more than a warning of Ansible's.
    if listed:
        yield OK, f"{len(subjects)} image{'s' * (len(subjects) != 1)}"
    else:
        yield PROBLEM, "lists no images", "give a file that ends in nspawn_runner.yml with -i, or mend the one whose error is shown above"


def nspawn() -> Rows:
    if not find_program("systemd-nspawn"):
        yield PROBLEM, "not installed", "apt install systemd-container"
        return
    _status, tail = run(["systemd-nspawn", "--version"])
    match = re.match(r"systemd (\d+)", tail[0] if tail else "")
    version = int(match[1]) if match else 0
    if version < MINIMUM_SYSTEMD:
        yield PROBLEM, f"systemd {version or 'of unknown version'}", f"upgrade this host to systemd {MINIMUM_SYSTEMD} or later"
    elif version < 260:
        # The wrapper gives the option itself.
        yield OK, f"systemd {version}", "start jobs with --settings=no too: CVE-2026-40226"
    else:
        yield OK, f"systemd {version}"


def connection(subjects: Sequence[Subject]) -> Rows:
    for name in sorted({subject.connection for subject in subjects} or {_CONNECTION}):
        if connection_loader.find_plugin_with_context(name).resolved:
            yield OK, name
        else:
            install = f"ansible-galaxy collection install {name.rpartition('.')[0]}"
            yield PROBLEM, f"{name} is not installed", f"apt install ansible, or {install}" if name == _CHROOT else install


def facts(subjects: Sequence[Subject]) -> Rows:
    if getattr(C, "INJECT_FACTS_AS_VARS", False):
        file = C.CONFIG_FILE or os.path.join(os.getcwd(), "ansible.cfg")
        # That connection plugin takes the program that it runs on the host from a variable.
        what = "choose a program that runs on this host" if any(subject.connection == _CHROOT for subject in subjects) else "override a variable"
        yield WARNING, f"a fact from a tree can {what}", f"write inject_facts_as_vars = False into [defaults] of {file}"
    else:
        yield OK, "cannot override a variable"


def tools() -> Rows:
    found = [f"{tool['program']} ({_suites(tool['suite_files'])})" for tool in BOOTSTRAP_TOOLS if find_program(tool["program"])]
    if found:
        yield OK, ", ".join(found)
    else:
        yield WARNING, "no tool is installed", f"apt install {BOOTSTRAP_TOOLS[0]['package']}"


def _suites(patterns: Sequence[str]) -> str:
    if not patterns:
        return "any suite"
    number = len({path for pattern in patterns for path in glob(pattern.format(suite="*"))})
    return f"{number} suites, in {os.path.dirname(patterns[0])}"


def clock() -> Rows:
    now = time.time()
    text = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now))
    # With such a clock no signature of an archive is valid yet.
    if os.stat(__file__).st_mtime > now + _DAY:
        yield PROBLEM, f"{text}, before this collection was installed", "timedatectl set-ntp true"
    else:
        yield OK, text


def container() -> Rows:
    if not _can_start():
        return
    said = _in_container("echo started")
    if "started" in said:
        yield OK, "starts"
    else:
        yield PROBLEM, f"none starts: {'; '.join(said) or 'systemd-nspawn says nothing'}", "mend what systemd-nspawn --volatile=yes --directory=/ true says"


def _can_start() -> bool:
    """Else there is another problem to solve first."""
    return os.geteuid() == 0 and find_program("systemd-nspawn") is not None


def _in_container(script: str, *arguments: str) -> list[str]:
    """What a shell script prints in a container like those of the images, but of this host's own programs: read-only, with nothing else in it."""
    binds = [f"--bind-ro={_RESOLV_CONF}"] if os.path.isfile(_RESOLV_CONF) else []
    argv = ["systemd-nspawn", *flags("doctor"), *binds, "--volatile=yes", "--directory=/", "--", "/bin/sh", "-c", script, "sh", *arguments]
    return run(guarded(argv), environment=ENVIRONMENT)[1]


def dns(subjects: Sequence[Subject]) -> Rows:
    servers: list[str] = []
    if os.path.isfile(_RESOLV_CONF):
        with open(_RESOLV_CONF, encoding="utf-8", errors="replace") as file:
            servers = re.findall(r"^\s*nameserver\s+(\S+)", file.read(), re.MULTILINE)
    if not servers:
        yield WARNING, f"{_RESOLV_CONF} names no server, so containers find no host by name", f"write 'nameserver ADDRESS' into {_RESOLV_CONF}"
        return
    # The containers get this file and share the network, so a resolver on a loopback address serves them too.
    lost = _not_found(sorted({name for subject in subjects for name in _archives(subject)}))
    if lost:
        yield WARNING, f"containers do not find {', '.join(lost)} by {', '.join(servers)}", f"mend {_RESOLV_CONF}, unless a proxy finds hosts for the tasks"
    else:
        yield OK, ", ".join(servers)


def _archives(subject: Subject) -> list[str]:
    """Hosts that are asked for packages, as far as the image's variables tell."""
    settings = subject.settings or {}
    if settings.get("nspawn_runner_network") == "none":
        return []
    if mirror := settings.get("nspawn_runner_mirror"):
        return _hosts([mirror])
    return _own_archives() if settings.get("nspawn_runner_chroot_suite") else []


@cache
def _own_archives() -> list[str]:
    """Those of this host's apt: likely the ones that a bootstrap tool takes by itself."""
    if not find_program("apt-get"):
        return []
    return _hosts(run(["apt-get", "indextargets", "--format=$(SITE)", "Created-By: Packages"])[1])


def _hosts(urls: Sequence[str]) -> list[str]:
    return [name for name in (urlsplit(url).hostname for url in urls) if name]


def _not_found(names: Sequence[str]) -> list[str]:
    if not names or not _can_start():
        return []
    script = 'echo started; export RES_OPTIONS="timeout:3 attempts:2"; for name; do getent ahosts "$name" >/dev/null && echo "found $name"; done'
    said = _in_container(script, *names)
    return [name for name in names if f"found {name}" not in said] if "started" in said else []


def overlay() -> Rows:
    with open("/proc/filesystems", encoding="utf-8") as file:
        known = "overlay" in file.read().split()
    modprobe = find_program("modprobe")
    if known or (modprobe and run([modprobe, "--dry-run", "overlay"])[0] == 0):
        yield OK, "available"
    else:
        yield WARNING, "this kernel has no overlay file system", "load its module: jobs that start with --overlay need it"


def cgroups() -> Rows:
    if os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        yield OK, "version 2"
    else:
        remedy = "boot with systemd.unified_cgroup_hierarchy=1: jobs that boot an image with systemd 258 or later need it"
        yield WARNING, "version 1", remedy


def forks(images: int, forks: int) -> Rows:
    processors, at_once = len(os.sched_getaffinity(0)), min(images, forks)
    found = f"{forks}, on {processors} processor{'s' * (processors != 1)}"
    # A maintenance waits for the network and the disk as well.
    if at_once > 4 * processors:
        yield WARNING, f"{found}: {at_once} images at once", f"give --forks {2 * processors}, or write forks = {2 * processors} into ansible.cfg"
    else:
        yield OK, found
