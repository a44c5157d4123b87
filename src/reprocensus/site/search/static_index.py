"""The search index of a static site: small files of which a script fetches those that a query needs. Pure.

- `index.json`: the stamp in the other files' names, editions with the number of their first paper, and the
  first word of each file of words. Numbers of papers are by edition, so a filter is a range.
- `words-<stamp>-<n>.json`: words in order, and for each its papers: the difference to the number before,
  times four, plus the kind of the best place (3 title, 2 author, 1 several passages, 0 one), as integers of
  variable length in base64.
- `papers-<stamp>-<n>.json`: title, authors, address of so many papers each.

Passages are not here: they are fetched from the pages' own JSON for the papers that are shown.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import polars as pl

from reprocensus.site.search.entries import Entry
from reprocensus.site.search.words import MAX_LETTERS

#: About the size of one file of words, in bytes. A very common word may need more for itself alone.
CHUNK: Final = 40_000
#: Papers in one file.
BLOCK: Final = 32
#: A word in more than this share of papers finds none by their evidence, and may be missing.
_COMMON: Final = 0.4
#: That only counts from so many papers on.
_FEW: Final = 200
_TITLE, _AUTHOR, _MANY, _ONE = 3, 2, 1, 0


def index_files(entries: Iterable[Entry]) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the index's files, `index.json` last. Entries come edition by edition."""
    papers: list[tuple[str, str, str]] = []
    editions: list[tuple[str, int, int]] = []
    texts: list[tuple[int, int, str]] = []
    for number, entry in enumerate(entries):
        edition = (entry.edition.venue, entry.edition.year)
        if not editions or editions[-1][:2] != edition:
            editions.append((*edition, number))
        papers.append((entry.title, entry.authors, entry.address))
        texts += [(number, _TITLE, entry.title), (number, _AUTHOR, entry.authors)]
        texts += [(number, _ONE, passage.text) for passage in entry.evidence]
    files: dict[str, bytes] = {}
    firsts: list[str] = []
    postings, common = _postings(texts, len(papers))
    for count, (first, content) in enumerate(_chunks(postings)):
        firsts.append(first)
        files[f"words-{count}"] = content
    blocks = [papers[start : start + BLOCK] for start in range(0, len(papers), BLOCK)]
    files |= {f"papers-{count}": _json(block) for count, block in enumerate(blocks)}
    stamp = hashlib.sha256(b"".join(files.values())).hexdigest()[:10]
    for name, content in files.items():
        kind, _, count_ = name.partition("-")
        yield f"{kind}-{stamp}-{count_}.json", content
    about = {"stamp": stamp, "papers": len(papers), "block": BLOCK, "editions": editions, "common": common}
    about["words"] = firsts
    yield "index.json", _json(about)


def _postings(texts: list[tuple[int, int, str]], n_papers: int) -> tuple[pl.DataFrame, list[str]]:
    """For each word in order: `papers`, their numbers in order, and `kinds`, their best places.

    Also the common words, of which the places in titles and among the authors are there alone.
    """
    frame = pl.DataFrame(
        texts, schema={"paper": pl.Int32, "kind": pl.Int8, "text": pl.String}, orient="row"
    ).lazy()
    folded = (
        pl.col("text")
        .str.normalize("NFKD")
        .str.replace_all(r"\p{M}+", "")
        .str.to_lowercase()
        .str.extract_all(r"[\p{L}\p{N}]+")
        .list.unique()
    )
    places = (
        frame.select("paper", "kind", word=folded)
        .explode("word")
        .drop_nulls("word")
        .with_columns(pl.col("word").str.slice(0, MAX_LETTERS))
        .group_by("word", "paper")
        .agg(pl.col("kind").max(), n=pl.len())
        .with_columns(
            kind=pl.when((pl.col("kind") == _ONE) & (pl.col("n") > 1)).then(_MANY).otherwise(pl.col("kind"))
        )
        .collect()
    )
    common: list[str] = []
    if n_papers > _FEW:
        counts = places.group_by("word").len().filter(pl.col("len") > _COMMON * n_papers)
        common = counts["word"].sort().to_list()
        places = places.filter(~pl.col("word").is_in(common) | (pl.col("kind") >= _AUTHOR))
    grouped = places.sort("word", "paper").group_by("word", maintain_order=True)
    return grouped.agg(papers=pl.col("paper"), kinds=pl.col("kind")), common


def _chunks(postings: pl.DataFrame) -> Iterator[tuple[str, bytes]]:
    """Files of words: the first word of each, and the file."""
    words: list[str] = []
    lists: list[str] = []
    size = 0
    for word, papers, kinds in zip(postings["word"], postings["papers"], postings["kinds"], strict=True):
        packed = pack(papers.to_numpy(), kinds.to_numpy())
        if words and size + len(word) + len(packed) > CHUNK:
            yield words[0], _json([words, lists])
            words, lists, size = [], [], 0
        words.append(word)
        lists.append(packed)
        size += len(word) + len(packed) + 6
    if words:
        yield words[0], _json([words, lists])


def pack(papers: "np.typing.NDArray[np.int32]", kinds: "np.typing.NDArray[np.int8]") -> str:
    """Rising numbers of papers and kinds of places as base64 of variable-length integers, low bits first."""
    values = np.diff(papers.astype(np.int64), prepend=0) * 4 + kinds
    if values.max(initial=0) < 128:
        return base64.b64encode(values.astype(np.uint8).tobytes()).decode()
    out = bytearray()
    for value in values.tolist():
        while value > 127:
            out.append(value & 127 | 128)
            value >>= 7  # noqa: PLW2901 - what is left of it
        out.append(value)
    return base64.b64encode(bytes(out)).decode()


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
