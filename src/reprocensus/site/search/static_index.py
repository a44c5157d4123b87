"""The search index of a static site: small files of which a script fetches those that a query needs. Pure.

Each is JSON in gzip, whatever the web server does, so that a search costs no more than a page. Numbers of
papers are by edition, so a filter is a range.

- `index.bin`: the stamp in the names of the files of words, editions with the number of their first paper and
  the stamp in the names of their papers' files, and the first word of each file of words.
- `words-<stamp>-<n>.bin`: words in order, and for each its papers: the difference to the number before,
  times four, plus the kind of the best place (3 title, 2 author, 1 several passages, 0 one), as integers of
  variable length in base64.
- `papers-<stamp of the edition>-<n>.bin`: title, authors, address and passages of `BLOCK` papers each. They
  stay as they are until their edition changes.
"""

import base64
import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

import numpy as np
import polars as pl

from reprocensus.site.search.entries import Entry
from reprocensus.site.search.words import MAX_LETTERS

#: About the size of one file of words before it is packed, in bytes; a very common word may need more.
CHUNK: Final = 16_000
#: Papers in one file: a hit costs one, most of it its own.
BLOCK: Final = 2
#: Longer titles and lists of authors are cut in a hit.
_SHOWN: Final = 400
#: A word in more than this share of papers finds none by their evidence, and may be missing.
_COMMON: Final = 0.4
#: That only counts from so many papers on.
_FEW: Final = 200
_TITLE, _AUTHOR, _MANY, _ONE = 3, 2, 1, 0


def index_files(entries: Iterable[Entry]) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the index's files, `index.bin` last. Entries come edition by edition."""
    editions: list[tuple[str, int, int, str]] = []
    texts: list[tuple[int, int, str]] = []
    n_papers = 0
    for edition, group in groupby(entries, key=lambda entry: entry.edition):
        own = list(group)
        blocks = [_json([_hit(e) for e in own[at : at + BLOCK]]) for at in range(0, len(own), BLOCK)]
        stamp = _stamp(blocks)
        for number, block in enumerate(blocks):
            yield f"papers-{stamp}-{number}.bin", _packed(block)
        editions.append((edition.venue, edition.year, n_papers, stamp))
        for number, entry in enumerate(own, start=n_papers):
            texts += [(number, _TITLE, entry.title), (number, _AUTHOR, entry.authors)]
            texts += [(number, _ONE, passage.text) for passage in entry.evidence]
        n_papers += len(own)
    postings, common = _postings(texts, n_papers)
    chunks = list(_chunks(postings))
    stamp = _stamp([content for _, content in chunks])
    for number, (_, content) in enumerate(chunks):
        yield f"words-{stamp}-{number}.bin", _packed(content)
    about = {"stamp": stamp, "papers": n_papers, "block": BLOCK, "editions": editions, "common": common}
    about["words"] = [first for first, _ in chunks]
    yield "index.bin", _packed(_json(about))


def _hit(entry: Entry) -> list[object]:
    """What is shown of a paper that is found."""
    passages = [[e.variable, e.label, e.page, e.text] for e in entry.evidence]
    return [_cut(entry.title), _cut(entry.authors), entry.address, passages]


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} …"


def _stamp(contents: Iterable[bytes]) -> str:
    made = hashlib.sha256()
    for content in contents:
        made.update(hashlib.sha256(content).digest())
    return made.hexdigest()[:10]


def _packed(content: bytes) -> bytes:
    return gzip.compress(content, 6, mtime=0)


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
