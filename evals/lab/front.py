"""Asking the front as a user would: over HTTPS, trusting the lab's own authority."""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass
from typing import Any

from evals.lab.estate import Role
from evals.lab.layout import HOST, Layout


@dataclass(frozen=True)
class Answer:
    """What an HTTP request was answered: status 0 and the reason in `body` where there was no answer."""

    status: int
    body: str


def ask_front(layout: Layout, method: str, path: str, body: dict[str, Any] | None, timeout: float) -> Answer:
    """Make one HTTPS request to the front, trusting the lab's own authority only."""
    context = ssl.create_default_context(cafile=str(layout.ca_file))
    connection = http.client.HTTPSConnection(HOST, layout.services[Role.FRONT].port, timeout=timeout, context=context)
    try:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        response = connection.getresponse()
        return Answer(response.status, response.read().decode("utf-8", "replace"))
    except TimeoutError:
        return Answer(0, f"no answer within {timeout:g} s")
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, str(error) or type(error).__name__)
    finally:
        connection.close()
