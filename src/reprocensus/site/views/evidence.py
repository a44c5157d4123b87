"""A file of a paper's evidence, and what such files are made from."""

from functools import partial

from reprocensus.site.answers import Answer, Found
from reprocensus.site.corpus import Corpus, EditionData
from reprocensus.site.evidence import MARKED, PaperEvidence
from reprocensus.site.papers import engine_of
from reprocensus.site.urls import Route


def evidence(corpus: Corpus, route: Route) -> Found:
    """A picture of a passage, or the PDF with all passages marked; made now, unless it is kept."""
    paper_id, name = route.args
    found = corpus.find(paper_id)
    if corpus.evidence is None or found is None:
        return None
    material = paper_evidence(corpus.edition(found[0]), found[1])
    data = corpus.evidence.file(material, name) if material else None
    return Answer(data, "application/pdf" if name.endswith(MARKED) else "image/webp") if data else None


def paper_evidence(data: EditionData, paper_id: str) -> PaperEvidence | None:
    """What the files of a paper's evidence are made from; None where it has no document."""
    verdicts, document = data.verdicts(paper_id), data.document(paper_id)
    if document is None:
        return None
    engine = engine_of(data, verdicts)
    own = tuple(v for v in verdicts if v["engine"] == engine)
    return PaperEvidence(data.paper(paper_id), own, document, partial(_text, data, paper_id))


def _text(data: EditionData, paper_id: str) -> str:
    return data.texts([paper_id])[paper_id]
