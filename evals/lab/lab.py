"""The lab: a small estate of real services in one directory, started and stopped as a whole."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import psycopg
from psycopg import sql

from evals.lab import postgres
from evals.lab.errors import LabBusy, LabError, NoLab
from evals.lab.estate import Estate, Role, load_estate
from evals.lab.front import Answer, ask_front
from evals.lab.history import History
from evals.lab.launch import Progress, end_processes, raise_estate, running_pid
from evals.lab.layout import HOST, REPORT, SUPERUSER, VISITORS, Layout, Service, usable
from evals.lab.place import (
    MARKER,
    attached_lock,
    claim,
    mark,
    owner_lock,
    plain_errors,
    read_marker,
    release,
    remove_files,
    tidy,
)
from evals.lab.supervision import ProgramState, Supervision


class Lab:
    """A running lab that this process holds. Every method may be called from any thread, and none after `stop`."""

    def __init__(self, layout: Layout, base_revision: str, locks: list[IO[str]], owned: bool) -> None:
        self.layout = layout
        self.estate = layout.estate
        self.directory = layout.directory
        self.inventory = layout.inventory
        self.supervision = Supervision(layout.socket)
        self.history = History(layout.etc, layout.estate.domain)
        self.base_revision = base_revision
        self.owned = owned
        self._locks = locks
        self._mutex = threading.RLock()

    # Life

    @classmethod
    def start(
        cls,
        directory: Path,
        estate: Estate | Path | None = None,
        *,
        idle_minutes: float = 10,
        on_progress: Progress | None = None,
    ) -> Self:
        """Start a new lab in `directory` (new, empty, or holding a lab that has ended) and wait until it serves.

        Raises LabBusy when a lab runs there, LabError with one plain sentence for everything else that can go wrong. A
        start that fails or is interrupted leaves no process. A lab that nobody holds for `idle_minutes` ends by itself.
        """
        say = on_progress or (lambda _: None)
        began = time.monotonic()
        chosen = estate if isinstance(estate, Estate) else load_estate(*([estate] if estate else []))
        if not 0 < idle_minutes <= 24 * 60:
            raise LabError("idle minutes must be above 0 and at most 1440: a lab never lives on for ever by itself")
        place = usable(directory)
        with plain_errors(place):
            claim(place)
            locks = [owner_lock(place), attached_lock(place)]
        try:
            pid = running_pid(place)
            if pid:
                raise LabBusy(
                    f"a lab is already running in {place} (process {pid}): attach to it, or bring it down first"
                )
            mark(place)
            layout, base = raise_estate(place, chosen, idle_minutes * 60, say)
        except BaseException:
            release(locks)
            raise
        say(f"the estate is up after {time.monotonic() - began:.1f} s")
        return cls(layout, base, locks, owned=True)

    @classmethod
    def attach(cls, directory: Path, *, own: bool = True) -> Self:
        """Use the lab already running in `directory`, whoever started it.

        With `own`, this process becomes the one owner (LabBusy while another is), otherwise a visitor. Raises NoLab.
        """
        place = usable(directory)
        if not (place / MARKER).is_file():
            raise NoLab(f"there is no lab in {place}: start one with `up`")
        with plain_errors(place):
            locks = [owner_lock(place)] if own else []
            locks.append(attached_lock(place))
        try:
            marker = read_marker(place)
            estate = Estate.model_validate(marker["estate"])
            ports = {Role(role): int(port) for role, port in marker["ports"].items()}
            lab = cls(Layout(place, estate, ports), marker["base_revision"], locks, own)
            if not running_pid(place) or not lab.supervision.answers():
                raise NoLab(f"the lab in {place} is not running: start it with `up`")
        except BaseException as error:
            release(locks)
            if isinstance(error, (KeyError, TypeError, ValueError)):
                raise NoLab(f"{place / MARKER} is not the record of a running lab: start one with `up`") from error
            raise
        return lab

    def detach(self) -> None:
        """Let go of the lab without stopping it: it ends by itself when nobody takes it up."""
        release(self._locks)

    def stop(self, *, remove: bool = False) -> None:
        """Stop every process of the lab and wait until they are gone; with `remove`, delete its files too."""
        with self._mutex:
            end_processes(self.directory)
            if remove:
                remove_files(self.directory)
                tidy(self.directory)
            self.detach()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # Looking

    def service(self, role: Role) -> Service:
        """Return the service that has this role."""
        return self.layout.services[role]

    @property
    def front(self) -> Service:
        """The web front."""
        return self.service(Role.FRONT)

    @property
    def application(self) -> Service:
        """The application service."""
        return self.service(Role.APPLICATION)

    @property
    def database(self) -> Service:
        """The database."""
        return self.service(Role.DATABASE)

    def state(self, role: Role) -> ProgramState:
        """Return what supervisord says of a service."""
        return self.supervision.state(self.service(role).name)

    def request(self, method: str, path: str, body: dict[str, Any] | None = None, timeout: float = 5) -> Answer:
        """Ask the front over HTTPS, as any user would."""
        return ask_front(self.layout, method, path, body, timeout)

    def healthy(self) -> bool:
        """Tell whether the front, the application and the database answer as they should."""
        return self.request("GET", "/health").status == 200

    def connect(self, user: str = SUPERUSER) -> psycopg.Connection[tuple[Any, ...]]:
        """Connect to the database; the lab's own work is done as its superuser."""
        return psycopg.connect(
            host=HOST,
            port=self.database.port,
            dbname=self.estate.database.name,
            user=user,
            passfile=str(self.layout.passfile(user)),
            connect_timeout=3,
            options="-c lock_timeout=3000",
            application_name="lab",
            autocommit=True,
        )

    # Handling

    def start_report(self) -> None:
        """Start the month-end report, whose session locks the permits table, and wait until it holds the lock."""
        with self._mutex:
            self.supervision.launch(REPORT)
            self.supervision.until(self.report_holds_lock, 10, "the report to lock the table")

    def stop_report(self) -> None:
        """End the report, the process as well as what it left in the database."""
        with self._mutex:
            self.supervision.halt(REPORT)
            if self.state(Role.DATABASE).state == "RUNNING":
                with contextlib.suppress(psycopg.OperationalError), self.connect() as connection:
                    connection.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s",
                        [self.estate.database.reporting_user],
                    )

    def report_holds_lock(self, seconds: float = 0) -> bool:
        """Tell whether a session of the reporting user holds the lock that shuts everyone else out, for so long."""
        query = (
            "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
            "WHERE l.granted AND l.mode = 'AccessExclusiveLock' AND l.relation = to_regclass(%s) AND a.usename = %s "
            "AND clock_timestamp() - a.xact_start >= make_interval(secs => %s)"
        )
        names = self.estate.database
        with self.connect() as connection:
            row = connection.execute(query, [f'"{names.table}"', names.reporting_user, seconds]).fetchone()
        return bool(row and row[0])

    def mend(self) -> None:
        """Bring up whatever is down, and wait until the front serves."""
        with self._mutex:
            for role in (Role.DATABASE, Role.APPLICATION, Role.FRONT):
                self._mend_one(role)
            self.supervision.launch(VISITORS)
            self.wait_healthy()

    def _mend_one(self, role: Role) -> None:
        service, state = self.service(role), self.state(role)
        if state.state == "STARTING":
            state = self.supervision.settle(service.name)
        # A running service may still run on an older version of its file: it reads it only when it starts.
        changed = service.config is not None and int(service.config.stat().st_mtime) > state.started
        if state.state != "RUNNING" or changed:
            self.supervision.restart(service.name)

    def wait_healthy(self, timeout: float = 15) -> None:
        """Wait until the whole path serves; raises LabError naming the time when it does not."""
        self.supervision.until(self.healthy, timeout, f"{self.front.title} to serve")

    def heal(self) -> None:
        """Bring the estate back to health, whatever was done to it; data and logs stay."""
        with self._mutex:
            self.stop_report()
            self.history.back_to(self.base_revision)
            self.mend()

    def reset(self) -> None:
        """Make the estate what it was when it started: as `heal`, and data and logs as at the start."""
        with self._mutex:
            self.heal()
            names = self.estate.database
            with self.connect() as connection:
                connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY").format(sql.Identifier(names.table)))
                # Made of constants and of a name that the estate's model has checked.
                connection.execute(postgres.seed_sql(names).encode())
            self.supervision.clear_logs(*(service.name for service in self.layout.services.values()))
            self.wait_healthy()
