"""How the processes talk: small JSON messages with file descriptors beside them, pickles in anonymous memory files."""

from __future__ import annotations

import json
import os
import pickle
import socket
from collections.abc import Sequence
from typing import Any

_LARGEST = 1 << 16


def pair() -> tuple[socket.socket, socket.socket]:
    """Two ends that keep messages apart."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(end: socket.socket, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
    """Raises OSError when the other end is gone."""
    socket.send_fds(end, [json.dumps(message).encode()], list(descriptors))


def receive(end: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """The next message and its descriptors; None once the other end is closed."""
    try:
        data, descriptors, _, _ = socket.recv_fds(end, _LARGEST, 8, socket.MSG_CMSG_CLOEXEC)
    except ConnectionResetError:
        return None, []
    return (json.loads(data) if data else None), list(descriptors)


def memory_file(value: bytes = b"") -> int:
    """The descriptor of an anonymous file that holds ``value``."""
    descriptor = os.memfd_create("tsrefactor")
    write(descriptor, value)
    return descriptor


def write(descriptor: int, value: bytes) -> None:
    view = memoryview(value)
    while view:
        view = view[os.write(descriptor, view) :]


def read_pickle(descriptor: int) -> Any:
    """What was pickled into a memory file, or None when nothing was written."""
    with open(descriptor, "rb", closefd=False) as file:
        file.seek(0)
        content = file.read()
    return pickle.loads(content) if content else None
