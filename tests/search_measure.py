"""What a search on a static site costs a reader: bytes of page, scripts and index, in Chromium.

The papers are those of a store; where that has no passages, as an imported census has none, each is given
those of a paper of another store, drawn at random: so the index has the size that it would have.

    python tests/search_measure.py STORE [--passages-of OTHER]
"""

import argparse
import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

from reprocensus.settings import load_settings
from reprocensus.site import urls
from reprocensus.site.answers import Answer
from reprocensus.site.corpus import Corpus
from reprocensus.site.options import SiteOptions
from reprocensus.site.output import write
from reprocensus.site.pages import answer
from reprocensus.site.search.entries import Entry, entries_of
from reprocensus.site.search.static_index import index_files
from reprocensus.site.views.crawl import static_names
from reprocensus.storage import open_storage
from reprocensus.tables import Tables
from site_support import chromium, served, watch

QUERIES = ("diffusion", "nvidia v100", "graph neural network", "reinforcement learning robot", "smith 2019",
           "adam learning rate batch", "imagenet", "pytorch 1.7")  # fmt: skip


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("store")
    asked.add_argument("--passages-of", help="a store whose papers were judged with quotes")
    given = asked.parse_args()
    corpus = _corpus(given.store)
    entries: Iterator[Entry] = _entries(corpus)
    if given.passages_of:
        entries = _with_passages(entries, [e for e in _entries(_corpus(given.passages_of)) if e.evidence])
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder) / "site"
        started = time.process_time()
        sizes: dict[str, list[int]] = {}
        for name, data in index_files(entries):
            write(site / urls.search_file(name), data)
            sizes.setdefault(name.partition("-")[0], []).append(len(data))
        print(f"index: {time.process_time() - started:.1f} s of CPU")
        for kind, own in sizes.items():
            print(f"  {kind}: {len(own)} files, {sum(own) / 1e6:.1f} MB, largest {max(own)} bytes")
        for path in (urls.search(), *map(urls.static, static_names())):
            found = answer(corpus, path)
            assert isinstance(found, Answer)
            write(site / urls.on_disk(path), found.body)
        _search(site)


def _search(site: Path) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, served(site) as address:
        flags = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=chromium(), args=flags)
        for query in QUERIES:
            page = browser.new_page()
            seen = watch(page)
            page.goto(f"{address}search/?q={query.replace(' ', '+')}", wait_until="networkidle")
            print(
                f"  {query}: {page.inner_text('#found')}, {seen.weight} bytes, {len(seen.requests)} requests"
            )
            page.close()
        browser.close()


def _corpus(store: str) -> Corpus:
    return Corpus(Tables(open_storage(store, load_settings())), SiteOptions())


def _entries(corpus: Corpus) -> Iterator[Entry]:
    return chain.from_iterable(entries_of(corpus.tables, edition) for edition in corpus.editions)


def _with_passages(entries: Iterator[Entry], others: list[Entry]) -> Iterator[Entry]:
    chance = random.Random(1)
    for entry in entries:
        yield replace(entry, evidence=chance.choice(others).evidence)


if __name__ == "__main__":
    main()
