"""Templates made into bytes. Everything printed is escaped, and what hides or reorders text is taken out."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final

from reprocensus import __version__
from reprocensus.counting import counted
from reprocensus.site import urls
from reprocensus.site.options import SiteOptions

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

#: What a page may load: its own styles, scripts and pictures, nothing else, and nothing written into it.
POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'"
)
_MISSING: Final = "–"
#: What the pages' navigation leads to, and what that is called.
_NAVIGATION: Final = {
    urls.venues(): "Venues",
    urls.compare(): "Compare",
    urls.downloads(): "Downloads",
    urls.data(): "Data",
    urls.runs(): "Runs",
    urls.about(): "About",
}


@cache
def environment() -> "Environment":
    """The templates, compiled once a process."""
    from jinja2 import PackageLoader, StrictUndefined

    from reprocensus.site.escaping import HarmlessEnvironment

    made = HarmlessEnvironment(
        loader=PackageLoader("reprocensus.site"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(
        percent=percent, number=number, count=count, counted=counted, day=day, moment=moment, words=words,
        label=label_words, cell=cell_words,
    )  # fmt: skip
    made.globals.update(urls=urls, policy=POLICY, version=__version__)
    return made


def page(template: str, path: str, options: SiteOptions, context: Mapping[str, Any]) -> bytes:
    """A page from its template. `path` is its address, from which its links are told."""
    # What is not there may be asked for at any depth, so that page alone says where the site's root is.
    root = urls.base(options.url) if path == urls.missing() else urls.up(path)
    header = _header(options, root, path if path in _NAVIGATION or path == urls.search() else None)
    found = environment().get_template(template)
    text = found.render(context, path=path, root=root, site=options, header=header)
    return text.encode("utf-8", "replace")


@lru_cache(maxsize=256)
def _header(options: SiteOptions, root: str, here: str | None) -> "Markup":
    """What stands at the top of all pages of one depth."""
    from markupsafe import Markup

    found = environment().get_template("header.html.j2")
    return Markup(found.render(site=options, root=root, here=here, navigation=_NAVIGATION))


def percent(share: float | None, digits: int = 0) -> str:
    """A share from 0 to 1 in per cent."""
    return _MISSING if share is None else _minus(f"{100 * share:.{digits}f}")


def number(value: float | None, digits: int = 2) -> str:
    """A number with so many digits."""
    return _MISSING if value is None else _minus(f"{value:,.{digits}f}")


def _minus(figures: str) -> str:
    """The figures with a minus for a hyphen, and no minus where nothing is left."""
    sign = figures.startswith("-") and any(c in "123456789" for c in figures)
    return ("\N{MINUS SIGN}" if sign else "") + figures.lstrip("-")


def count(value: int | None) -> str:
    """A whole number, thousands apart."""
    return _MISSING if value is None else f"{value:,}"


def day(when: datetime | None) -> str:
    """The date, UTC."""
    return when.strftime("%Y-%m-%d") if when else _MISSING


def moment(when: datetime | None) -> str:
    """Date and time to the minute, UTC."""
    return when.strftime("%Y-%m-%d %H:%M UTC") if when else _MISSING


@lru_cache(maxsize=1_024)
def words(name: str) -> str:
    """A variable's name as readers know it: `open_source_code` is Open Source Code."""
    return name.replace("_", " ").title()


@lru_cache(maxsize=1_024)
def label_words(label: str) -> str:
    """A label as readers know it: `not_applicable` is Not applicable."""
    return label.replace("_", " ").capitalize() if "_" in label or label.islower() else label


def cell_words(label: str) -> str:
    """A label in a narrow column, as `site.js` has it too."""
    return "n/a" if label == "not_applicable" else label


def redirect(path: str, target: str) -> bytes:
    """A page that leads on to another, for servers that know no redirects."""
    found = environment().get_template("redirect.html.j2")
    return found.render(root=urls.up(path), target=target).encode()
