"""Calls to supervisord over XML-RPC on its Unix socket (https://supervisord.org/api.html); stdlib only."""

from __future__ import annotations

import http.client
import socket
import time
import xmlrpc.client
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

import anyio.to_thread

MAX_RESPONSE_BYTES = 1024 * 1024

BAD_NAME = 10
"""Fault code: supervisord has no program of that name."""


class SupervisorUnreachable(Exception):
    """supervisord gave no usable answer; the message is one plain sentence."""


class SupervisorFault(Exception):
    """supervisord answered with a fault: its code (https://supervisord.org/api.html) and its text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"supervisord refused: {text} (fault {code})")
        self.code = code
        self.text = text


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def call(socket_path: Path, method: str, *params: Any, timeout: float) -> Any:
    """Call one method (for example "supervisor.getProcessInfo") and return its value.

    `timeout` is in seconds; it bounds every wait for the socket, and the reading of the answer as a whole.
    Raises SupervisorFault where supervisord says no, and SupervisorUnreachable where it cannot be reached, is too
    slow, or answers with something else or too much.
    """
    request = xmlrpc.client.dumps(params, method).encode("utf-8")
    deadline = time.monotonic() + timeout
    connection = _UnixConnection(socket_path, timeout)
    try:
        connection.request("POST", "/RPC2", request, {"Content-Type": "text/xml", "Accept-Encoding": "identity"})
        with connection.getresponse() as response:
            if response.status != 200:
                raise SupervisorUnreachable(f"supervisord at {socket_path} answered HTTP {response.status}")
            body = _read(connection, response, deadline)
        values, _ = xmlrpc.client.loads(body)
    except xmlrpc.client.Fault as fault:
        raise SupervisorFault(int(fault.faultCode), str(fault.faultString)) from fault
    except TimeoutError as error:
        raise SupervisorUnreachable(f"supervisord at {socket_path} did not answer within {timeout:g} s") from error
    except FileNotFoundError as error:
        raise SupervisorUnreachable(f"no supervisord listens at {socket_path}; start it") from error
    except ConnectionRefusedError as error:
        raise SupervisorUnreachable(f"supervisord at {socket_path} is not running; start it") from error
    except PermissionError as error:
        raise SupervisorUnreachable(f"no permission to use {socket_path}; run as a user that may") from error
    except (OSError, http.client.HTTPException) as error:
        raise SupervisorUnreachable(f"supervisord at {socket_path} broke off the connection") from error
    except (ExpatError, ValueError, TypeError, xmlrpc.client.Error) as error:
        raise SupervisorUnreachable(f"what listens at {socket_path} does not answer like supervisord") from error
    finally:
        connection.close()
    return values[0] if values else None


def _read(connection: http.client.HTTPConnection, response: http.client.HTTPResponse, deadline: float) -> bytes:
    """Read the body, bounded in size and in total time: a socket's own timeout would only bound each packet."""
    body = bytearray()
    while True:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        if connection.sock is not None:
            connection.sock.settimeout(remaining)
        chunk = response.read1(65536)
        if not chunk:
            return bytes(body)
        body += chunk
        if len(body) > MAX_RESPONSE_BYTES:
            raise ValueError("answer too large")


async def acall(socket_path: Path, method: str, *params: Any, timeout: float) -> Any:
    """Like `call`, from a worker thread; a cancelled caller does not wait for the thread."""
    return await anyio.to_thread.run_sync(
        lambda: call(socket_path, method, *params, timeout=timeout), abandon_on_cancel=True
    )
