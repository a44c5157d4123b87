"""Leases in the store: who writes an edition now, and which runs are alive. On any store, across machines.

A lease is one small object that its holder writes anew three times in its life. It has run out when it was
not written for longer than that, by the store's own clock: machines need not agree on the time. It is taken
over by compare-and-set, so two cannot both have it. A holder on this machine whose process is gone is known
to be dead at once.

A lease saves two runs from doing one piece of work twice. That no row is lost does not rest on it: partitions
are replaced by compare-and-set, whoever holds what.
"""

import json
import os
import platform
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from reprocensus.errors import StoreError, WriteConflictError
from reprocensus.storage import Storage
from reprocensus.workers import alive

FOLDER: Final = "leases"
RUNS: Final = f"{FOLDER}/runs"


@dataclass(frozen=True, slots=True)
class Held:
    """Who has a lease: a run on a machine, by its host's name and process number."""

    run_id: str
    host: str
    pid: int


class Leases:
    """The leases of one run. A context manager: renews what it holds in the background, and gives it back."""

    def __init__(self, storage: Storage, run_id: str, life_s: float = 60.0) -> None:
        self._storage = storage
        self._run_id = run_id
        self._life_s = life_s
        self._token = uuid.uuid4().hex
        self._held: dict[str, str] = {}
        self._guard = threading.RLock()
        self._ended = threading.Event()
        self._renewing = threading.Thread(target=self._renew, daemon=True, name="leases")

    def __enter__(self) -> Self:
        self._renewing.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._renewing.join()
        for name in list(self._held):
            try:
                self.give_back(name)
            except StoreError:
                # It runs out by itself; what ended the run must be told, not this.
                continue

    def take(self, name: str) -> Held | None:
        """Takes the lease, and returns None; or returns who has it."""
        path = f"{FOLDER}/{name}.json"
        with self._guard:
            if name in self._held:
                return None
            version = self._storage.version(path)
            if version is not None:
                told = _told(self._storage, path)
                if told and told.get("token") != self._token and not self._over(path, told):
                    return Held(str(told["run_id"]), str(told["host"]), int(told["pid"]))
            try:
                self._storage.replace(path, self._words(), version)
            except WriteConflictError:
                told = _told(self._storage, path)
                if told.get("token") != self._token:
                    return Held(
                        str(told.get("run_id", "")), str(told.get("host", "")), int(told.get("pid", 0))
                    )
            self._held[name] = path
            return None

    def give_back(self, name: str) -> None:
        """Ends the lease, if it is held still."""
        with self._guard:
            path = self._held.pop(name, None)
            if path is None:
                return
            version = self._storage.version(path)
            if version is None or _told(self._storage, path).get("token") != self._token:
                return
            if path.startswith(RUNS):
                self._storage.delete(path)
                return
            try:
                # Emptied rather than deleted: a delete has no condition, and might take away another's.
                self._storage.replace(path, b"{}", version)
            except WriteConflictError:
                return

    def leave(self, name: str) -> None:
        """Leaves the lease to run out, so that whoever finds it knows that its holder did not end well."""
        with self._guard:
            self._held.pop(name, None)

    def dead_runs(self) -> list[str]:
        """Runs that hold the lease of a run and are gone. Their lease stays until `bury` is called."""
        found = []
        for path in self._storage.list(RUNS):
            told = _told(self._storage, path)
            if told and told.get("token") != self._token and self._over(path, told):
                found.append(str(told["run_id"]))
        return found

    def open_runs(self) -> list[str]:
        """Runs that hold the lease of a run, dead or alive."""
        return [path.rsplit("/", 1)[-1].removesuffix(".json") for path in self._storage.list(RUNS)]

    def bury(self, run_id: str) -> None:
        """Removes a dead run's lease."""
        self._storage.delete(f"{RUNS}/{run_id}.json")

    def _over(self, path: str, told: Mapping[str, Any]) -> bool:
        if is_gone(told):
            return True
        age = self._storage.age(path)
        return age is None or age > float(told.get("life_s", self._life_s))

    def _words(self) -> bytes:
        told = {"run_id": self._run_id, "token": self._token, "life_s": self._life_s, **this_process()}
        # A number that changes: a write that changed nothing would leave the object its version on S3.
        return json.dumps({**told, "written": uuid.uuid4().hex}).encode()

    def _renew(self) -> None:
        while not self._ended.wait(self._life_s / 3):
            for name, path in list(self._held.items()):
                with self._guard:
                    if name not in self._held:
                        continue
                    try:
                        version = self._storage.version(path)
                        if _told(self._storage, path).get("token") == self._token:
                            self._storage.replace(path, self._words(), version)
                        else:
                            # Taken over while this process slept. What it writes is still written safely.
                            del self._held[name]
                    except StoreError:
                        # The next turn tries again; there are two before the lease is over.
                        continue


def _told(storage: Storage, path: str) -> dict[str, Any]:
    """What a lease says; empty if it was given back, or is no lease."""
    try:
        told = json.loads(storage.read(path))
    except (FileNotFoundError, ValueError):
        return {}
    return told if isinstance(told, dict) and {"run_id", "host", "pid", "token"} <= told.keys() else {}


def this_process() -> dict[str, Any]:
    """Tells this process from others: host, process number, and which boot and container that counts in."""
    return {
        "host": platform.node(),
        "pid": os.getpid(),
        "booted": _line("/proc/sys/kernel/random/boot_id"),
        "pids": _link("/proc/self/ns/pid"),
    }


def is_gone(where: Mapping[str, Any]) -> bool:
    """Whether a process that was told of by `this_process` is known to be gone. Of other machines': no."""
    here = this_process()
    if where.get("host") != here["host"] or not here["booted"]:
        return False
    if where.get("booted") != here["booted"]:
        return True
    # Containers may share a name and a kernel, and count their processes apart.
    return where.get("pids", here["pids"]) == here["pids"] and not alive(int(where.get("pid") or 0))


def _line(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _link(path: str) -> str:
    try:
        return str(Path(path).readlink())
    except OSError:
        return ""
