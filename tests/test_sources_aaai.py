"""AAAI and JAIR on pages written for the purpose, in the layouts that the two sites use."""

from pathlib import Path

import pytest

from reprocensus.errors import SourceError
from reprocensus.records import Edition
from reprocensus.sources import SourceOptions, aaai, jair, list_edition
from reprocensus.sources.proceedings import Listed, Page

AAAI_ORG = "https://aaai.org/proceeding/01-sample-19/"
OJS = "https://ojs.aaai.org/index.php/AAAI/issue/view/9"
ARCHIVE = "https://ojs.aaai.org/index.php/AAAI/issue/archive"


def wordpress(tracks: str, title: str = "No. 1: AAAI-19, IAAI-19, EAAI-20") -> Page:
    return Page(
        AAAI_ORG,
        f"""<html><body><nav><ul><li><a href="/proceeding/other-conference/">Other</a></li></ul></nav>
        <main class="content"><div class="proceeding-breadcrumb"><a href="/">Home</a> /
        <a href="https://aaai.org/proceeding/aaai-33-2019/">Volume 33</a></div>
        <div class="archive-description"><h1 class="archive-title">{title}</h1></div>
        {tracks}</main></body></html>""",
    )


def paper(title: str, authors: str, links: str) -> str:
    return (
        f'<li class="paper-wrap"><h5><a href="https://aaai.org/papers/00007-{title[:3]}/">{title}</a></h5>'
        f'<span class="papers-author-page">{authors}</span>{links}</li>'
    )


def pdf(address: str) -> str:
    return f'<a class="wp-block-button" target="_blank" href="{address}">PDF</a>'


def read(page: Page, year: int = 2019) -> tuple[Listed, ...]:
    return aaai.read(page, Edition("AAAI", year)).papers


def one(page: Page, year: int = 2019) -> Listed:
    (listed,) = read(page, year)
    return listed


def test_a_paper_of_aaai_org() -> None:
    listed = one(
        wordpress(
            '<div class="track-wrap"><h2>AAAI Technical Track: Vision</h2><ul>'
            + paper(
                "Seeing <i>k</i>&nbsp;Things&#8212;Twice",
                "<p>Ada  Lovelace, Alan&nbsp;Turing,Grace Hopper, Jr.</p>\n<p>459-466</p>",
                pdf("https://cdn.aaai.org/ojs/3818/3818-Article Text-6876-1-10-20190701.pdf"),
            )
            + "</ul></div>"
        )
    )
    assert listed == Listed(
        key="3818",
        title="Seeing k Things—Twice",
        authors=("Ada Lovelace", "Alan Turing", "Grace Hopper, Jr."),
        landing_url="https://aaai.org/papers/00007-See/",
        pdf_url="https://cdn.aaai.org/ojs/3818/3818-Article%20Text-6876-1-10-20190701.pdf",
        track="AAAI Technical Track: Vision",
    )


def test_a_paper_without_authors_or_pdf_is_listed_all_the_same() -> None:
    listed = one(
        wordpress(
            '<div class="track-wrap"><h3>AAAI Technical Track: Robotics</h3>'
            + paper("Alone", "<p>17-20</p>", "")
            + "</div>"
        )
    )
    assert listed.authors == ()
    assert listed.pdf_url is None
    assert listed.key == "00007-Alo"
    assert listed.track == "AAAI Technical Track: Robotics"


@pytest.mark.parametrize(
    ("track", "main"),
    [
        ("AAAI Technical Track: Vision", True),
        ("AAAI Technical Track on Machine Learning IV", True),
        ("AAAI Special Technical Track: AI for Social Impact", True),
        ("AAAI Special Track on AI Alignment", True),
        ("Special Track on Integrated Systems", True),
        ("Intelligent Robots (ROB)", True),
        ("Human-Aware Artificial Intelligence", True),
        ("AAAI Technical Track Focus Area on Neuro-Symbolic AI", True),
        ("AAAI Technical Track Focus Area on AI for Conference Organization and Delivery", True),
        ("AAAI Technical Track on Learning from Demonstrations", True),
        ("Main Track: NLP and Text Mining", True),
        ("Model AI Assignments", False),
        ("IAAI Technical Track: Deployed Papers", False),
        ("IAAI18 - Emerging", False),
        ("EAAI18 - Full Papers", False),
        ("Student Abstract Track", False),
        ("AAAI Student Abstract and Poster Program", False),
        ("Demonstrations", False),
        ("Demonstration Track", False),
        ("Doctoral Consortium Track", False),
        ("AAAI Undergraduate Consortium", False),
        ("Senior Track", False),
        ("Senior Member Presentation Track: Blue Sky Papers", False),
        ("What's Hot Abstracts", False),
        ("What\u2019s Hot Abstracts", False),
        ("New Faculty Highlights", False),
        ("Sister Conference Track", False),
        ("Journal Track", False),
    ],
)
def test_what_is_main(track: str, main: bool) -> None:
    page = wordpress(f'<div class="track-wrap"><h2>{track}</h2><ul>{paper("T", "<p>A B</p>", "")}</ul></div>')
    assert (one(page).track, one(page).main) == (track, main)


@pytest.mark.parametrize(
    ("issue", "track", "main"),
    [
        ("No. 1: Twenty-Eighth AAAI Conference On Artificial Intelligence", "Papers", True),
        ("No. 1: AAAI-19, IAAI-19, EAAI-20", "Papers", True),
        (
            "No. 2: Twenty-Sixth Innovative Applications of Artificial Intelligence Conference",
            "No. 2: Twenty-Sixth Innovative Applications of Artificial Intelligence Conference",
            False,
        ),
    ],
)
def test_where_the_heading_says_nothing_the_issue_decides(issue: str, track: str, main: bool) -> None:
    page = wordpress(
        f'<div class="track-wrap"><h2>Papers</h2>{paper("T", "<p>A B</p>", "")}</div>', title=issue
    )
    assert (one(page).track, one(page).main) == (track, main)


def test_shouted_unclosed_and_relative_markup() -> None:
    page = wordpress(
        """<DIV CLASS="track-wrap"><H2>AAAI Technical Track: Vision</H2><UL>
        <LI CLASS="paper-wrap"><H5><A HREF="/papers/1-a/">First &amp; Foremost</A></H5>
        <SPAN CLASS="papers-author-page"><P>A B<P>1-2</SPAN><A HREF="//cdn.aaai.org/ojs/11/x.pdf">PDF</A>
        <LI CLASS="paper-wrap"><H5><A HREF="/papers/2-b/">Second</A></H5>
        <SPAN CLASS="papers-author-page">C D</SPAN><A HREF="../../ojs/12/y.pdf">pdf</A></UL></DIV>"""
    )
    first, second = read(page)
    assert (first.title, first.authors, first.key) == ("First & Foremost", ("A B",), "11")
    assert first.pdf_url == "https://cdn.aaai.org/ojs/11/x.pdf"
    assert (second.key, second.pdf_url) == ("12", "https://aaai.org/ojs/12/y.pdf")


def test_a_volume_page_leads_to_its_issues() -> None:
    page = Page(
        "https://aaai.org/proceeding/aaai-35-2021/",
        """<nav><li><a href="https://aaai.org/proceeding/aies-2021/">AIES</a></li></nav><main class="content">
        <ul><li><a href="https://aaai.org/proceeding/01-aaai-21-technical-tracks-1/">No. 1</a></li>
        <li><a href="/proceeding/02-aaai-21-technical-tracks-2/">No. 2</a>
        <li><a href="https://ojs.aaai.org/index.php/AAAI/issue/view/7">No. 3</a>
        <li><a href="https://aaai.org/proceeding/aaai-35-2021/page/2/">2</a>
        <li><a href="https://aaai.org/about/">About</a></ul></main>""",
    )
    assert aaai.read(page, Edition("AAAI", 2021)).more == (
        "https://aaai.org/proceeding/01-aaai-21-technical-tracks-1/",
        "https://aaai.org/proceeding/02-aaai-21-technical-tracks-2/",
        "https://ojs.aaai.org/index.php/AAAI/issue/view/7",
    )


def ojs(sections: str, title: str = "Vol. 37 No. 1: AAAI-23 Technical Tracks 1") -> Page:
    return Page(
        OJS,
        f"""<html><head><title>{title} | Proceedings</title></head><body class="pkp_page_issue pkp_op_view">
        <nav class="cmp_breadcrumbs"><ol><li><a href="/">Home</a></li>
        <li class="current"><span>{title}</span></li></ol></nav>
        <div class="pkp_structure_main"><h1>{title}</h1><div class="sections">{sections}</div></div>
        <h2 class="title">Information</h2></body></html>""",
    )


ARTICLE = """<div class="obj_article_summary"><h3 class="title">
  <a id="article-25070" href="https://ojs.aaai.org/index.php/AAAI/article/view/25070">
    Back to the Future: <em>k</em>-Means  Again <span class="subtitle">A Sequel</span></a></h3>
  <div class="meta"><div class="authors"> Ada Lovelace, Alan  Turing </div><div class="pages">3-10</div></div>
  <ul class="galleys_links">
   <li><a class="obj_galley_link file" href="/index.php/AAAI/article/view/25070/9">Video/Poster</a></li>
   <li><a class="obj_galley_link pdf"
          href="https://ojs.aaai.org/index.php/AAAI/article/view/25070/24842"> PDF </a>
  </ul></div>"""


def test_an_article_of_the_journal_system() -> None:
    listed = one(
        ojs(f'<div class="section"><h2>AAAI Technical Track on Vision</h2><ul><li>{ARTICLE}</li></ul></div>'),
        2023,
    )
    assert listed == Listed(
        key="25070",
        title="Back to the Future: k-Means Again A Sequel",
        authors=("Ada Lovelace", "Alan Turing"),
        landing_url="https://ojs.aaai.org/index.php/AAAI/article/view/25070",
        pdf_url="https://ojs.aaai.org/index.php/AAAI/article/download/25070/24842",
        track="AAAI Technical Track on Vision",
    )


def test_an_article_without_galley_authors_section_or_link() -> None:
    bare = '<div class="obj_article_summary"><h3 class="title">No Link At All</h3></div>'
    listed = one(ojs(f"<ul><li>{bare}</li></ul>"), 2023)
    assert (listed.key, listed.pdf_url, listed.authors) == ("no_link_at_all", None, ())
    assert (listed.track, listed.main) == ("Papers", True)


def test_the_same_paper_has_one_key_on_both_sites() -> None:
    here = one(ojs(ARTICLE), 2023)
    there = one(
        wordpress(
            '<div class="track-wrap"><h2>X</h2>'
            + paper("Any", "", pdf("https://cdn.aaai.org/ojs/25070/25070-13-2-1-2-20230626.pdf"))
            + "</div>"
        )
    )
    assert here.key == there.key


def test_a_login_page_yields_nothing() -> None:
    page = Page(
        OJS,
        """<body class="pkp_page_login"><a href="https://ojs.aaai.org/index.php/AAAI/issue/archive">Archives</a>
        <div class="pkp_structure_main"><h1>Login</h1><form><input type="password"></form></div></body>""",
    )
    found = aaai.read(page, Edition("AAAI", 2025))
    assert (found.papers, found.more, found.side) == ((), (), ())
    assert aaai.year_of(page, "aaai") is None


def test_a_login_page_among_saved_ones_is_missed_where_its_name_says(tmp_path: Path) -> None:
    login = '<title>Login</title><body><h1>Login</h1><form><input type="password"></form></body>'
    (tmp_path / "2023-track1.html").write_text(ojs(ARTICLE).text, "utf-8")
    (tmp_path / "2023-track2.html").write_text(login, "utf-8")
    (tmp_path / "2024-track1.html").write_text(ojs(ARTICLE, "Vol. 38 No. 1: AAAI-24").text, "utf-8")
    options = SourceOptions(listing=(str(tmp_path),))
    listing = list_edition("aaai/2023", options)
    assert [paper.paper_id for paper in listing.papers] == ["AAAI-2023/25070"]
    assert [problem.kind for problem in listing.problems] == ["login"]
    assert not list_edition("aaai/2024", options).problems


def summary(number: int, title: str, series: str, theme: str = "obj_issue_summary") -> str:
    base = ARCHIVE.removesuffix("archive")
    return (
        f'<li><div class="{theme}"><a class="cover" href="{base}view/{number}"><img></a>'
        f'<h2><a class="title" href="{base}view/{number}">{title}</a><div class="series">{series}</div></h2>'
        "<div class='description'>Copyright 1999, with a Special Track of 2031</div></div></li>"
    )


def test_an_archive_leads_to_the_issues_of_the_year_and_on() -> None:
    def page(entries: str, number: int = 1) -> Page:
        following = f'<a class="next" href="{ARCHIVE}/{number + 1}">Next</a>'
        return Page(ARCHIVE if number == 1 else f"{ARCHIVE}/{number}", f"<ul>{entries}</ul>{following}")

    new = summary(683, "AAAI-26 Technical Tracks 1", "Vol. 40 No. 1")
    wanted = summary(548, "AAAI-23 Technical Tracks 1", "Vol. 37 No. 1") + summary(
        549, "Vol. 37 No. 13: AAAI-23 Student Papers", ""
    )
    old = summary(1, "AAAI-22 Technical Tracks 1", "Vol. 36 No. 1")
    edition = Edition("AAAI", 2023)
    base = ARCHIVE.removesuffix("archive")
    assert aaai.read(page(new), edition).more == (f"{ARCHIVE}/2",)
    assert aaai.read(page(new + wanted, 2), edition).more == (
        f"{base}view/548",
        f"{base}view/549",
        f"{ARCHIVE}/3",
    )
    assert aaai.read(page(wanted + old, 2), edition).more == (f"{base}view/548", f"{base}view/549")
    # Understood, though it has nothing: it names itself, for an empty answer would mean an unknown layout.
    assert aaai.read(page(old, 3), edition).more == (f"{ARCHIVE}/3",)


@pytest.mark.parametrize(
    ("year", "address"),
    [
        (2014, "https://aaai.org/proceeding/aaai-28-2014/"),
        (2008, "https://aaai.org/proceeding/aaai-23-2008/"),
        (1980, "https://aaai.org/proceeding/aaai-01-1980/"),
        (2022, "https://aaai.org/proceeding/aaai-36-2022/"),
        (2023, ARCHIVE),
    ],
)
def test_where_an_edition_starts(year: int, address: str) -> None:
    assert aaai.start("aaai", year) == (address,)


def test_years_without_a_conference() -> None:
    with pytest.raises(SourceError, match="no AAAI conference in 2009"):
        aaai.start("aaai", 2009)
    with pytest.raises(SourceError, match="begins in 1993"):
        jair.start("jair", 1990)


def test_which_year_a_saved_page_is_of() -> None:
    assert aaai.year_of(wordpress(""), "aaai") == 2019
    assert aaai.year_of(ojs(""), "aaai") == 2023
    assert aaai.year_of(ojs("", "Vol. 22 (2007): AAAI-07"), "aaai") == 2007
    volume = "<title>Vol. 76 (2023) | Journal of Artificial Intelligence Research</title>"
    assert jair.year_of(Page("", volume), "jair") == 2023
    assert jair.year_of(ojs("", "Vol. 76 (2023)"), "jair") is None


def test_an_article_of_jair() -> None:
    page = Page(
        "https://www.jair.org/index.php/jair/issue/view/1133",
        """<section class="section"><div class="page-header">
        <h2><small>Special Track on AI and Society</small></h2></div><div class="media-list">
        <div class="article-summary media"><div class="media-body">
        <h3 class="media-heading"><a href="https://www.jair.org/index.php/jair/article/view/10858">Closure  In
          Argumentation</a></h3><div class="meta"><div class="authors">P. M. Dung, P. M. Thang</div></div>
        <p class="pages">79-109</p><div class="btn-group">
        <a class="galley-link btn btn-primary file" href="https://www.jair.org/index.php/jair/article/view/10858/8">PS</a>
        <a class="galley-link btn btn-primary pdf" href="https://www.jair.org/index.php/jair/article/view/10858/7">PDF
        </a></div></div></div></div></section>""",
    )
    found = jair.read(page, Edition("JAIR", 2014))
    assert found.papers == (
        Listed(
            key="10858",
            title="Closure In Argumentation",
            authors=("P. M. Dung", "P. M. Thang"),
            landing_url="https://www.jair.org/index.php/jair/article/view/10858",
            pdf_url="https://www.jair.org/index.php/jair/article/download/10858/7",
            track="Special Track on AI and Society",
        ),
    )


def test_an_issue_of_one_journal_is_nothing_to_the_other() -> None:
    page = ojs(f"<ul><li>{ARTICLE}</li></ul>")
    assert len(aaai.read(page, Edition("AAAI", 2023)).papers) == 1
    assert jair.read(page, Edition("JAIR", 2023)).papers == ()


def test_jairs_volumes_of_a_year() -> None:
    address = "https://www.jair.org/index.php/jair/issue"
    entries = "".join(
        f'<div class="issue-summary media"><h2><a class="title" href="{address}/view/{n}">'
        f"Vol. {volume} ({year})</a></h2></div>"
        for n, volume, year in ((4, 79, 2024), (3, 78, 2023), (2, 77, 2023), (1, 75, 2022))
    )
    page = Page(f"{address}/archive", f"<main>{entries}<a href='{address}/archive/2'>2</a></main>")
    assert jair.read(page, Edition("JAIR", 2023)).more == (f"{address}/view/3", f"{address}/view/2")
    assert jair.read(page, Edition("JAIR", 2022)).more == (f"{address}/view/1", f"{address}/archive/2")
