#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""An NBD server on a Unix socket that stops answering when told.

usage: dead-server.py SOCKET [MODE]

It serves 1 MiB of zeros.  MODE says what is never answered: "none" (default:
all is answered until the file SOCKET.dead exists, and nothing from then on),
"handshake" (not even the greeting).  For the tests of diagnose: the same as a
dead server of NFS, iSCSI or Ceph.
"""
import os
import socket
import struct
import sys
import threading

SIZE = 1 << 20
MAGIC, OPTION, REPLY = 0x4e42444d41474943, 0x49484156454f5054, 0x3e889045565a9


def take(conn, n):
    data = b""
    while len(data) < n:
        more = conn.recv(n - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def reply(conn, option, kind, data=b""):
    conn.sendall(struct.pack(">QIII", REPLY, option, kind, len(data)) + data)


def negotiate(conn):
    """Options until NBD_OPT_GO; everything else is declined."""
    conn.sendall(struct.pack(">QQH", MAGIC, OPTION, 1))
    take(conn, 4)
    while True:
        _, option, length = struct.unpack(">QII", take(conn, 16))
        take(conn, length)
        if option == 7:
            reply(conn, option, 3, struct.pack(">HQH", 0, SIZE, 0x05))
            reply(conn, option, 1)
            return
        reply(conn, option, 0x80000001)


def serve(conn, path, mode):
    try:
        if mode == "handshake":
            threading.Event().wait()
        negotiate(conn)
        while True:
            _, _, kind, handle, _, length = struct.unpack(
                ">IHHQQI", take(conn, 28))
            data = take(conn, length) if kind == 1 else b""
            if os.path.exists(path + ".dead"):
                open(path + ".asked", "w").close()
                threading.Event().wait()
            if kind == 2:
                return
            data = bytes(length) if kind == 0 else b""
            conn.sendall(struct.pack(">IIQ", 0x67446698, 0, handle) + data)
    except (EOFError, OSError):
        pass


def main():
    path, mode = sys.argv[1], (sys.argv[2:] or ["none"])[0]
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()
    while True:
        conn, _ = server.accept()
        threading.Thread(target=serve, args=(conn, path, mode),
                         daemon=True).start()


main()
