#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Sends QMP commands to a QEMU, one after the other.

usage: qmp.py [--no-wait] SOCKET COMMAND...

COMMAND is a name, or JSON, or "hmp:TEXT" for the human monitor.  --no-wait:
the last command's answer is waited for one second only.  Each answer is a
line.
"""
import json
import socket
import sys


def main():
    args = sys.argv[1:]
    wait = args[0] != "--no-wait"
    args = args if wait else args[1:]
    conn = socket.socket(socket.AF_UNIX)
    conn.settimeout(60)
    conn.connect(args[0])
    stream = conn.makefile("r")
    stream.readline()
    for i, text in enumerate(["qmp_capabilities"] + args[1:]):
        if text.startswith("hmp:"):
            command = {"execute": "human-monitor-command",
                       "arguments": {"command-line": text[4:]}}
        elif text.startswith("{"):
            command = json.loads(text)
        else:
            command = {"execute": text}
        conn.sendall(json.dumps(command).encode() + b"\n")
        if not wait and i == len(args) - 1:
            conn.settimeout(1)
        while True:
            answer = json.loads(stream.readline())
            if "event" not in answer:
                break
        if i:
            print(json.dumps(answer))


try:
    main()
except TimeoutError:
    sys.exit(0 if sys.argv[1] == "--no-wait" else 1)
