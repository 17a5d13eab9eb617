"""How the processes talk: small JSON messages with file descriptors beside them, pickles in anonymous memory files."""

from __future__ import annotations

import json
import os
import pickle
import socket
from collections.abc import Sequence
from typing import Any

_LARGEST = 1 << 16
_LENGTH = 8  # bytes that say how long an appended value is


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
    content = _content(descriptor)
    return pickle.loads(content) if content else None


def append(descriptor: int, value: Any) -> None:
    """Pickles one more value into a memory file, whose writer may be killed at any moment."""
    content = pickle.dumps(value)
    write(descriptor, len(content).to_bytes(_LENGTH, "big") + content)


def read_last(descriptor: int) -> Any:
    """The last value that was appended whole; None when there is none."""
    content, last = memoryview(_content(descriptor)), None
    while len(content) >= _LENGTH:
        end = _LENGTH + int.from_bytes(content[:_LENGTH], "big")
        if len(content) < end:
            break
        last, content = content[_LENGTH:end], content[end:]
    return None if last is None else pickle.loads(last)


def _content(descriptor: int) -> bytes:
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)  # leaves the writer's position alone
