"""The folder that a static site is written to: files whole or not at all, and a record of who wrote which.

`.reprocensus/<edition>.json` in it says from what an edition's files were made and which they are,
`common.json` which the others are. So the next build knows what it need not write and what it must remove.
"""

import fcntl
import json
import os
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Final, TextIO

from reprocensus.errors import UsageError

RECORDS: Final = ".reprocensus"
COMMON: Final = "common"


@dataclass(frozen=True, slots=True)
class Record:
    """What one edition's files were made from, and their paths below the folder.

    `versions`: the store's word for which partitions these were; `content`: their digest, which is looked at
    where that word differs; `program`: digest of templates, code and options.
    """

    versions: str
    content: str
    program: str
    files: tuple[str, ...]


class Output:
    """The folder. One build at a time writes to it, from several processes.

    The build's own process takes it `alone`, as long as this object lives: UsageError where another has it.
    """

    def __init__(self, root: Path, *, alone: bool = False) -> None:
        self.root = root
        self._lock = _locked(root) if alone else None
        self._made: set[Path] = set()

    def write(self, path: str, data: bytes) -> str:
        """Writes a file; one that holds these bytes already is left alone. Returns its path."""
        file = self.root / path
        self._folder(file.parent)
        if not _holds(file, data):
            write(file, data)
        return path

    def copy(self, path: str, source: BinaryIO) -> str:
        """Writes a file that never changes, unless it is there."""
        file = self.root / path
        if not file.exists():
            self._folder(file.parent)
            with _replacing(file) as temporary, temporary.open("wb") as to:
                shutil.copyfileobj(source, to, 1 << 20)
        return path

    def record(self, name: str) -> Record | None:
        """What was written under a name; None if nothing, or nothing that can be read."""
        try:
            found = json.loads((self.root / RECORDS / f"{name}.json").read_text("utf-8"))
            return Record(found["versions"], found["content"], found["program"], tuple(found["files"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, name: str, record: Record) -> None:
        """Remembers what was written under a name."""
        self.write(f"{RECORDS}/{name}.json", json.dumps(asdict(record), indent=0).encode())

    def names(self) -> list[str]:
        """The names that something was written under."""
        return sorted(file.stem for file in (self.root / RECORDS).glob("*.json"))

    def forget(self, name: str) -> None:
        """Drops the record of a name."""
        (self.root / RECORDS / f"{name}.json").unlink(missing_ok=True)

    def remove(self, paths: Iterable[str]) -> int:
        """Removes files, and folders that are empty then; returns how many files."""
        n = 0
        for path in paths:
            file = self.root / path
            try:
                file.unlink()
                n += 1
            except FileNotFoundError:
                continue
            for folder in file.parents:
                if folder == self.root or next(folder.iterdir(), None):
                    break
                folder.rmdir()
        self._made.clear()
        return n

    def _folder(self, folder: Path) -> None:
        if folder not in self._made:
            folder.mkdir(parents=True, exist_ok=True)
            self._made.add(folder)


def _locked(root: Path) -> TextIO:
    """A file whose lock ends with this process, however that ends."""
    (root / RECORDS).mkdir(parents=True, exist_ok=True)
    held = (root / RECORDS / "lock").open("a")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        held.close()
        raise UsageError(f"another build writes to {root}; wait for it, or name another --out") from error
    return held


def write(file: Path, data: bytes) -> None:
    """Writes a file whole or not at all, in a folder that is made if it is not there.

    Raises:
        UsageError: it cannot be written; the disk may be full.
    """
    with _replacing(file) as temporary:
        try:
            temporary.write_bytes(data)
        except FileNotFoundError:
            file.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(data)


@contextmanager
def _replacing(file: Path) -> Iterator[Path]:
    """A file beside this one, which takes its place once it is written, and is gone if it is not."""
    temporary = _beside(file)
    try:
        yield temporary
        temporary.replace(file)
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(
            f"{file} cannot be written: {why}. Mend that and build again; the rest stays"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _beside(file: Path) -> Path:
    return file.with_name(f".{os.getpid()}-{threading.get_ident()}.tmp")


def _holds(file: Path, data: bytes) -> bool:
    try:
        return file.stat().st_size == len(data) and file.read_bytes() == data
    except OSError:
        return False
