"""JMLR, TMLR and DMLR on pages written for the purpose."""

import pytest

from reprocensus.errors import SourceError
from reprocensus.records import Edition
from reprocensus.sources import dmlr, jmlr, tmlr
from reprocensus.sources.proceedings import Listed, Page

V19 = "https://jmlr.org/papers/v19/"


def volume(body: str, heading: str = "JMLR Volume 19") -> Page:
    return Page(
        V19, f'<body><div id="fixed"><A HREF="/papers">Papers</A></div><h1>{heading}</h1>{body}</body>'
    )


def paper(key: str, title: str, authors: str = "Ada Lovelace, Alan Turing", more: str = "") -> str:
    return f"""<p><dl><dt>{title}</dt>
    <dd><b><i>{authors}</i></b>; (83):1&minus;7, 2018. {more}
    <br>[<a href='/papers/v19/{key}.html'>abs</a>][<a target=_blank
    href='/papers/volume19/{key}/{key}.pdf'>pdf</a>][<a href="/papers/v19/{key}.bib">bib</a>]
    &nbsp; [<a href="https://example.org/manual.pdf">code</a>]</dl></p>"""


def read(body: str) -> tuple[Listed, ...]:
    return jmlr.read(volume(body), Edition("JMLR", 2018)).papers


def test_a_paper_of_jmlr() -> None:
    assert read(paper("18-160", "Learning  <i>f</i>&nbsp;&amp; $g$")) == (
        Listed(
            key="18-160",
            title="Learning f & $g$",
            authors=("Ada Lovelace", "Alan Turing"),
            landing_url="https://jmlr.org/papers/v19/18-160.html",
            pdf_url="https://jmlr.org/papers/volume19/18-160/18-160.pdf",
        ),
    )


def test_software_is_a_side_track_and_a_special_topic_is_not() -> None:
    link = '<a href="http://www.jmlr.org/mloss/"><i>(Machine Learning Open Source Software Paper)</i></a>'
    found = read(
        paper("a", "A")
        + paper("b", "B", more=link)
        + paper("c", "C", more="<i>(Special Topic on Causality)</i>")
    )
    assert [(one.track, one.main) for one in found] == [
        ("main", True),
        ("Machine Learning Open Source Software", False),
        ("Special Topic on Causality", True),
    ]


def test_unclosed_shouted_and_missing() -> None:
    found = read(
        """<DL><DT>One<DD><B><I>A B</I></B>; 2018.<BR>[<A HREF="/papers/volume19/one/one.pdf">PDF</A>]
        <DT>Two<DD>(2):1, 2018. [<a href="two.html">abs</a>]
        <DT>Three</DL><dl><dd>A description without a title</dl>"""
    )
    assert [(one.key, one.title, one.authors, one.pdf_url) for one in found] == [
        ("one", "One", ("A B",), "https://jmlr.org/papers/volume19/one/one.pdf"),
        ("two", "Two", (), None),
    ]
    assert found[1].landing_url == "https://jmlr.org/papers/v19/two.html"


def test_volumes_and_years() -> None:
    assert jmlr.start("jmlr", 2018) == (V19,)
    assert jmlr.year_of(volume(""), "jmlr") == 2018
    assert jmlr.year_of(Page("https://www.jmlr.org/papers/v14/", "<p>"), "jmlr") == 2013
    assert jmlr.year_of(Page("", "<h1>Search</h1>"), "jmlr") is None
    for start, word in ((jmlr.start, "jmlr"), (tmlr.start, "tmlr"), (dmlr.start, "dmlr")):
        with pytest.raises(SourceError, match=f"{word}/1999"):
            start(word, 1999)


def item(key: str, date: str, title: str = "A Title", authors: str = "Ada Lovelace, Alan Turing") -> str:
    return f"""<li class="item survey"><h4><a href="https://openreview.net/pdf?id={key}"><b>{title}</b></a></h4>
    <p><i>{authors}</i>{date}<br>[<a href="https://openreview.net/forum?id={key}">openreview</a>]
    [<a href="https://openreview.net/pdf?id={key}">pdf</a>] [<a href="/tmlr/papers/bib/{key}.bib">bib</a>]
    [<a href="https://github.com/a/b">code</a>] <br> Certifications: <a href="#">Survey 2031</a></p></li>"""


def test_tmlr_takes_the_papers_of_its_year() -> None:
    page = Page(
        tmlr.start("tmlr", 2024)[0],
        "<ul><li><a href='#'>Survey</a> Awarded to surveys since 2024.</li></ul><ul>"
        + item("new", ", January 2025 ")
        + item("in_", ", December 2024 ", "On <i>k</i> &lt; 2025", "Ada Lovelace, Agent 2023 Team")
        + item("no_date", " ")
        + item("old", ", December 2023 ")
        + "</ul>",
    )
    found = tmlr.read(page, Edition("TMLR", 2024)).papers
    assert [one.key for one in found] == ["in_", "no_date"]
    assert found[0] == Listed(
        key="in_",
        title="On k < 2025",
        authors=("Ada Lovelace", "Agent 2023 Team"),
        landing_url="https://openreview.net/forum?id=in_",
        pdf_url="https://openreview.net/pdf?id=in_",
    )
    years = [len(tmlr.read(page, Edition("TMLR", year)).papers) for year in range(2022, 2027)]
    assert years == [0, 1, 2, 1, 0]


def test_a_paper_of_dmlr() -> None:
    page = Page(
        "https://data.mlr.press/volumes/01.html",
        """<h1>Volume 1</h1><ul><li><a href="/">Home</a></li><li class="list-group-item"><dl></dl><dt>
        Better  Datasets: <em>k</em> Recommendations </dt><dd> <b><i>Ada Lovelace</i></b>,
        <b><i>Alan Turing</i></b>, (1):1−21, 2024. </b></dd><details><summary>Abstract</summary>
        <I><p>We build on work of 2020, <em>MMI</em>. <a href="https://x.org/y.pdf">pdf</a></p></I></details>
        <a href="/assets/pdf/v01-1.pdf">[PDF]</a> <a href="/assets/bib/v01-1.txt">[bib]</a><p></p></dl></li>
        <li class="list-group-item"><dt>No File</dt><dd><b><i>A B</i></b>, (2):1, 2024.</dd></li></ul>""",
    )
    first, second = dmlr.read(page, Edition("DMLR", 2024)).papers
    assert first == Listed(
        key="v01-1",
        title="Better Datasets: k Recommendations",
        authors=("Ada Lovelace", "Alan Turing"),
        landing_url=None,
        pdf_url="https://data.mlr.press/assets/pdf/v01-1.pdf",
        abstract="We build on work of 2020, MMI. pdf",
    )
    assert (second.key, second.authors, second.pdf_url) == ("no_file", ("A B",), None)
    assert dmlr.start("dmlr", 2025) == ("https://data.mlr.press/volumes/02.html",)
    assert dmlr.year_of(page, "dmlr") == 2024


def test_a_page_of_another_journal_yields_nothing() -> None:
    for adapter, word in ((jmlr, "jmlr"), (tmlr, "tmlr"), (dmlr, "dmlr")):
        edition = Edition(adapter.VENUES[word].name, 2024)
        foreign = Page("https://example.org/2024", paper("a", "A") + item("b", ", May 2024"))
        assert adapter.read(foreign, edition).papers == ()
