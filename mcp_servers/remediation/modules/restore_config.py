"""Ansible module: put a service's configuration back as it was at a revision, and start the service with it."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.countersign_bounded import TookTooLong, run
from ansible.module_utils.countersign_supervisord import DidNotStart, Program, SupervisorError
from ansible.module_utils.countersign_text import clean, unified

GIT_LIMIT_S = 10.0
CHECK_LIMIT_S = 10.0
MAX_CONFIG_BYTES = 1024 * 1024


class Refusal(Exception):
    """The restore cannot be done; the message is one sentence."""


class History:
    """The git repository that keeps a configuration file, used through plumbing only.

    Plumbing runs no hook, signing program or file-system monitor that the repository's own configuration might name.
    It works on an empty directory instead of the real work tree: git reads files again when it writes an index that is
    older than they are ("racily clean"), through any filter that is configured; where there is no file, there is none.
    A private index leaves alone whatever somebody has staged.
    """

    def __init__(self, repository: str, path: str, scratch: str) -> None:
        found = shutil.which("git")
        if found is None:
            raise Refusal("git is not installed on this node.")
        self.git = found
        self.index = os.path.join(scratch, "index")
        self.empty = os.path.join(scratch, "empty")
        os.mkdir(self.empty)
        self.place: dict[str, str] = {}
        self.directory = os.path.realpath(repository)
        self.root = os.path.realpath(self.ask("rev-parse", "--show-toplevel").decode().rstrip("\n"))
        self.place = {
            "GIT_DIR": self.ask("rev-parse", "--absolute-git-dir").decode().rstrip("\n"),
            "GIT_WORK_TREE": self.empty,
        }
        self.directory = self.empty
        self.path = os.path.realpath(path)
        self.name = os.path.relpath(self.path, self.root)
        if self.name.startswith(".."):
            raise Refusal("The configuration file is not inside its repository.")

    def _run(self, *arguments: str, data: bytes = b"", env: dict[str, str] | None = None) -> Any:
        argv = [self.git, "-C", self.directory, "-c", "safe.directory=*", "-c", "core.fsmonitor=false"]
        argv += ["-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0", *arguments]
        base = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_NO_LAZY_FETCH": "1",
            **self.place,
        }
        return run(argv, GIT_LIMIT_S, env={**base, **(env or {})}, data=data)

    def ask(self, *arguments: str, data: bytes = b"", env: dict[str, str] | None = None) -> bytes:
        """Run git and return what it wrote. Raises Refusal."""
        outcome = self._run(*arguments, data=data, env=env)
        if outcome.rc != 0:
            raise Refusal(f"git {arguments[0]} failed: {clean(outcome.err.decode('utf-8', 'replace'), 300).strip()}")
        return bytes(outcome.out)

    def blob_of(self, content: bytes, keep: bool = False) -> str:
        """Return the blob hash of `content`; with `keep`, store it too."""
        write = ("-w",) if keep else ()
        return self.ask("hash-object", "--no-filters", *write, "--stdin", data=content).decode().strip()

    def content_at(self, revision: str) -> tuple[str, bytes]:
        """Return blob hash and content of the file at a commit, or of a blob. Raises Refusal."""
        outcome = self._run("cat-file", "-t", revision)
        kind = outcome.out.decode().strip()
        if outcome.rc != 0 or kind not in ("commit", "blob"):
            raise Refusal(f"The history has no revision {revision}.")
        name = revision if kind == "blob" else f"{revision}:{self.name}"
        outcome = self._run("rev-parse", "--verify", "--quiet", "--end-of-options", name)
        if outcome.rc != 0:
            raise Refusal(f"The file is not part of revision {revision}.")
        blob = outcome.out.decode().strip().splitlines()[-1]
        if int(self.ask("cat-file", "-s", blob)) > MAX_CONFIG_BYTES:
            raise Refusal(f"The file at revision {revision} is larger than {MAX_CONFIG_BYTES} bytes.")
        return blob, self.ask("cat-file", "blob", blob)

    def keep(self, content: bytes) -> str:
        """Store `content` under a reference, so that an undo finds it however long it takes."""
        blob = self.blob_of(content, keep=True)
        self.ask("update-ref", f"refs/countersign/{blob}", blob)
        return blob

    def commit(self, blob: str, subject: str) -> None:
        """Commit the file with this blob on top of HEAD; nothing else that is staged or edited goes along."""
        head = self.ask("rev-parse", "--verify", "HEAD").decode().strip()
        listed = self.ask("ls-tree", head, "--", self.name).decode().split()
        mode = listed[0] if listed else "100644"
        entry = f"{mode},{blob},{self.name}"
        private = {"GIT_INDEX_FILE": self.index}
        self.ask("read-tree", head, env=private)
        self.ask("update-index", "--add", "--cacheinfo", entry, env=private)
        tree = self.ask("write-tree", env=private).decode().strip()
        if tree != self.ask("rev-parse", "--verify", f"{head}^{{tree}}").decode().strip():
            who = {
                "GIT_AUTHOR_NAME": "Countersign",
                "GIT_AUTHOR_EMAIL": "countersign@localhost",
                "GIT_COMMITTER_NAME": "Countersign",
                "GIT_COMMITTER_EMAIL": "countersign@localhost",
            }
            made = self.ask("commit-tree", tree, "-p", head, data=subject.encode(), env=who).decode().strip()
            self.ask("update-ref", "-m", subject, "HEAD", made, head)
        self.ask("update-index", "--add", "--cacheinfo", entry)


def check(argv: list[str], content: bytes, name: str, scratch: str) -> None:
    """Let the service's own checker look at `content`. Raises Refusal where it does not accept it."""
    if not argv:
        return
    os.mkdir(os.path.join(scratch, "candidate"))
    candidate = os.path.join(scratch, "candidate", name)
    with open(candidate, "wb") as file:
        file.write(content)
    try:
        outcome = run([candidate if word == "{path}" else word for word in argv], CHECK_LIMIT_S, cwd=scratch)
    except TookTooLong:
        raise Refusal(f"The service's checker did not end within {CHECK_LIMIT_S:g} seconds.") from None
    except OSError as error:
        raise Refusal(f"The service's checker cannot be run: {error.strerror}.") from error
    if outcome.rc != 0:
        said = clean((outcome.err or outcome.out).decode("utf-8", "replace"), 800).strip()
        raise Refusal(f"The service's checker does not accept the configuration of that revision: {said}")


def replace(path: str, content: bytes) -> None:
    """Replace the file in one step, keeping its mode and owner."""
    stat = os.stat(path)
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".countersign-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), stat.st_mode & 0o7777)
            if (stat.st_uid, stat.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), stat.st_uid, stat.st_gid)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    directory = os.open(os.path.dirname(path), os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def restore(module: Any, scratch: str) -> dict[str, Any]:
    """Look, check, and where this is no rehearsal, act. Returns what the module answers with."""
    config, supervisor = module.params["config"], module.params["supervisor"]
    program = Program(supervisor["socket"], supervisor["program"])
    history = History(config["repository"], config["path"], scratch)
    seen = program.look()
    with open(history.path, "rb") as file:
        current = file.read(MAX_CONFIG_BYTES + 1)
    if len(current) > MAX_CONFIG_BYTES:
        raise Refusal(f"The configuration file is larger than {MAX_CONFIG_BYTES} bytes.")
    now = history.blob_of(current)
    wanted, content = history.content_at(module.params["revision"])
    check(list(config.get("check") or ()), content, os.path.basename(history.path), scratch)
    before = {"config": f"blob:{now}", "state": seen.state}
    changes = now != wanted or seen.state != "running"
    answer: dict[str, Any] = {
        "changed": changes,
        "before": before,
        "after": {"config": f"blob:{wanted}", "state": "running"} if changes else before,
        "observed": seen.volatile(),
        "undo": {"revision": now},
        "diff": {"prepared": unified(current, content, history.name)},
    }
    if not changes or module.check_mode:
        return answer
    history.keep(current)
    replace(history.path, content)
    history.commit(wanted, f"Restore {history.name} ({module.params['operation']})")
    try:
        running = program.restart()
    except DidNotStart as error:
        tail = clean(program.log_tail(), 2000)
        answer["after"] = {"config": f"blob:{wanted}", "state": program.look().state}
        module.fail_json(**{**answer, "msg": f"{error}\n{tail}".strip()})
    with open(history.path, "rb") as file:
        answer["after"] = {"config": f"blob:{history.blob_of(file.read())}", "state": running.state}
    answer["observed"] = running.volatile()
    return answer


def main() -> None:
    """Restore a configuration, or rehearse it."""
    module: Any = AnsibleModule(
        argument_spec={
            "supervisor": {"type": "dict", "required": True},
            "config": {"type": "dict", "required": True},
            "revision": {"type": "str", "required": True},
            "operation": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    try:
        with tempfile.TemporaryDirectory(prefix="countersign-", dir=module.tmpdir) as scratch:
            answer = restore(module, scratch)
    except (Refusal, SupervisorError, TookTooLong) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"The configuration cannot be read or replaced: {error.strerror} ({error.filename}).")
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
