"""CVF open access on pages written for the purpose: days, authors as forms and as text, workshops."""

import pytest

from reprocensus.errors import SourceError
from reprocensus.records import Edition
from reprocensus.sources import cvf
from reprocensus.sources.proceedings import Found, Listed, Page

CVPR = Edition("CVPR", 2021)
ALL = "https://openaccess.thecvf.com/CVPR2021?day=all"


def read(body: str, url: str = ALL, edition: Edition = CVPR) -> Found:
    return cvf.read(Page(url, f"<body><div id='header'><a href='/menu'>Back</a></div>{body}</body>"), edition)


def form(name: str) -> str:
    return (
        '<form id="form-x" action="/CVPR2021" method="post" class="authsearch"><input type="hidden" '
        f'name="query_author" value="{name}"><a href="#" onclick="submit();">{name}</a>,</form>'
    )


def paper(
    stem: str, title: str = "A Title", authors: str = form("Ada Lovelace") + form(" Alan Turing")
) -> str:
    return f"""<dt class="ptitle"><br><a href="/content/CVPR2021/html/{stem}.html">{title}</a></dt>
    <dd>{authors}</dd><dd>[<a href="/content/CVPR2021/papers/{stem}.pdf">pdf</a>]
    [<a href="/content/CVPR2021/supplemental/{stem}_supp.pdf">supp</a>]
    [<a href="http://arxiv.org/abs/2101.00001">arXiv</a>]
    [<a class="fakelink">bibtex</a>]<div class="bibref">@InProceedings{{x, title = {{pdf}} }}</div></dd>"""


def test_a_paper() -> None:
    found = read(
        f"<dl>{paper('Lovelace_Seeing_CVPR_2021_paper', 'Seeing <i>k</i>&nbsp;Things &amp;  More')}</dl>"
    )
    assert found == Found(
        (
            Listed(
                key="Lovelace_Seeing_CVPR_2021",
                title="Seeing k Things & More",
                authors=("Ada Lovelace", "Alan Turing"),
                landing_url="https://openaccess.thecvf.com/content/CVPR2021/html/Lovelace_Seeing_CVPR_2021_paper.html",
                pdf_url="https://openaccess.thecvf.com/content/CVPR2021/papers/Lovelace_Seeing_CVPR_2021_paper.pdf",
            ),
        )
    )


def test_older_and_stranger_pages() -> None:
    found = read(
        """<DL><DT CLASS="ptitle"><A HREF="content_cvpr_2013/html/One_2013_CVPR_paper.html">One</A>
        <DD>Ada Lovelace, Alan Turing,
        <DD>[<A HREF="content_cvpr_2013/papers/One_2013_CVPR_paper.pdf">PDF</A>]
        <DT CLASS="ptitle"><A HREF="content_cvpr_2013/html/Two_2013_CVPR_paper.html">Two</A>
        <DT CLASS="ptitle">Three<DD>
        [<a href="//openaccess.thecvf.com/content_cvpr_2013/papers/Three_paper.pdf">pdf</a>]
        <DT>Day 1: 2013-06-25<DD><a href="/other.pdf">Programme</a></DL>""",
        "https://openaccess.thecvf.com/CVPR2013",
        Edition("CVPR", 2013),
    )
    assert [(one.key, one.title, one.authors, bool(one.pdf_url)) for one in found.papers] == [
        ("One_2013_CVPR", "One", ("Ada Lovelace", "Alan Turing"), True),
        ("Two_2013_CVPR", "Two", (), False),
        ("Three", "Three", (), True),
    ]
    assert found.papers[0].pdf_url == (
        "https://openaccess.thecvf.com/content_cvpr_2013/papers/One_2013_CVPR_paper.pdf"
    )


def test_the_page_of_all_days_is_enough() -> None:
    days = "".join(
        f'<dd><a href="CVPR2021?day={day}">Day</a></dd>' for day in ("2021-06-21", "2021-06-22", "all")
    )
    found = read(f"<dl>{days}</dl>", "https://openaccess.thecvf.com/CVPR2021")
    assert found == Found(more=(ALL,))


def test_else_every_day_is_read() -> None:
    days = (
        '<a href="?day=2018-06-19">1</a> <a href="/CVPR2018.py?day=2018-06-20">2</a> <a href="?day=x">3</a>'
    )
    url = "https://openaccess.thecvf.com/CVPR2018"
    more = (f"{url}?day=2018-06-19", f"{url}.py?day=2018-06-20")
    assert read(days, url).more == more
    # A first page that shows papers may not be all of them; a day's page is.
    assert read(days + f"<dl>{paper('A_CVPR_2018_paper')}</dl>", url).more == more
    assert read(days + f"<dl>{paper('A_CVPR_2018_paper')}</dl>", more[0]).more == ()


def test_workshops_are_side_tracks() -> None:
    (menu,) = cvf.side("cvpr", 2021)
    found = read(
        """<dl><dd>Name <a href="/CVPR2021_workshops/NTIRE">NTIRE</a></dd>
        <dd><a href="/CVPR2021_workshops/AI4Space">AI4Space</a></dd>
        <dd><a href="/CVPR2021">Main</a></dd></dl>""",
        menu,
    )
    assert found == Found(
        side=(
            "https://openaccess.thecvf.com/CVPR2021_workshops/NTIRE",
            "https://openaccess.thecvf.com/CVPR2021_workshops/AI4Space",
        )
    )
    (one,) = read(f"<dl>{paper('A_CVPRW_2021_paper')}</dl>", found.side[0]).papers
    assert (one.track, one.main, one.key) == ("Workshop: NTIRE", False, "A_CVPRW_2021")


def test_a_page_of_another_kind_yields_nothing() -> None:
    assert read("<h1>404</h1><dl><dt>Error<dd>Not found</dl>") == Found()


def test_editions() -> None:
    assert cvf.start("wacv", 2023) == ("https://openaccess.thecvf.com/WACV2023",)
    with pytest.raises(SourceError, match="no such edition"):
        cvf.start("iccv", 2014)
    assert cvf.year_of(Page(ALL, "<p>"), "cvpr") == 2021
    assert cvf.year_of(Page("", "<title>ICCV 2019 Open Access Repository</title>"), "iccv") == 2019
    assert cvf.year_of(Page("", "<title>ICCV 2019 Open Access Repository</title>"), "cvpr") is None
