"""Downloads: the tables, their columns, their files."""

from reprocensus.schemas import load_table
from reprocensus.site import urls
from reprocensus.site.answers import Answer, Found, html, known
from reprocensus.site.corpus import Corpus
from reprocensus.site.download import KINDS, WHOLE, download, downloadable
from reprocensus.site.facts import DOWNLOADS
from reprocensus.site.urls import Route


def downloads(corpus: Corpus, _: Route) -> Found:
    """The tables."""
    facts = corpus.facts().values()
    tables = [(load_table(name), sum(one.rows[name] for one in facts)) for name in DOWNLOADS]
    tables += [(load_table(name), len(corpus.runs)) for name in WHOLE]
    return html(corpus, "downloads.html.j2", urls.downloads(), tables=tables)


def table(corpus: Corpus, route: Route) -> Found:
    """A table's columns, and its files by edition."""
    name = route.args[0]
    if not downloadable(name):
        return None
    facts = corpus.facts()
    editions = [(e, facts[e].rows[name]) for e in corpus.editions] if name in DOWNLOADS else []
    return html(
        corpus,
        "table.html.j2",
        urls.table(name),
        schema=load_table(name),
        editions=editions,
        n_rows=len(corpus.runs),
        kinds=tuple(KINDS),
    )


def file(corpus: Corpus, route: Route) -> Found:
    """One file."""
    name, stem, suffix = route.args
    edition = urls.edition_of(stem)
    if edition and (name not in DOWNLOADS or known(corpus, edition.venue, str(edition.year)) is None):
        return None
    if not edition and name not in WHOLE:
        return None
    return Answer(download(corpus.tables, name, edition, suffix), KINDS[suffix])
