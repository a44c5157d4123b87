"""Home, venues, data, about: pages on all editions."""

from reprocensus.site import charts, urls
from reprocensus.site.answers import Found, html
from reprocensus.site.corpus import Corpus
from reprocensus.site.overview import chosen_venues, slopes, trend_charts, venue_rows
from reprocensus.site.urls import Route

#: Editions and runs that are told as new.
_NEW = 8


def home(corpus: Corpus, _: Route) -> Found:
    """Venues side by side, trends, what is new."""
    rows = venue_rows(corpus.statistics)
    shown = chosen_venues(rows)
    facts = [one for one in corpus.facts().values() if one.last_judged]
    newest = sorted(facts, key=lambda one: (str(one.last_judged), one.edition), reverse=True)[:_NEW]
    statistics = list(corpus.statistics.values())
    return html(
        corpus,
        "home.html.j2",
        urls.home(),
        venues=rows,
        n_papers=sum(row.n_papers for row in rows),
        scored=corpus.scored,
        shown=shown,
        keys=[charts.key(number) for number in range(len(shown))],
        charts=trend_charts(statistics, corpus.scored, shown, "by venue") if shown else [],
        new=[(one.edition, one.last_judged, one.n_verdicts) for one in newest],
        runs=corpus.runs[:_NEW],
    )


def venues(corpus: Corpus, _: Route) -> Found:
    """Every venue and edition."""
    return html(
        corpus, "venues.html.j2", urls.venues(), venues=venue_rows(corpus.statistics), scored=corpus.scored
    )


def venue(corpus: Corpus, route: Route) -> Found:
    """A venue over the years."""
    name = route.args[0]
    own = [one for one in corpus.statistics.values() if one.edition.venue == name]
    if not own:
        return None
    several = sum(one.scores["documentation_score"] is not None for one in own) > 1
    return html(
        corpus,
        "venue.html.j2",
        urls.venue(name),
        venue=name,
        editions=own,
        variables=corpus.variables,
        scored=corpus.scored,
        charts=trend_charts(own, corpus.variables, [name], name) if several else [],
        slopes=slopes(own, name),
    )


def data(corpus: Corpus, _: Route) -> Found:
    """How much there is, and how fresh."""
    facts = list(corpus.facts().values())
    names = ("n_papers", "n_pdfs", "n_texts", "n_pages", "n_verdicts", "n_quotes", "n_review", "n_failures",
             "n_labels", "n_bytes")  # fmt: skip
    return html(
        corpus,
        "data.html.j2",
        urls.data(),
        facts=facts,
        total={name: sum(getattr(one, name) for one in facts) for name in names},
        tokens=tuple(sum(one.tokens[at] for one in facts) for at in range(3)),
        run_tokens=tuple(
            sum(run[name] for run in corpus.runs)
            for name in ("prompt_tokens", "cached_tokens", "output_tokens")
        ),
        cost=sum(run["cost"] or 0.0 for run in corpus.runs),
        n_unpriced=sum(run["cost"] is None for run in corpus.runs),
        runs=corpus.runs,
    )


def about(corpus: Corpus, _: Route) -> Found:
    """What the variables mean, and how scores are made."""
    return html(corpus, "about.html.j2", urls.about(), variables=corpus.variables)
