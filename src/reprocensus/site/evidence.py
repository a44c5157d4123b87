"""Files of a paper's evidence: a picture of each quote's passage, and its PDF with all quotes marked.

A file's name holds a digest of all that it is made from. So what is there need not be made again, what has
changed is made under another name, and a browser may keep what it has. Names are told from rows alone; the
PDF and the text are read when a file is made.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from reprocensus.errors import ExtractError
from reprocensus.outcome import Progress
from reprocensus.passages import Mark, Picture, colour_of
from reprocensus.passages.marks import VERSION, context
from reprocensus.site import urls
from reprocensus.site.safe import plain, shown
from reprocensus.tables import Tables
from reprocensus.variables import Variable

Row = dict[str, Any]
PICTURE: Final = ".webp"
MARKED: Final = ".pdf"
#: Bytes of pictures that are kept in memory.
_KEPT: Final = 64 * 2**20


@dataclass(frozen=True, slots=True)
class EvidenceNames:
    """Names of a paper's files: of the picture for each anchor of a quote, and of the marked PDF."""

    pictures: dict[str, str] = field(default_factory=dict)
    marked: str | None = None


def evidence_names(
    variables: Sequence[Variable], verdicts: Sequence[Row], document: Row | None
) -> EvidenceNames:
    """The names of a paper's files. `verdicts` are one engine's; quotes of another text have no files."""
    if document is None:
        return EvidenceNames()
    pictures: dict[str, str] = {}
    every = hashlib.sha256(f"{VERSION} {document['pdf_sha256']}".encode())
    for anchor, place, verdict, quote in _quotes(variables, verdicts, document):
        stands = (document["pdf_sha256"], VERSION, place, quote["page"], quote["start"], quote["text"])
        pictures[anchor] = f"{anchor}-{_digest(repr(stands).encode())}{PICTURE}"
        every.update(repr((stands, verdict["label"], verdict["rationale"])).encode())
    return EvidenceNames(pictures, f"marked-{every.hexdigest()[:12]}{MARKED}" if pictures else None)


def evidence_marks(
    variables: Sequence[Variable], verdicts: Sequence[Row], document: Row, text: str
) -> dict[str, Mark]:
    """What is marked in the paper's PDF, by the quotes' anchors."""
    return {
        anchor: Mark(
            quote["text"],
            quote["page"],
            *context(text, quote["start"], quote["end"]),
            colour_of(place),
            variables[place].title,
            verdict["label"],
            plain(verdict["rationale"]),
        )
        for anchor, place, verdict, quote in _quotes(variables, verdicts, document)
    }


def _quotes(
    variables: Sequence[Variable], verdicts: Sequence[Row], document: Row
) -> Iterator[tuple[str, int, Row, Row]]:
    """Anchor, place of the variable, verdict and quote of all quotes that stand in this document."""
    places = {variable.name: place for place, variable in enumerate(variables)}
    for verdict in verdicts:
        if verdict["text_sha256"] == document["text_sha256"] and verdict["variable"] in places:
            for number, quote in enumerate(verdict["quotes"], start=1):
                yield f"{verdict['variable']}-{number}", places[verdict["variable"]], verdict, quote


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


class Drawer(Protocol):
    """What draws: `passages.workers.PassagePool`."""

    def pictures(self, data: bytes, marks: Sequence[Mark]) -> list[Picture | None]:
        """A picture of each mark's passage."""

    def marked(self, data: bytes, marks: Sequence[Mark], name: str = "") -> bytes:
        """The PDF with all marks."""


@dataclass(frozen=True, slots=True)
class PaperEvidence:
    """One paper's rows that its files are made from."""

    paper: Row
    verdicts: tuple[Row, ...]
    document: Row
    text: Callable[[], str]


class EvidenceFiles:
    """Makes the files of papers' evidence. Safe to use from several threads.

    With a folder `out` pages offer the files that are in it, otherwise all: they are made when asked for.
    """

    def __init__(
        self, tables: Tables, variables: Sequence[Variable], drawer: Drawer, out: Path | None = None
    ) -> None:
        self._tables, self._variables, self._drawer, self._out = tables, variables, drawer, out
        self._guard = threading.Lock()
        self._held: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0

    def names(self, verdicts: Sequence[Row], document: Row | None) -> EvidenceNames:
        """The names of a paper's files."""
        return evidence_names(self._variables, verdicts, document)

    @property
    def made_on_demand(self) -> bool:
        """Whether a file is made when it is asked for, which takes some seconds the first time."""
        return self._out is None

    def offers(self, address: str) -> bool:
        """Whether the site has the file of that address."""
        return self._out is None or (self._out / address).exists()

    def pictures(self, evidence: PaperEvidence) -> dict[str, bytes]:
        """The paper's pictures by name, without those of passages that could not be found or drawn.

        Raises:
            ExtractError: the PDF cannot be opened or costs too much.
            FileNotFoundError: the store does not hold it.
        """
        names = self.names(evidence.verdicts, evidence.document).pictures
        marks = self._marks(evidence)
        made = self._drawer.pictures(self._pdf(evidence), list(marks.values()))
        return {names[anchor]: one.data for anchor, one in zip(marks, made, strict=True) if one}

    def marked(self, evidence: PaperEvidence) -> bytes:
        """The paper's PDF with all quotes marked. Raises as `pictures` does."""
        title = shown(evidence.paper["title"])[:300]
        return self._drawer.marked(self._pdf(evidence), list(self._marks(evidence).values()), title)

    def file(self, evidence: PaperEvidence, name: str) -> bytes | None:
        """One of the paper's files; None if it has none of that name, or it cannot be made."""
        names = self.names(evidence.verdicts, evidence.document)
        try:
            if name == names.marked:
                return self.marked(evidence)
            if name not in names.pictures.values():
                return None
            if (kept := self._kept(name)) is not None:
                return kept or None
            # Who looks at one picture looks at the paper's others next.
            made = self.pictures(evidence)
        except (ExtractError, FileNotFoundError):
            made = {}
        for other in names.pictures.values():
            self._keep(other, made.get(other, b""))
        return made.get(name)

    def _marks(self, evidence: PaperEvidence) -> dict[str, Mark]:
        return evidence_marks(self._variables, evidence.verdicts, evidence.document, evidence.text())

    def _pdf(self, evidence: PaperEvidence) -> bytes:
        path = f"objects/pdf/{evidence.document['pdf_sha256']}.pdf"
        try:
            return self._tables.storage.read(path)
        except FileNotFoundError as error:
            raise FileNotFoundError(f"The store does not hold its PDF, {path}. Fetch it again.") from error

    def _kept(self, name: str) -> bytes | None:
        with self._guard:
            if name in self._held:
                self._held.move_to_end(name)
            return self._held.get(name)

    def _keep(self, name: str, data: bytes) -> None:
        with self._guard:
            self._size += len(data) - len(self._held.pop(name, b""))
            self._held[name] = data
            while self._size > _KEPT and self._held:
                self._size -= len(self._held.popitem(last=False)[1])


def offered(
    files: EvidenceFiles | None, paper_id: str, verdicts: Sequence[Row], document: Row | None
) -> EvidenceNames:
    """Addresses, in the place of names, of the files that the site has of a paper."""
    if files is None:
        return EvidenceNames()
    names = files.names(verdicts, document)
    at = {anchor: urls.evidence(paper_id, name) for anchor, name in names.pictures.items()}
    marked = urls.evidence(paper_id, names.marked) if names.marked else None
    return EvidenceNames(
        {anchor: address for anchor, address in at.items() if files.offers(address)},
        marked if marked and files.offers(marked) else None,
    )


@dataclass(slots=True)
class Drawn:
    """What a build made: files of pictures and PDFs, and papers whose PDF gave none, with the reason."""

    pictures: int = 0
    marked: int = 0
    kept: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)


def write_evidence(
    files: EvidenceFiles,
    papers: Iterable[PaperEvidence],
    out: Path,
    write: Callable[[Path, bytes], None],
    tell: Progress,
    *,
    marked: bool,
    workers: int,
) -> Drawn:
    """Writes the files of these papers that are not there yet, `workers` papers at a time; tells of each."""
    drawn = Drawn()
    guard = threading.Lock()

    def one(evidence: PaperEvidence) -> None:
        paper_id = evidence.paper["paper_id"]
        names = files.names(evidence.verdicts, evidence.document)
        every = [*names.pictures.values(), *([names.marked] if names.marked else [])]
        at = {name: out / urls.evidence(paper_id, name) for name in every}
        missing = [name for name in names.pictures.values() if not at[name].exists()]
        whole = marked and names.marked is not None and not at[names.marked].exists()
        made: dict[str, bytes] = {}
        outcome = "done"
        try:
            if missing:
                made |= files.pictures(evidence)
            if whole and names.marked:
                made[names.marked] = files.marked(evidence)
        except (ExtractError, FileNotFoundError) as error:
            outcome = "failed"
            with guard:
                drawn.failed.append((paper_id, str(error)))
        for name, data in made.items():
            write(at[name], data)
        with guard:
            drawn.pictures += sum(name.endswith(PICTURE) for name in made)
            drawn.marked += sum(name.endswith(MARKED) for name in made)
            drawn.kept += len(names.pictures) - len(missing)
        tell("draw", outcome, 1)

    with ThreadPoolExecutor(workers) as threads:
        for done in [threads.submit(one, evidence) for evidence in papers]:
            done.result()
    return drawn
