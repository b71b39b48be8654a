"""A trap for outgoing connections: starts a Python module that dies when anything in it calls out.

    python -m tests.outbound RECORD MODULE [ARGUMENT …]

The kernel kills whoever connects or sends to an internet address, in native code too (seccomp); children
inherit it. An audit hook in every Python process writes down attempts and look-ups, so that one which is
caught and forgotten, or made by a child, is seen as well.
"""

import ctypes
import os
import platform
import sys
from pathlib import Path

# Linux system call numbers: connect and sendto.
CALLS = {"x86_64": (42, 44), "aarch64": (203, 206)}
# An address of IPv4 has 16 bytes, one of IPv6 28; those of local sockets have neither.
LENGTHS = (16, 28)
ALLOW, KILL = 0x7FFF0000, 0x80000000
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
NO_NEW_PRIVILEGES, SET_SECCOMP, FILTER = 38, 22, 2

HOOK = """
import os, sys
def note(event, arguments):
    if event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        wrong = True
    else:
        wrong = event in ("socket.getaddrinfo", "socket.gethostbyname") and arguments[0] not in (
            None, "", "127.0.0.1", "localhost", "::1")
    if wrong:
        with open({record!r}, "a") as record:
            record.write(f"{{os.getpid()}} {{event}}\\n")
sys.addaudithook(note)
"""


class Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_ushort),
        ("if_true", ctypes.c_ubyte),
        ("if_false", ctypes.c_ubyte),
        ("value", ctypes.c_uint),
    )


class Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.POINTER(Instruction)))


def is_supported() -> bool:
    return sys.platform == "linux" and platform.machine() in CALLS


def close_the_door() -> None:
    """From here on the kernel ends this process, or a child of it, when it calls out."""
    connect, sendto = CALLS[platform.machine()]
    steps: list[tuple[int, int, int, int]] = []
    # struct seccomp_data: the number at 0, six 64-bit arguments from 16 on.
    for call, argument in ((connect, 2), (sendto, 5)):
        steps += [
            (LOAD, 0, 0, 0),
            (JUMP_IF_EQUAL, 0, 4, call),
            (LOAD, 0, 0, 16 + 8 * argument),
            (JUMP_IF_EQUAL, 1, 0, LENGTHS[0]),
            (JUMP_IF_EQUAL, 0, 1, LENGTHS[1]),
            (RETURN, 0, 0, KILL),
        ]
    steps.append((RETURN, 0, 0, ALLOW))
    instructions = (Instruction * len(steps))(*[Instruction(*step) for step in steps])
    program = Program(len(steps), instructions)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.prctl(
        SET_SECCOMP, FILTER, ctypes.byref(program), 0, 0
    ):
        raise OSError(ctypes.get_errno(), "seccomp is not allowed here")


def main() -> None:
    record, *command = sys.argv[1:]
    hooks = Path(record).with_suffix(".hooks")
    hooks.mkdir(exist_ok=True)
    (hooks / "sitecustomize.py").write_text(HOOK.format(record=record))
    environment = {k: v for k, v in os.environ.items() if k != "CI"}
    environment["PYTHONPATH"] = os.pathsep.join([str(hooks), *filter(None, sys.path)])
    close_the_door()
    os.execve(sys.executable, [sys.executable, *command], environment)


if __name__ == "__main__":
    main()
