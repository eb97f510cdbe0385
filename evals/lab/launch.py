"""Building and starting an estate, and ending every process of one."""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from evals.lab import postgres
from evals.lab.errors import LabError, PortTaken
from evals.lab.estate import Estate, Role
from evals.lab.front import ask_front
from evals.lab.history import History
from evals.lab.layout import HOST, SUPERUSER, VISITORS, Layout, socket_path
from evals.lab.place import last_line, plain_errors, remove_files, tail, write, write_marker
from evals.lab.postgres import make_passable
from evals.lab.supervision import Supervision, alive, configuration

Progress = Callable[[str], None]

_START_TRIES = 3
_START_LIMIT_S = 30.0
_STOP_LIMIT_S = 20.0

_SPAWNED: dict[Path, subprocess.Popen[bytes]] = {}
"""The supervisords this process has started, by directory: they can be ended before they listen, and are reaped."""


def raise_estate(place: Path, estate: Estate, idle_seconds: float, say: Progress) -> tuple[Layout, str]:
    """Build everything in `place` and start it; returns the layout and the revision its configuration begins at.

    Where a port is taken in between, other ports are tried. On any failure or interruption nothing is left running.
    """
    for attempt in range(1, _START_TRIES + 1):
        try:
            with plain_errors(place):
                remove_files(place)
                layout = Layout(place, estate, choose_ports(estate))
                return layout, _build_and_launch(layout, idle_seconds, say)
        except PortTaken as error:
            end_processes(place)
            if attempt == _START_TRIES:
                raise LabError(f"{error}, and {attempt - 1} more times: widen the port range in the estate") from error
            say(f"{error}: trying other ports")
        except BaseException:
            end_processes(place)
            raise
    raise AssertionError("the last attempt returns or raises")


def _build_and_launch(layout: Layout, idle_seconds: float, say: Progress) -> str:
    account = postgres.database_account()
    cache = postgres.shared_cache(account)
    if not postgres.template_is_cached(cache):
        say("preparing PostgreSQL 18 (the first time only, about two seconds)")
    programs = postgres.binaries(cache, account)
    _make_directories(layout, cache, account)
    names = layout.estate.database
    users = (SUPERUSER, names.application_user, names.monitoring_user, names.reporting_user)
    passwords = {user: secrets.token_urlsafe(24) for user in users}
    for user, password in passwords.items():
        write(layout.passfile(user), layout.passfile_text(user, password), 0o600)
    conf = configuration(
        layout.directory, layout.socket, layout.programs(programs, account.name if account else "", idle_seconds)
    )
    write(layout.supervisord_conf, conf, 0o600)
    with ThreadPoolExecutor(1) as beside:
        cluster = beside.submit(
            postgres.build_cluster,
            layout.data.resolve(),
            programs=programs,
            cache=cache,
            account=account,
            names=names,
            port=layout.services[Role.DATABASE].port,
            passwords=passwords,
        )
        say("starting supervisord")
        supervisord = _spawn_supervisord(layout)
        make_certificates(layout)
        base = History(layout.etc, layout.estate.domain).begin(layout.changes(datetime.now(UTC)))
        write(layout.inventory, layout.inventory_text(), 0o644)
        write_marker(layout, base, supervisord.pid, idle_seconds)
        supervision = Supervision(layout.socket)
        supervision.until(lambda: _is_up(supervision, supervisord, layout), _START_LIMIT_S, "supervisord to start")
        cluster.result()
    say("starting " + ", ".join(service.name for service in layout.services.values()))
    supervision.launch(*(layout.services[role].name for role in (Role.DATABASE, Role.APPLICATION, Role.FRONT)))
    supervision.until(lambda: _is_serving(supervision, layout), _START_LIMIT_S, "the estate to serve")
    supervision.launch(VISITORS)
    return base


def _is_up(supervision: Supervision, process: subprocess.Popen[bytes], layout: Layout) -> bool:
    if process.poll() is not None:
        raise LabError(f"supervisord ended at once: {last_line(layout.log / 'supervisord.out')}")
    return supervision.answers()


def _is_serving(supervision: Supervision, layout: Layout) -> bool:
    """Tell whether every service runs and the front serves; raises as soon as one of them has failed."""
    states = supervision.states()
    ours = [states[service.name] for service in layout.services.values()]
    for service, state in zip(layout.services.values(), ours, strict=True):
        if state.state in ("BACKOFF", "FATAL", "EXITED"):
            said = tail(service.log)
            if "address already in use" in said.lower():
                raise PortTaken(f"port {service.port} was taken before {service.name} could use it")
            raise LabError(f"{service.name} did not start: {last_line(service.log)}")
    if any(state.state != "RUNNING" for state in ours):
        return False
    return ask_front(layout, "GET", "/health", None, 3).status == 200


def _spawn_supervisord(layout: Layout) -> subprocess.Popen[bytes]:
    # A session of its own: Ctrl-C in the owner's terminal must not end half of the lab before the owner ends all of it.
    # An environment of its own: the owner's may hold keys that are no business of the services.
    kept = {
        name: os.environ[name]
        for name in ("PATH", "HOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
        if name in os.environ
    }
    with (layout.log / "supervisord.out").open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "supervisor.supervisord", "-n", "-c", str(layout.supervisord_conf)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=layout.directory,
            env=kept | {"LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
    _SPAWNED[layout.directory] = process
    return process


def choose_ports(estate: Estate) -> dict[Role, int]:
    """Choose a free port for each role. Somebody may take one before it is used: then the start is tried again."""
    chosen: dict[Role, int] = {}
    numbers = list(range(estate.ports.first, estate.ports.last + 1))
    random.shuffle(numbers)
    for role in Role:
        while numbers and role not in chosen:
            number = numbers.pop()
            if _is_free(number):
                chosen[role] = number
    if len(chosen) < len(Role):
        raise LabError(
            f"no three free ports between {estate.ports.first} and {estate.ports.last}: widen the range in the estate"
        )
    return chosen


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _make_directories(layout: Layout, cache: Path, account: postgres.Account | None) -> None:
    for directory in (layout.etc, layout.log, layout.var):
        make_passable(directory)
    layout.secrets.mkdir(mode=0o700)
    for service in layout.services.values():
        if service.role is Role.DATABASE and not postgres.may_enter(layout.var, account):
            _place_outside(service.var, cache / "clusters")
        else:
            make_passable(service.var)


def _place_outside(link: Path, clusters: Path) -> None:
    """Make a directory in the shared cache, and `link` to it.

    For a lab in a place that the database's account cannot reach, such as one below a closed home directory of root.
    """
    make_passable(clusters)
    for other in clusters.iterdir():
        # Left by a lab whose directory was deleted by hand. A lab in the making has no such note yet.
        note = other / "lab"
        if note.is_file() and Path(note.read_text(encoding="utf-8")).resolve() != other:
            shutil.rmtree(other, ignore_errors=True)
    outside = clusters / secrets.token_hex(8)
    make_passable(outside)
    link.symlink_to(outside)
    write(outside / "lab", str(link), 0o644)


def make_certificates(layout: Layout) -> None:
    """Make an authority of the lab's own and, from it, a certificate for the front, valid for 90 days."""
    make_passable(layout.tls)
    authority = trustme.CA(organization_name=layout.estate.organisation, organization_unit_name="internal authority")
    server_name = f"{layout.services[Role.FRONT].name}.{layout.estate.domain}"
    until = datetime.now(UTC) + timedelta(days=90)
    issued = authority.issue_cert(HOST, "localhost", server_name, common_name=server_name, not_after=until)
    authority.cert_pem.write_to_path(str(layout.ca_file))
    write(layout.key, issued.private_key_pem.bytes().decode("ascii"), 0o600)
    for number, blob in enumerate(issued.cert_chain_pems):
        blob.write_to_path(str(layout.certificate), append=number > 0)


def running_pid(place: Path) -> int:
    """Return the process id of the supervisord that runs the lab in `place`, or 0."""
    spawned = _SPAWNED.get(place)
    if spawned and spawned.poll() is None:
        return spawned.pid  # Also before it has written its file, and while it does not listen yet.
    try:
        pid = int((place / "supervisord.pid").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0
    return pid if alive(pid) and _is_supervisord_of(pid, place) else 0


def _is_supervisord_of(pid: int, place: Path) -> bool:
    """Tell whether a process is our supervisord: the number may have been given to another one since."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # No /proc here (macOS).
        return Supervision(socket_path(place)).answers()
    return os.fsencode(place / "supervisord.conf") in command.split(b"\0")


def end_processes(place: Path) -> None:
    """End every process of the lab in `place`, and wait until they are gone."""
    pid = running_pid(place)
    if not pid:
        return
    supervision = Supervision(socket_path(place))
    with contextlib.suppress(LabError):
        supervision.end()
    # When it was not listening: SIGTERM makes it stop its programs; after SIGKILL the keeper does.
    for number in (None, signal.SIGTERM, signal.SIGKILL):
        if number:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        if _is_gone(place, pid, supervision, _STOP_LIMIT_S if supervision.answers() else 3.0):
            return
    raise LabError(f"supervisord (process {pid}) does not end: look at {place / 'log' / 'supervisord.log'}")


def _is_gone(place: Path, pid: int, supervision: Supervision, limit: float) -> bool:
    """Wait until supervisord has ended; tell whether it has."""
    deadline = time.monotonic() + limit
    while alive(pid):
        if time.monotonic() > deadline:
            return False
        supervision.answers()  # A request makes supervisord look at its children at once.
        time.sleep(0.03)
    process = _SPAWNED.pop(place, None)
    if process:
        process.wait(1)
    return True
