"""The site as static files: every edition's pages in worker processes, and only of editions that changed."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from reprocensus import __version__
from reprocensus.errors import UsageError
from reprocensus.keys import digest
from reprocensus.outcome import Display, Progress, not_shown
from reprocensus.passages import Mark, Picture
from reprocensus.records import Edition
from reprocensus.settings import Settings
from reprocensus.site import urls
from reprocensus.site.answers import Answer
from reprocensus.site.corpus import TABLES, Corpus
from reprocensus.site.evidence import Drawn, EvidenceFiles
from reprocensus.site.options import Evidence, SiteOptions
from reprocensus.site.output import COMMON, RECORDS, Output, Record
from reprocensus.site.pages import answer, common_paths, edition_paths, evidence_paths
from reprocensus.site.prepare import draw, search_files
from reprocensus.site.render import redirect
from reprocensus.storage import open_storage
from reprocensus.tables import Tables, partition_path

#: Papers in one task: their texts are in memory together.
_CHUNK: Final = 400
#: Fewer papers are not worth starting processes for.
_FEW: Final = 300


@dataclass(frozen=True, slots=True)
class Built:
    """What a build did. `n_papers`: papers whose pages were made; `n_files`: theirs and common files."""

    n_papers: int
    n_files: int
    n_removed: int
    editions: tuple[Edition, ...]
    unchanged: tuple[Edition, ...]
    drawn: Drawn


@dataclass(frozen=True, slots=True)
class _Task:
    """Papers of an edition by paper_id, from `start` to `stop`; `names`: other addresses leading to them."""

    edition: Edition
    start: int
    stop: int
    names: tuple[tuple[str, str], ...]
    n_papers: int


def build(
    store: str,
    settings: Settings,
    options: SiteOptions,
    out: Path,
    *,
    full: bool = False,
    display: Display = not_shown,
) -> Built:
    """Writes the site of a store to a folder, in as many processes as the settings have workers.

    `display` is told of papers whose pictures are drawn, papers and common pages written, editions searched.

    Pages of editions that are as they were are left alone, unless `full`; those of papers and editions that
    are gone are removed.

    Raises:
        UsageError: the store has no papers, or the folder holds something else.
        StoreError: the store cannot be read.
    """
    corpus = Corpus(Tables(open_storage(store, settings)), options)
    if not corpus.editions:
        raise UsageError(f"the store {corpus.tables.storage.uri} has no papers; run `reprocensus run` first")
    output = Output(_checked(out), alone=True)
    program = program_digest(options)
    names = _names_by_edition(corpus)
    changed: dict[Edition, Record] = {}
    for edition in corpus.editions:
        record = _fresh(corpus, output, edition, program + digest(repr(names.get(edition, ()))), full=full)
        if record:
            changed[edition] = record
    n_papers = sum(len(corpus.edition_papers(edition)) for edition in changed)
    with_pictures = options.evidence is not Evidence.NONE
    totals = {"draw": n_papers} if with_pictures else {}
    totals |= {"papers": n_papers, "common": len(list(common_paths(corpus))), "search": len(corpus.editions)}
    drawn = Drawn()
    with display(totals) as tell:
        # Told at once, so that nobody waits without knowing for what.
        tell("papers", "done", 0)
        if with_pictures:
            marked = options.evidence is Evidence.MARKED
            drawn = draw(corpus, list(changed), out, tell, marked=marked, workers=settings.workers)
        written = _write_editions(
            corpus, store, settings, options, output, list(changed), names, n_papers, tell
        )
        common = _write_common(corpus, output, tell)
    n_removed = _remove(corpus, output, written, common)
    for edition, record in changed.items():
        kept = Record(record.versions, record.content, record.program, tuple(written[edition]))
        output.keep(urls.edition_name(edition), kept)
    output.keep(COMMON, Record("", "", program, tuple(common)))
    unchanged = tuple(edition for edition in corpus.editions if edition not in changed)
    n_files = sum(map(len, written.values())) + len(common)
    return Built(n_papers, n_files, n_removed, tuple(changed), unchanged, drawn)


def _checked(out: Path) -> Path:
    """The folder, if it is empty, new, or a site that was built before."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is a file; name a folder")
    if out.is_dir() and next(out.iterdir(), None) and not (out / RECORDS).is_dir():
        raise UsageError(f"--out {out} holds files that no build wrote; name a new or empty folder")
    # From now on the folder is known as ours, should this build be killed while it draws.
    try:
        (out / RECORDS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {out} cannot be made: {error.strerror}; name another folder") from error
    return out


@cache
def _code() -> str:
    """Digest of everything that pages are made with but the tables."""

    def walk(folder: Traversable) -> Iterator[tuple[str, bytes]]:
        for item in sorted(folder.iterdir(), key=lambda item: item.name):
            if item.is_dir():
                yield from walk(item)
            elif not item.name.endswith(".pyc"):
                yield item.name, item.read_bytes()

    parts = [f"{name} {digest(data)}" for name, data in walk(files("reprocensus.site"))]
    return digest("\n".join([__version__, *parts]))


def program_digest(options: SiteOptions) -> str:
    """Digest of code, templates and options: pages made with another are made again."""
    from reprocensus.schemas import load_variables

    return digest("\n".join([_code(), repr(options), *(v.sha for v in load_variables())]))


def _fresh(corpus: Corpus, output: Output, edition: Edition, program: str, *, full: bool) -> Record | None:
    """The record of what an edition's pages are to be made from; None where they are made from it already."""
    versions, name = corpus.version(edition), urls.edition_name(edition)
    before = output.record(name)
    same = before is not None and before.program == program and not full
    if before and same and before.versions == versions:
        return None
    content = _content(corpus, edition)
    if before and same and before.content == content:
        # Written anew with the same bytes, or copied.
        output.keep(name, Record(versions, content, program, before.files))
        return None
    return Record(versions, content, program, ())


def _content(corpus: Corpus, edition: Edition) -> str:
    """Digest of the partitions and of which files the journal has."""
    storage = corpus.tables.storage
    parts = [partition_path(name, edition) for name in TABLES]
    found = [digest(storage.read(path)) if storage.exists(path) else "" for path in parts]
    return digest("\n".join([*found, *(entry.path for entry in corpus.tables.journal(edition))]))


def _names_by_edition(corpus: Corpus) -> dict[Edition, tuple[tuple[str, str], ...]]:
    found: dict[Edition, list[tuple[str, str]]] = {}
    for path, (edition, paper_id) in corpus.other_names().items():
        found.setdefault(edition, []).append((path, paper_id))
    return {edition: tuple(sorted(names)) for edition, names in found.items()}


def _write_editions(
    corpus: Corpus,
    store: str,
    settings: Settings,
    options: SiteOptions,
    output: Output,
    editions: list[Edition],
    names: dict[Edition, tuple[tuple[str, str], ...]],
    n_papers: int,
    tell: Progress,
) -> dict[Edition, list[str]]:
    tasks = list(_tasks(corpus, editions, names))
    written: dict[Edition, list[str]] = {edition: [] for edition in editions}
    if n_papers < _FEW or settings.workers == 1:
        for task in tasks:
            written[task.edition] += write_task(corpus, output, task)
            tell("papers", "done", task.n_papers)
        return written
    pool = ProcessPoolExecutor(
        settings.workers, get_context("spawn"), _start, (store, settings, options, output.root)
    )
    with pool:
        running: dict[Future[list[str]], _Task] = {pool.submit(_run, task): task for task in tasks}
        try:
            for done in as_completed(running):
                written[running[done].edition] += done.result()
                tell("papers", "done", running[done].n_papers)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return written


def _tasks(
    corpus: Corpus, editions: list[Edition], names: dict[Edition, tuple[tuple[str, str], ...]]
) -> Iterator[_Task]:
    """The largest editions first, so that the processes end together."""
    for edition in sorted(editions, key=lambda e: -len(corpus.edition_papers(e))):
        papers = sorted(corpus.edition_papers(edition))
        for start in range(0, max(1, len(papers)), _CHUNK):
            own = set(papers[start : start + _CHUNK])
            others = tuple(pair for pair in names.get(edition, ()) if pair[1] in own)
            yield _Task(edition, start, start + _CHUNK, others, len(own))


class _Drawn:
    """Stands for what draws, where all is drawn already."""

    def pictures(self, data: bytes, marks: Sequence[Mark]) -> list[Picture | None]:
        """Never asked for."""
        raise NotImplementedError

    def marked(self, data: bytes, marks: Sequence[Mark], name: str = "") -> bytes:
        """Never asked for."""
        raise NotImplementedError


_worker: tuple[Corpus, Output] | None = None


def _start(store: str, settings: Settings, options: SiteOptions, root: Path) -> None:
    global _worker  # noqa: PLW0603  (what a process is started with lives as long as it)
    corpus = Corpus(Tables(open_storage(store, settings)), options)
    if options.evidence is not Evidence.NONE:
        corpus.evidence = EvidenceFiles(corpus.tables, corpus.variables, _Drawn(), root)
    _worker = corpus, Output(root)


def _run(task: _Task) -> list[str]:
    assert _worker is not None
    return write_task(*_worker, task)


def write_task(corpus: Corpus, output: Output, task: _Task) -> list[str]:
    """Writes the pages of some papers of an edition; returns the files' paths."""
    data = corpus.edition(task.edition)
    papers = data.hold(task.start, task.stop)
    if corpus.options.texts:
        corpus.hold_texts(papers)
    written: list[str] = []
    if corpus.options.pdfs and not corpus.options.archive_url:
        # First of all, so that no page links to one that is not there.
        written += _copy_pdfs(corpus, output, set().union(*(paper.pdfs for paper in papers)))
    written += _write(corpus, output, edition_paths(corpus, task.edition, task.start, task.stop))
    written += evidence_paths(corpus, task.edition, [paper.paper_id for paper in papers])
    for path, paper_id in task.names:
        address = f"papers/{path}/"
        page = redirect(address, urls.paper(paper_id))
        written.append(output.write(urls.on_disk(address), page))
    return written


def _copy_pdfs(corpus: Corpus, output: Output, digests: Iterable[str]) -> Iterator[str]:
    for sha256 in digests:
        try:
            with corpus.tables.storage.open(f"objects/pdf/{sha256}.pdf") as source:
                yield output.copy(urls.pdf(sha256), source)
        except FileNotFoundError:
            corpus.lacking.add(sha256)


def _write_common(corpus: Corpus, output: Output, tell: Progress) -> list[str]:
    written = []
    for path in common_paths(corpus):
        written += _write(corpus, output, [path])
        tell("common", "done", 1)
    return written + [output.write(path, data) for path, data in search_files(corpus, tell)]


def _write(corpus: Corpus, output: Output, paths: Iterable[str]) -> list[str]:
    written = []
    for path in paths:
        found = answer(corpus, path)
        if isinstance(found, Answer):
            written.append(output.write(urls.on_disk(path), found.body))
    return written


def _remove(corpus: Corpus, output: Output, written: dict[Edition, list[str]], common: list[str]) -> int:
    """Removes what earlier builds wrote and this one did not."""
    now = {urls.edition_name(edition): paths for edition, paths in written.items()} | {COMMON: common}
    standing = {urls.edition_name(edition) for edition in corpus.editions} | {COMMON}
    gone: set[str] = set()
    for name in output.names():
        record = output.record(name)
        if record and (name in now or name not in standing):
            gone |= set(record.files) - set(now.get(name, ()))
    if gone:
        # Two editions may have one PDF.
        for name in standing:
            record = output.record(name)
            gone -= set(now.get(name, record.files if record else ()))
    removed = output.remove(sorted(gone))
    for name in set(output.names()) - standing:
        output.forget(name)
    return removed
