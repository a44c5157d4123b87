"""A file of a paper's evidence, and what such files are made from."""

from functools import partial

from reprocensus.site.answers import Answer, Found
from reprocensus.site.corpus import Corpus
from reprocensus.site.edition_data import PaperRows
from reprocensus.site.evidence import MARKED, PaperEvidence
from reprocensus.site.papers import shown_verdicts
from reprocensus.site.urls import Route


def evidence(corpus: Corpus, route: Route) -> Found:
    """A picture of a passage, or the PDF with all passages marked; made now, unless it is kept."""
    paper_id, name = route.args
    rows = corpus.paper(paper_id)
    if corpus.evidence is None or rows is None:
        return None
    material = paper_evidence(corpus, rows)
    data = corpus.evidence.file(material, name) if material else None
    return Answer(data, "application/pdf" if name.endswith(MARKED) else "image/webp") if data else None


def paper_evidence(corpus: Corpus, rows: PaperRows) -> PaperEvidence | None:
    """What the files of a paper's evidence are made from; None where it has no document."""
    if rows.document is None:
        return None
    own = tuple(shown_verdicts(corpus, rows))
    return PaperEvidence(rows.paper, own, rows.document, partial(corpus.text, rows))
