"""Makes a store of any size out of another's papers: resampled_store.py SOURCE TARGET FACTOR [SEED].

Each edition gets FACTOR times its papers, drawn with replacement, each with its verdicts; copies differ in
their paper_id. Only papers and verdicts are written. For measuring, not for statistics.
"""

import sys

import polars as pl

from reprocensus.settings import load_settings
from reprocensus.storage import open_storage
from reprocensus.tables import Partition, Tables


def resample(source: Tables, target: Tables, factor: int, seed: int) -> int:
    """Writes the editions of `source`, resampled, to an empty `target`; returns how many papers."""
    total = 0
    for edition in source.editions("papers"):
        papers = source.read("papers", edition).frame
        drawn = papers.sample(papers.height * factor, with_replacement=True, seed=seed)
        drawn = drawn.with_row_index("copy").with_columns(
            old=pl.col("paper_id"), paper_id=pl.format("{}~{}", "paper_id", "copy")
        )
        verdicts = source.read("verdicts", edition).frame
        theirs = drawn.select("paper_id", "old").join(
            verdicts, left_on="old", right_on="paper_id", maintain_order="left_right"
        )
        target.replace("papers", edition, Partition(drawn.select(papers.columns)))
        target.replace("verdicts", edition, Partition(theirs.select(verdicts.columns)))
        total += drawn.height
    return total


def main() -> None:
    """Reads the command line."""
    source, target, factor, *seed = sys.argv[1:]
    settings = load_settings()
    stores = [Tables(open_storage(uri, settings)) for uri in (source, target)]
    print(resample(stores[0], stores[1], int(factor), int(seed[0]) if seed else 0), "papers")


if __name__ == "__main__":
    main()
