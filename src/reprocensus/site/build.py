"""The site as static files."""

import os
import uuid
from pathlib import Path

from reprocensus.site import urls
from reprocensus.site.corpus import Corpus
from reprocensus.site.pages import Answer, answer, common_paths, edition_paths


def build(corpus: Corpus, out: Path) -> int:
    """Writes every page below `out`; returns how many."""
    written = 0
    paths = list(common_paths(corpus))
    for edition in corpus.editions:
        paths += edition_paths(corpus, edition)
    for path in paths:
        found = answer(corpus, path)
        if isinstance(found, Answer):
            write(out / urls.on_disk(path), found.body)
            written += 1
    return written


def write(file: Path, data: bytes) -> None:
    """Writes a file whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{uuid.uuid4().hex}")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, file)  # noqa: PTH105
    finally:
        temporary.unlink(missing_ok=True)
