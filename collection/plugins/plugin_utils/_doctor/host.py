# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: the doctor's checks of the host; the checks of its images are in images.py. A check changes nothing. Names can change at any time.

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
from ansible_collections.nspawn.runner.plugins.module_utils._host.writable import writable_by_others
from ansible_collections.nspawn.runner.plugins.module_utils._spec.bootstrap_tools import BOOTSTRAP_TOOLS
from ansible_collections.nspawn.runner.plugins.module_utils._spec.nspawn_flags import ENVIRONMENT, MINIMUM_SYSTEMD
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.hosts import CONNECTIONS
from ansible_collections.nspawn.runner.plugins.plugin_utils._ansible.install import install_remedy
from ansible_collections.nspawn.runner.plugins.plugin_utils._doctor.check import OK, PROBLEM, WARNING, Rows, Subject

_DAY = 86400
_RESOLV_CONF = "/etc/resolv.conf"


def user() -> Rows:
    if os.geteuid() == 0:
        yield OK, "root"
    else:
        yield PROBLEM, f"user {os.geteuid()}", "run ansible-playbook as root, for example under sudo"


def ansible() -> Rows:
    with open(os.path.join(COLLECTION, "meta/runtime.yml"), encoding="utf-8") as file:
        required = yaml.safe_load(file)["requires_ansible"]
    with open(os.path.join(COLLECTION, "MANIFEST.json"), encoding="utf-8") as file:
        version = json.load(file)["collection_info"]["version"]
    found = f"ansible-core {ANSIBLE}, nspawn.runner {version}"
    if LooseVersion(ANSIBLE) >= LooseVersion(required.removeprefix(">=")):
        yield OK, found
    else:
        yield PROBLEM, found, f"install ansible-core {required}"


def inventory(subjects: Sequence[Subject], listed: bool) -> Rows:
    # Ansible itself only warns of a bad file.
    if listed:
        yield OK, f"{len(subjects)} image{'s' * (len(subjects) != 1)}"
    else:
        yield PROBLEM, "lists no images", "give a file that ends in nspawn_runner.yml with -i, or fix the file of the error above"


def files(paths: Sequence[str]) -> Rows:
    found = writable_by_others(paths)
    for writable in found:
        yield PROBLEM, f"root runs files of others: {writable.found}", writable.remedy
    if not found:
        yield OK, "only root can write playbooks, inventories and ansible.cfg"


def nspawn() -> Rows:
    if not find_program("systemd-nspawn"):
        yield PROBLEM, "not installed", "run apt install systemd-container"
        return
    _status, tail = run(["systemd-nspawn", "--version"])
    match = re.match(r"systemd (\d+)", tail[0] if tail else "")
    version = int(match[1]) if match else 0
    if version < MINIMUM_SYSTEMD:
        yield PROBLEM, f"systemd {version or 'of unknown version'}", f"upgrade this host to systemd {MINIMUM_SYSTEMD} or later"
    else:
        yield OK, f"systemd {version}"


def connection(subjects: Sequence[Subject]) -> Rows:
    for name in sorted({subject.connection for subject in subjects} or CONNECTIONS[:1]):
        found = connection_loader.find_plugin_with_context(name)
        if (found.resolved_fqcn if found.resolved else name) not in CONNECTIONS:
            yield PROBLEM, f"{name} runs the tasks of images outside of their trees", f"use {' or '.join(CONNECTIONS)}"
        elif not found.resolved:
            yield PROBLEM, f"{name} is not installed", install_remedy(name)
        else:
            yield OK, name


def facts() -> Rows:
    if getattr(C, "INJECT_FACTS_AS_VARS", False):
        file = C.CONFIG_FILE or os.path.join(os.getcwd(), "ansible.cfg")
        found = "in a run in place, a fact from a tree can override a variable of the inventory"
        yield WARNING, found, f"write inject_facts_as_vars = False into [defaults] of {file}"
    else:
        yield OK, "cannot override a variable"


def tools() -> Rows:
    found = [f"{tool['program']} ({_suites(tool['suite_files'])})" for tool in BOOTSTRAP_TOOLS if find_program(tool["program"])]
    if found:
        yield OK, ", ".join(found)
    else:
        yield WARNING, "no tool is installed", f"run apt install {BOOTSTRAP_TOOLS[0]['package']}"


def _suites(patterns: Sequence[str]) -> str:
    if not patterns:
        return "any suite"
    number = len({path for pattern in patterns for path in glob(pattern.format(suite="*"))})
    return f"{number} suites, in {os.path.dirname(patterns[0])}"


def clock() -> Rows:
    now = time.time()
    text = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now))
    # With such a clock the signatures of archives are not valid yet.
    if os.stat(__file__).st_mtime > now + _DAY:
        yield PROBLEM, f"{text}, before this collection was installed", "run timedatectl set-ntp true"
    else:
        yield OK, text


def container() -> Rows:
    if not _can_start():
        return
    lines = _in_container("echo started")
    if "started" in lines:
        yield OK, "starts"
    else:
        remedy = "fix the error that systemd-nspawn --volatile=yes --directory=/ true prints"
        yield PROBLEM, f"none starts: {'; '.join(lines) or 'systemd-nspawn prints nothing'}", remedy


def _can_start() -> bool:
    """Whether this user and this host can start containers at all; other checks report the reasons."""
    return os.geteuid() == 0 and find_program("systemd-nspawn") is not None


def _in_container(script: str, *arguments: str) -> list[str]:
    """The lines that a shell script prints in a container with the flags of an image's container, on a read-only view of this host's /usr."""
    binds = [f"--bind-ro={_RESOLV_CONF}"] if os.path.isfile(_RESOLV_CONF) else []
    # systemd-nspawn maps no owners in a volatile tree. The container only reads, as another user of the host.
    tree = ["--volatile=yes", "--directory=/", "--private-users-ownership=off"]
    argv = ["systemd-nspawn", *flags("doctor"), *binds, *tree, "--", "/bin/sh", "-c", script, "sh", *arguments]
    return run(guarded(argv), environment=ENVIRONMENT)[1]


def dns(subjects: Sequence[Subject]) -> Rows:
    servers: list[str] = []
    if os.path.isfile(_RESOLV_CONF):
        with open(_RESOLV_CONF, encoding="utf-8", errors="replace") as file:
            servers = re.findall(r"^\s*nameserver\s+(\S+)", file.read(), re.MULTILINE)
    if not servers:
        yield WARNING, f"{_RESOLV_CONF} names no server, so containers find no host by name", f"write 'nameserver ADDRESS' into {_RESOLV_CONF}"
        return
    # Containers have a copy of this file and the host's network, so a resolver on a loopback address serves containers too.
    missing = _not_found(sorted({name for subject in subjects for name in _archives(subject)}))
    if missing:
        remedy = f"fix {_RESOLV_CONF}, unless a proxy finds hosts for the tasks"
        yield WARNING, f"containers do not find {', '.join(missing)} by {', '.join(servers)}", remedy
    else:
        yield OK, ", ".join(servers)


def _archives(subject: Subject) -> list[str]:
    """Hosts from which the image's packages come, as far as its variables name them."""
    settings = subject.settings or {}
    if settings.get("nspawn_runner_network") == "none":
        return []
    repositories = settings.get("nspawn_runner_repositories") or []
    if urls := [url for url in (settings.get("nspawn_runner_mirror"), *(entry.get("url") for entry in repositories)) if url]:
        return _hosts(urls)
    return _apt_archives() if settings.get("nspawn_runner_chroot_suite") else []


@cache
def _apt_archives() -> list[str]:
    """The hosts of this host's apt sources. A bootstrap tool without a mirror is likely to use the same ones."""
    if not find_program("apt-get"):
        return []
    return _hosts(run(["apt-get", "indextargets", "--format=$(SITE)", "Created-By: Packages"])[1])


def _hosts(urls: Sequence[str]) -> list[str]:
    return [name for name in (urlsplit(url).hostname for url in urls) if name]


def _not_found(names: Sequence[str]) -> list[str]:
    if not names or not _can_start():
        return []
    script = 'echo started; export RES_OPTIONS="timeout:3 attempts:2"; for name; do getent ahosts "$name" >/dev/null && echo "found $name"; done'
    lines = _in_container(script, *names)
    return [name for name in names if f"found {name}" not in lines] if "started" in lines else []


def overlay() -> Rows:
    with open("/proc/filesystems", encoding="utf-8") as file:
        known = "overlay" in file.read().split()
    modprobe = find_program("modprobe")
    if known or (modprobe and run([modprobe, "--dry-run", "overlay"])[0] == 0):
        yield OK, "available"
    else:
        yield WARNING, "this kernel has no overlay file system", "load the module overlay: jobs need it, except on snapshots of btrfs"


def cgroups() -> Rows:
    if os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        yield OK, "version 2"
    else:
        remedy = "boot with systemd.unified_cgroup_hierarchy=1: limits of jobs, and jobs that boot an image with systemd 258 or later, need it"
        yield WARNING, "version 1", remedy


def forks(images: int, forks: int) -> Rows:
    processors, at_once = len(os.sched_getaffinity(0)), min(images, forks)
    found = f"{forks}, on {processors} processor{'s' * (processors != 1)}"
    # A maintenance also waits for the network and the disk, so more images than processors at once are useful.
    if at_once > 4 * processors:
        yield WARNING, f"{found}: {at_once} images at once", f"give --forks {2 * processors}, or write forks = {2 * processors} into ansible.cfg"
    else:
        yield OK, found
