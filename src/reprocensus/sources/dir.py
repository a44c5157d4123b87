"""`dir:FOLDER`: every file ending in .pdf below a folder. Titles are read off page 1 later.

The edition is given by `--venue` and `--year`, or by a folder name such as ICML-2016.
"""

import re
from pathlib import Path

from reprocensus.errors import SourceError
from reprocensus.keys import digest, slug
from reprocensus.records import Edition, Paper
from reprocensus.sources import SourceOptions, check_venue


def list_papers(rest: str, options: SourceOptions) -> list[Paper]:
    """The folder's PDFs, by path. Raises `SourceError` if it is no folder or its edition is not known."""
    folder = Path(rest).expanduser().absolute()
    if not folder.is_dir():
        raise SourceError(f"dir:{rest}: no such folder")
    edition = _edition(folder, options)
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() == ".pdf" and p.is_file())
    papers: dict[str, Paper] = {}
    for file in files:
        relative = file.relative_to(folder)
        paper_id = f"{edition.venue}-{edition.year}/{slug(relative.with_suffix('').as_posix())}"
        if paper_id in papers or paper_id.endswith("/"):
            # Names that differ in punctuation or script alone still are different papers.
            paper_id += f"_{digest(relative.as_posix())[:8]}"
        papers[paper_id] = Paper(paper_id, edition, "", f"dir:{folder}", str(file))
    return list(papers.values())


def _edition(folder: Path, options: SourceOptions) -> Edition:
    named = re.fullmatch(r"(.+)[-_ ](\d{4})", folder.name)
    venue = options.venue or (named[1] if named else None)
    year = options.year or (int(named[2]) if named else None)
    if not venue or not year:
        raise SourceError(f"dir:{folder}: say which edition it holds with --venue NAME and --year YYYY")
    try:
        return Edition(check_venue(venue), year)
    except ValueError as error:
        raise SourceError(f"dir:{folder}: {error}") from error
