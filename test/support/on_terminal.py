# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a command on a terminal of its own: on_terminal.py STEPS COMMAND...

STEPS is a JSON list. Each step waits for a text in the output, and then writes a text ("write") or gives the terminal a size ("size": rows, columns).
Prints the output, and ends with the exit status of the command.
"""

import fcntl
import json
import os
import pty
import struct
import sys
import termios

steps = json.loads(sys.argv[1])
child, master = pty.fork()
if child == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("4H", 33, 77, 0, 0))
    os.execvp(sys.argv[2], sys.argv[2:])
output = b""
seen = 0
while True:
    try:
        block = os.read(master, 65536)
    except OSError:  # the terminal has no more processes
        break
    output += block
    while steps and (place := output.find(steps[0]["wait"].encode(), seen)) >= 0:
        step = steps.pop(0)
        seen = place + len(step["wait"])
        if "size" in step:
            fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("4H", *step["size"], 0, 0))
        if "write" in step:
            os.write(master, step["write"].encode())
sys.stdout.buffer.write(output)
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF)
