# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# An action plugin for tests: calls the connection as Ansible's own actions do, with arguments that no playbook can have, in bounded memory.

import os
import resource

from ansible.plugins.action import ActionBase

CONTENTS = [b"", bytes(range(256)) * 700, b"no newline", b"\0" * 70000, b"\r\n\n"]
NAMES = [b"a b", b'it\'s "quoted"', b"new\nline", b"$(id)`id`;&*", b"-r", "\u00fc\u6c49".encode(), b"not \xff\xfe utf-8", b"x" * 255]


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        args = self._task.args
        if args["do"] == "every":
            return {**result, "wrong": list(every(self._connection, args["directory"], CONTENTS[: args["contents"]]))}
        self._connection._connect()
        opened = len(os.listdir("/proc/self/fd"))
        with room(args["room"]):
            answer = getattr(self._connection, args["do"])(*args["with"])
        result["opened"] = len(os.listdir("/proc/self/fd")) - opened
        if answer:
            result.update(rc=answer[0], printed=len(answer[1]), same=answer[1].count(answer[1][:1]))
        return result


class room:
    """Lets this process allocate so many more bytes."""

    def __init__(self, size):
        self.size = size

    def __enter__(self):
        self.before = resource.getrlimit(resource.RLIMIT_AS)
        with open("/proc/self/statm") as file:
            pages = int(file.read().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + self.size, self.before[1]))

    def __exit__(self, *problem):
        resource.setrlimit(resource.RLIMIT_AS, self.before)


def every(connection, directory, contents):
    """Copies each content under every name to the tree and back, in all ways; yields the copies that differ."""
    quote = connection._shell.quote
    root = os.fsencode(os.path.join(connection.get_option("remote_addr"), "root"))
    # The command closes standard input before all data is sent.
    if connection.exec_command("exec 0<&-; sleep 0.3; echo deaf", in_data=b"x" * 3000000) != (0, b"deaf\n", b""):
        yield "fed what does not eat"
    for name in map(os.fsdecode, NAMES):
        local, back, remote = os.path.join(directory, name), os.path.join(directory, "back", name), f"/root/{name}"
        for content in contents:
            with open(local, "wb") as file:
                file.write(content)
            connection.put_file(local, remote)
            if os.fsencode(name) not in os.listdir(root):
                yield f"put {name!r}"
            connection.fetch_file(remote, back)
            with open(back, "rb") as file:
                if file.read() != content:
                    yield f"fetched {name!r} {content[:9]!r}"
            if connection.exec_command(f"cat {quote(remote)}") != (0, content, b""):
                yield f"printed {name!r} {content[:9]!r}"
            if connection.exec_command(f"cat >&2; rm {quote(remote)}; exit 7", in_data=content) != (7, b"", content):
                yield f"fed {name!r} {content[:9]!r}"
