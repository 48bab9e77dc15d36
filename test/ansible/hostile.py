#!/usr/bin/python3.11 -I
# SPDX-FileCopyrightText: The nspawn.runner authors
# SPDX-License-Identifier: GPL-3.0-or-later
# A hostile /usr/bin/python3 of a tree: an agent that answers each request as the tree's file /answer says.

import array
import os
import signal
import socket

BEGUN, FINE = b"\n", b"0"


def answer(kind, connection, streams):
    if kind == "noise":
        connection.sendall(os.urandom(1 << 20))
    elif kind == "half a status":
        connection.sendall(BEGUN + b"-")
    elif kind == "descriptors":
        given = [os.open("/", os.O_RDONLY), os.open("/etc/passwd", os.O_RDWR), 3, 4]
        for data in (BEGUN, FINE):
            connection.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", given))])
    elif kind == "flood":
        connection.sendall(BEGUN)
        for _megabyte in range(250):
            os.write(streams[1], b"flood" * 200000)
        connection.sendall(FINE)
    elif kind == "no end":
        connection.sendall(BEGUN)
        signal.pause()
    elif kind == "one long line":
        connection.sendall(BEGUN)
        for _megabyte in range(500):
            os.write(2, b"x" * 1000000)
        connection.sendall(FINE)
    elif kind == "deep":
        connection.sendall(BEGUN)
        os.write(streams[1], b'{"changed":' * 5000 + b"[" * 5000)
        connection.sendall(FINE)


listener = socket.socket(fileno=3)
os.write(1, b"ready\n")
while True:
    connection, _address = listener.accept()
    data, ancillary, _flags, _from = connection.recvmsg(1 << 20, socket.CMSG_SPACE(12))
    if b'"end"' in data:
        break
    streams = array.array("i", ancillary[0][2]) if ancillary else []
    try:
        with open("/answer") as file:
            answer(file.read(), connection, streams)
    except OSError:
        # The other end is closed.
        pass
    for stream in streams:
        os.close(stream)
    connection.close()
