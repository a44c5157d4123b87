"""Scores by country and by institution: of all venues, and of each."""

from reprocensus.schemas import load_gazetteer
from reprocensus.site import charts, urls
from reprocensus.site.answers import Found, html
from reprocensus.site.corpus import Corpus
from reprocensus.site.placing import placed
from reprocensus.site.urls import Route

#: Rows of a table: as many as keep the page below 100 kB.
_MOST = 200


def places(corpus: Corpus, route: Route) -> Found:
    """One such page. `route.args`: countries or institutions, and the venue, empty for all of them."""
    kind, venue = route.args
    editions = corpus.editions_of(venue) if venue else corpus.editions
    if not editions:
        return None
    found = placed(corpus, kind, editions, _MOST)
    gazetteer = load_gazetteer()
    top = float(len(corpus.scored))
    rows = []
    for row in found.rows:
        low, high, mean = row["low"], row["high"], row["documentation_score"]
        chart = charts.interval(mean / top, low / top, high / top, "") if low is not None else None
        name = gazetteer.country_name(row["place"]) if kind == "countries" else row["place"]
        rows.append({**row, "name": name, "chart": chart})
    # Of places with as many papers a reader looks one up by its name; the table has a country's code.
    rows.sort(key=lambda row: (-row["n_papers"], row["name"].casefold()))
    return html(
        corpus,
        "places.html.j2",
        urls.places(kind, venue),
        kind=kind,
        venue=venue,
        venues=corpus.venues,
        found=found,
        rows=rows,
        most=_MOST,
        n_scored=len(corpus.scored),
    )
