"""What is no page: sitemap, robots.txt, styles, scripts, archived PDFs; and what stands where nothing is."""

from collections.abc import Iterator
from importlib.resources import files
from itertools import islice
from typing import Final
from xml.sax.saxutils import escape

from reprocensus.site import urls
from reprocensus.site.answers import TEXT, XML, Answer, Found, html
from reprocensus.site.corpus import Corpus
from reprocensus.site.editions import n_pages
from reprocensus.site.urls import Route

#: Media types of what comes with the program.
_STATIC: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
#: Addresses in one sitemap; the protocol's limit is 50,000.
_SITEMAP: Final = 40_000
_NAMESPACE: Final = "http://www.sitemaps.org/schemas/sitemap/0.9"


def static(_: Corpus, route: Route) -> Found:
    """A file that comes with the program."""
    suffix = route.args[0].rpartition(".")[2]
    found = files("reprocensus.site").joinpath("static", route.args[0])
    return Answer(found.read_bytes(), _STATIC[suffix]) if suffix in _STATIC and found.is_file() else None


def static_names() -> list[str]:
    """All such files."""
    folder = files("reprocensus.site").joinpath("static")
    return sorted(f.name for f in folder.iterdir() if f.name.rpartition(".")[2] in _STATIC)


def pdf(corpus: Corpus, route: Route) -> Found:
    """An archived PDF."""
    path = f"objects/pdf/{route.args[0]}.pdf"
    if not corpus.options.pdfs or not corpus.tables.storage.exists(path):
        return None
    return Answer(corpus.tables.storage.read(path), "application/pdf")


def missing(corpus: Corpus, _: Route) -> Found:
    """What is shown where nothing is. It may stand at any address, so it links from the site's root."""
    return html(corpus, "missing.html.j2", urls.missing())


def robots(corpus: Corpus, _: Route) -> Found:
    """What crawlers may read: all but the papers' plain texts, which are their venues'."""
    lines = ["User-agent: *", "Disallow: /papers/*/text/", "Disallow: /pdf/"]
    if corpus.options.url:
        lines += ["", f"Sitemap: {_absolute(corpus, urls.sitemap())}"]
    return Answer(("\n".join(lines) + "\n").encode(), TEXT)


def sitemap(corpus: Corpus, route: Route) -> Found:
    """The index of sitemaps, or one of them."""
    if not route.args:
        parts = "".join(
            f"<sitemap><loc>{escape(_absolute(corpus, urls.sitemap(part)))}</loc></sitemap>\n"
            for part in range(1, n_sitemaps(corpus) + 1)
        )
        return _xml(f'<sitemapindex xmlns="{_NAMESPACE}">\n{parts}</sitemapindex>')
    part = int(route.args[0])
    if not 1 <= part <= n_sitemaps(corpus):
        return None
    chosen = islice(_pages(corpus), (part - 1) * _SITEMAP, part * _SITEMAP)
    rows = "".join(f"<url><loc>{escape(_absolute(corpus, path))}</loc></url>\n" for path in chosen)
    return _xml(f'<urlset xmlns="{_NAMESPACE}">\n{rows}</urlset>')


def n_sitemaps(corpus: Corpus) -> int:
    """How many sitemaps there are."""
    return n_pages(sum(1 for _ in _pages(corpus)), _SITEMAP)


def _pages(corpus: Corpus) -> Iterator[str]:
    yield from (urls.home(), urls.venues(), urls.data(), urls.downloads(), urls.runs(), urls.compare())
    yield from (urls.about(), urls.places("countries"), urls.places("institutions"))
    yield from map(urls.venue, corpus.venues)
    yield from map(urls.edition, corpus.editions)
    yield from map(urls.paper, corpus.paper_ids())


def _absolute(corpus: Corpus, path: str) -> str:
    return f"{corpus.options.url.rstrip('/')}/{path}"


def _xml(content: str) -> Answer:
    return Answer(f'<?xml version="1.0" encoding="UTF-8"?>\n{content}\n'.encode(), XML)
