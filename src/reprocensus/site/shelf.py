"""Every paper's rows and its finished page, by address, in one SQLite file that several processes read.

`serve` fills it edition by edition, rows first, and brings it up to date. So a paper's page costs one
look-up, whichever of the processes is asked, and none of them keeps tables in memory.
"""

import json
import sqlite3
import threading
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from reprocensus.records import Edition
from reprocensus.site import urls
from reprocensus.site.edition_data import PaperRows, Row
from reprocensus.site.names import other_names

_SCHEMA: Final = """
-- A number is never used again: readers remember which edition it stands for.
CREATE TABLE editions
    (id INTEGER PRIMARY KEY AUTOINCREMENT, venue TEXT, year INTEGER, version TEXT, columns TEXT,
     finished INTEGER DEFAULT 0);
CREATE TABLE papers (edition INTEGER, address TEXT UNIQUE, rows BLOB);
CREATE INDEX papers_edition ON papers (edition);
CREATE TABLE pages (edition INTEGER, address TEXT UNIQUE, body BLOB);
CREATE INDEX pages_edition ON pages (edition);
CREATE TABLE names (edition INTEGER, name TEXT, address TEXT);
CREATE INDEX names_edition ON names (edition);
CREATE INDEX names_name ON names (name);
"""
#: Kinds of rows that a paper may have any number of.
_MANY: Final = ("verdicts", "failures", "labels", "earlier")
Columns = dict[str, list[str]]
_encode, _decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder().decode


class Shelf:
    """The file. Safe to use from several threads and processes; one of them writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        self._writing = threading.Lock()
        #: Edition and columns by the edition's number, as far as they were looked up.
        self._known: dict[int, tuple[Edition, Columns]] = {}
        with self._connection() as database:
            database.execute("PRAGMA journal_mode = WAL")
            if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'papers'").fetchone():
                database.executescript(_SCHEMA)

    def versions(self) -> dict[Edition, str]:
        """The editions that are here, and of which version."""
        rows = self._found("SELECT venue, year, version FROM editions")
        return {Edition(venue, year): version for venue, year, version in rows}

    def replace(self, edition: Edition, version: str, papers: Iterable[PaperRows]) -> None:
        """Puts these papers in the place of those that the edition had; readers see all or none of it."""
        with self._writing, self._connection() as database:
            self._drop(database, edition)
            inserted = database.execute(
                "INSERT INTO editions (venue, year, version) VALUES (?, ?, ?)",
                (edition.venue, edition.year, version),
            )
            number, columns = inserted.lastrowid or 0, Columns()
            for paper in papers:
                address = urls.id_path(paper.paper_id)
                row = (number, address, _packed(paper, columns))
                database.execute("INSERT OR REPLACE INTO papers VALUES (?, ?, ?)", row)
                names = other_names(edition, paper.paper_id, paper.paper["title"], paper.aliases)
                database.executemany(
                    "INSERT INTO names VALUES (?, ?, ?)", [(number, name, address) for name in names]
                )
            database.execute("UPDATE editions SET columns = ? WHERE id = ?", (json.dumps(columns), number))

    def unfinished(self) -> dict[Edition, tuple[str, list[str]]]:
        """The editions whose pages are not here: their version, and the addresses of their papers."""
        database, found = self._connection(), {}
        query = "SELECT id, venue, year, version FROM editions WHERE NOT finished"
        for number, venue, year, version in database.execute(query).fetchall():
            rows = database.execute("SELECT address FROM papers WHERE edition = ?", (number,))
            found[Edition(venue, year)] = version, [address for (address,) in rows]
        return found

    def finish(self, edition: Edition, version: str, pages: Iterable[tuple[str, bytes]]) -> None:
        """Puts finished pages (address, body) beside the rows they were made of, if these are still here."""
        with self._writing, self._connection() as database:
            query = "SELECT id FROM editions WHERE venue = ? AND year = ? AND version = ?"
            found = database.execute(query, (edition.venue, edition.year, version)).fetchone()
            if found is None:
                return
            for address, body in pages:
                row = (found[0], address, zlib.compress(body, 1))
                database.execute("INSERT OR REPLACE INTO pages VALUES (?, ?, ?)", row)
            database.execute("UPDATE editions SET finished = 1 WHERE id = ?", found)

    def page(self, address: str) -> bytes | None:
        """The finished page of the paper with that address, if it is here."""
        found = self._found("SELECT body FROM pages WHERE address = ?", address)
        return zlib.decompress(found[0][0]) if found else None

    def remove(self, edition: Edition) -> None:
        """Takes an edition's papers away."""
        with self._writing, self._connection() as database:
            self._drop(database, edition)

    def get(self, address: str) -> PaperRows | None:
        """The paper with that address (`urls.id_path`)."""
        # An edition may be replaced between the two looks; its papers then have another number.
        for _ in range(3):
            found = self._found("SELECT edition, rows FROM papers WHERE address = ?", address)
            if not found:
                return None
            number, packed = found[0]
            if known := self._edition(number):
                return _unpacked(packed, *known)
        return None

    def _edition(self, number: int) -> tuple[Edition, Columns] | None:
        if number not in self._known:
            for venue, year, columns in self._found(
                "SELECT venue, year, columns FROM editions WHERE id = ?", number
            ):
                self._known[number] = Edition(venue, year), json.loads(columns)
        return self._known.get(number)

    def named(self, name: str) -> PaperRows | None:
        """The one paper that has this address or other name; None if no or several papers have it."""
        found = self._found("SELECT DISTINCT address FROM names WHERE name = ? LIMIT 2", name)
        return self.get(name) or (self.get(found[0][0]) if len(found) == 1 else None)

    def _drop(self, database: sqlite3.Connection, edition: Edition) -> None:
        key = (edition.venue, edition.year)
        for (number,) in database.execute("SELECT id FROM editions WHERE venue = ? AND year = ?", key):
            for table in ("papers", "pages", "names"):
                database.execute(f"DELETE FROM {table} WHERE edition = ?", (number,))
            database.execute("DELETE FROM editions WHERE id = ?", (number,))

    def _found(self, query: str, *values: str | int) -> list[tuple[Any, ...]]:
        """Rows; none where the file cannot be read, so that what is asked for is read from the tables."""
        try:
            return self._connection().execute(query, values).fetchall()
        except sqlite3.Error:
            # What fills the shelf meets it too, and tells.
            return []

    def _connection(self) -> sqlite3.Connection:
        found = getattr(self._local, "connection", None)
        if found is None:
            found = self._local.connection = sqlite3.connect(self.path, timeout=60)
        assert isinstance(found, sqlite3.Connection)
        return found


def _packed(paper: PaperRows, columns: Columns) -> bytes:
    """A paper's rows without the columns' names, which are the same for all papers of an edition."""
    single = [_values("paper", paper.paper, columns), None]
    if paper.document is not None:
        single[1] = _values("document", paper.document, columns)
    many = [[_values(kind, row, columns) for row in getattr(paper, kind)] for kind in _MANY]
    return zlib.compress(_encode([*single, *many, paper.aliases]), 1)


def _values(kind: str, row: Mapping[str, Any], columns: Columns) -> list[Any] | None:
    names = columns.setdefault(kind, list(row))
    return [row[name] for name in names]


def _unpacked(packed: bytes, edition: Edition, columns: Columns) -> PaperRows:
    paper, document, *many, aliases = _decode(zlib.decompress(packed))
    kinds = {kind: _rows(columns.get(kind, []), rows) for kind, rows in zip(_MANY, many, strict=True)}
    return PaperRows(
        edition=edition,
        paper=dict(zip(columns["paper"], paper, strict=True)),
        document=dict(zip(columns["document"], document, strict=True)) if document is not None else None,
        aliases=aliases,
        **kinds,
    )


def _rows(names: list[str], rows: list[list[Any]]) -> list[Row]:
    return [dict(zip(names, row, strict=True)) for row in rows]
