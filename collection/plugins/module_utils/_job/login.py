# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE: a shell in an image itself, where changes stay. Names can change at any time.

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack, suppress
from typing import Any

from ansible_collections.nspawn.runner.plugins.module_utils._host.errors import Busy, RunnerError
from ansible_collections.nspawn.runner.plugins.module_utils._host.nspawn import container_argv, flags, read_container_file
from ansible_collections.nspawn.runner.plugins.module_utils._host.paths import FILES
from ansible_collections.nspawn.runner.plugins.module_utils._host.scope import enter_scope
from ansible_collections.nspawn.runner.plugins.module_utils._image import record
from ansible_collections.nspawn.runner.plugins.module_utils._image.place import make_state
from ansible_collections.nspawn.runner.plugins.module_utils._job import images, relay, state, supervisor
from ansible_collections.nspawn.runner.plugins.module_utils._job.people import SHELL
from ansible_collections.nspawn.runner.plugins.module_utils._session.client import NoAgent
from ansible_collections.nspawn.runner.plugins.module_utils._session.container import DESCRIPTORS, devices, launch, wait_ready
from ansible_collections.nspawn.runner.plugins.module_utils._session.exchange import Died, NotBegun
from ansible_collections.nspawn.runner.plugins.module_utils._session.lock import image_lock, tree_lock
from ansible_collections.nspawn.runner.plugins.module_utils._tree import in_use, mounts
from ansible_collections.nspawn.runner.plugins.module_utils._tree.mount_points import make_mount_points
from ansible_collections.nspawn.runner.plugins.module_utils._tree.traps import refuse_traps

# Seconds for the end of the container, which removes the files that it has in the tree only while it runs.
_END = 10


def login(arguments: Any) -> int:
    """login, chroot-login: a shell in the published tree, as the image's maintenance has it. Raises Busy while the image has another user."""
    name = arguments.image if arguments.verb == "login" else arguments.name
    place = images.load(arguments.root, name).place
    with ExitStack() as stack:
        stack.enter_context(image_lock(make_state(place.root, place.image), "login"))
        if in_use.overlay_mounts(place.path):
            raise Busy(f"the tree of image {place.image} is in use by a job", "wait until it ends")
        stack.enter_context(tree_lock(place.path, None))
        refuse_traps(place.path)
        mounts.detach_foreign(place.path)
        mounts.refuse_mounts(place.path, itself=False)
        options, environment = read_container_file(place.state)
        make_mount_points(place.path, options)
        enter_scope("A login of nspawn-runner", list(devices(options)))
        directory = state.make_login()
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        agent = os.path.join(directory, "agent")
        argv = container_argv(place.path, [*flags(place.image), *options, "--", *_payload()], DESCRIPTORS)
        with supervisor.program_memory() as program:
            running = launch(argv, program, agent, environment)
        stack.callback(running.end, _END)
        try:
            wait_ready(running, place.path, options)
            # A damaged record or a full disk is no reason against a login.
            with suppress(RunnerError, OSError):
                record.mark_in_place(place)
            command = relay.Command(SHELL, "root", relay.environment({}))
            return relay.run(agent, command, terminal=relay.has_terminal()).status
        except NoAgent as problem:
            remedy = f"run {FILES}/nspawn-chroot {place.path} /bin/sh"
            raise RunnerError(f"image {place.image} has no python3 that works, which a login needs", remedy) from problem
        except (NotBegun, Died) as problem:
            raise RunnerError(f"the container of the login in image {place.image} has ended") from problem


def _payload() -> list[str]:
    with open(os.path.join(FILES, "nspawn-inside.sh"), encoding="utf-8") as file:
        inside = file.read()
    dns = ""
    with suppress(OSError), open("/etc/resolv.conf", encoding="utf-8", errors="surrogateescape") as file:
        dns = file.read()
    return ["/bin/sh", "-c", inside, "nspawn-runner", dns, *supervisor.python_payload("{}")]
