"""Writes anew what an earlier version of this program wrote: `reprocensus migrate`."""

from reprocensus.publish import publish
from reprocensus.schemas import load_tables
from reprocensus.tables import Tables, edition_of


def upgrade(tables: Tables) -> list[str]:
    """Brings every file under `tables/` into today's shape; returns those that were written.

    Derived tables are computed again. The journal stays as it is: its files are immutable, and are converted
    whenever they are read. Safe beside a run, and to be interrupted and repeated.

    Raises:
        StoreError: a file is newer than this program, or nothing leads from its version to today's.
    """
    written, stale = [], set()
    for schema in load_tables():
        for path in tables.storage.list(f"tables/{schema.name}"):
            if not path.endswith(".parquet") or tables.is_of_today(schema.name, path):
                continue
            written.append(path)
            if schema.derived:
                stale.add(edition_of(path))
            else:
                tables.rewrite(schema.name, path)
    for edition in sorted(stale):
        publish(tables, edition)
    return written
