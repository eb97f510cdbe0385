"""Who is on the other end of a Unix socket: the kernel's word, not the caller's."""

from __future__ import annotations

import socket
import struct
import sys


def user_id(connection: socket.socket) -> int:
    """Return the numeric user id of the peer (Linux: SO_PEERCRED, unix(7); macOS: LOCAL_PEERCRED, xucred)."""
    if sys.platform == "darwin":
        raw = connection.getsockopt(0, 1, struct.calcsize("iIh16I"))
        return int(struct.unpack_from("iI", raw)[1])
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", raw)[1])
