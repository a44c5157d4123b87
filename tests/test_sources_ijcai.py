"""IJCAI on pages written for the purpose, in the layouts of 2013, of 2015 and 2016, and since 2017."""

import pytest

from reprocensus.records import Edition
from reprocensus.sources import ijcai
from reprocensus.sources.proceedings import Listed, Page


def boxes(body: str, url: str = "https://www.ijcai.org/proceedings/2019/") -> tuple[Listed, ...]:
    return ijcai.read(
        Page(url, f"<body><h2>Content</h2><div>{body}</div></body>"), Edition("IJCAI", 2019)
    ).papers


def text(body: str, year: int = 2015) -> tuple[Listed, ...]:
    html = f"""<body class="page-node"><nav><ul><li><a href="/all_proceedings">Proceedings</a></li></ul></nav>
        <section id="post-content"><h1>24th Joint Conference on Artificial Intelligence</h1>
        <p>ISBN 978-1-57735 / 12 volumes</p><h2>Contents</h2>
        {body}</section><p><a href="/rules.pdf">Rules</a></p></body>"""
    page = Page(f"https://www.ijcai.org/proceedings/{year}", html)
    return ijcai.read(page, Edition("IJCAI", year)).papers


def box(number: str, title: str = "A Title", authors: str = "Ada Lovelace") -> str:
    return (
        f'<div id="paper1" class="paper_wrapper"><div class="title">{title}</div>'
        f'<div class="authors">{authors}</div><div class="details">(<a href="000{number}.pdf">PDF</a> | '
        f'<a href="/proceedings/2019/{number}">  Details</a>)</div></div>'
    )


def section(title: str, *subsections: tuple[str, str]) -> str:
    inside = "".join(
        f'<div class="subsection"><div class="subsection_title">{name}</div>{body}</div>'
        if name
        else f'<div class="subsection">{body}</div>'
        for name, body in subsections
    )
    return f'<div class="section"><div class="section_title"><h3>{title}</h3></div>{inside}</div>'


def test_a_box() -> None:
    found = boxes(
        section(
            "Main track",
            ("Robotics", box("7", "On  <i>k</i>&nbsp;Robots &amp; More", "Ada Lovelace, Alan Turing")),
        )
    )
    assert found == (
        Listed(
            key="7",
            title="On k Robots & More",
            authors=("Ada Lovelace", "Alan Turing"),
            landing_url="https://www.ijcai.org/proceedings/2019/7",
            pdf_url="https://www.ijcai.org/proceedings/2019/0007.pdf",
            track="Main track: Robotics",
        ),
    )


def test_pdfs_lie_in_the_years_folder_also_if_the_address_lacks_its_slash() -> None:
    with_slash, without = (
        boxes(section("Main track", ("", box("7"))), f"https://www.ijcai.org/proceedings/2019{end}")
        for end in ("/", "")
    )
    assert with_slash == without


def test_sections_and_what_is_main() -> None:
    found = boxes(
        section("Main Track", ("Learning from Demonstrations", box("1")), ("Machine Learning A-L", box("2")))
        + section("Special Track on AI for Good", ("Research Papers", box("3")), ("Projects", box("4")))
        + section("Survey Track", ("", box("5")))
        + section("Best Sister Conferences", ("", box("6")))
        + section("AI for Improving Human Well-being", ("", box("7")))
        + section("Demos", ("", box("8")))
    )
    assert [(one.track, one.main) for one in found] == [
        ("Main Track: Learning from Demonstrations", True),
        ("Main Track: Machine Learning A-L", True),
        ("Special Track on AI for Good: Research Papers", True),
        ("Special Track on AI for Good: Projects", False),
        ("Survey Track", False),
        ("Best Sister Conferences", False),
        ("AI for Improving Human Well-being", True),
        ("Demos", False),
    ]


def test_a_section_within_another_has_its_own_name() -> None:
    inner = section("Survey Track", ("", box("5")))
    found = boxes(
        '<div class="section"><div class="section_title"><h3>Main Track</h3></div>'
        f'<div class="subsection"><div class="subsection_title">Search</div>{box("1")}</div>{inner}</div>'
    )
    assert [(one.track, one.main) for one in found] == [("Main Track: Search", True), ("Survey Track", False)]


def test_a_box_without_pdf_or_authors() -> None:
    (one,) = boxes(
        section(
            "Main track",
            (
                "",
                '<div class="paper_wrapper"><div class="title">Withdrawn?</div><div class="details">'
                '<a href="/proceedings/2019/12">Details</a></div></div>',
            ),
        )
    )
    assert (one.key, one.pdf_url, one.authors) == ("12", None, ())
    assert one.landing_url == "https://www.ijcai.org/proceedings/2019/12"


ENTRY = """<p>{title} / {page}<br />
<em>{authors}</em><br />
<a href="/Abstract/15/0{number}">Abstract</a>  |
<a href="/Proceedings/15/Papers/0{number}.pdf">PDF</a></p>"""


def entry(
    number: int, title: str = "A Title", page: str = "12", authors: str = "Ada Lovelace, Alan Turing"
) -> str:
    return ENTRY.format(number=number, title=title, page=page, authors=authors)


def test_running_text() -> None:
    found = text(
        entry(1, "Preface", "xxxiii", "Ada Lovelace")
        + "<hr /><h3>Main Track — Game Theory</h3>"
        + entry(35, "Generating 1/f Noise: The <em>Voss</em> Constraint")
        + "<hr /><h3>Doctoral Consortium</h3>"
        + entry(36)
    )
    assert [(one.key, one.track, one.main) for one in found] == [
        ("1", "Front matter", False),
        ("35", "Main Track — Game Theory", True),
        ("36", "Doctoral Consortium", False),
    ]
    assert found[1] == Listed(
        key="35",
        title="Generating 1/f Noise: The Voss Constraint",
        authors=("Ada Lovelace", "Alan Turing"),
        landing_url="https://www.ijcai.org/Abstract/15/035",
        pdf_url="https://www.ijcai.org/Proceedings/15/Papers/035.pdf",
        track="Main Track — Game Theory",
    )


def test_no_headings_at_all_and_no_abstract_link() -> None:
    (one,) = text(
        '<p>A Title / 3<br /><em>Ada Lovelace</em><br /><a href="/Proceedings/16/Papers/008.pdf">PDF</a></p>',
        2016,
    )
    assert (one.key, one.track, one.main) == ("8", "Main Track", True)
    assert (one.title, one.landing_url) == ("A Title", None)


def test_the_title_is_the_link() -> None:
    found = text(
        """<p><strong>Main Track</strong></p>
        <p><a href="https://www.ijcai.org/Proceedings/13/Papers/004.pdf">On <i>Links</i> / Slashes</a>
        / 7<br />
        <i>Ada Lovelace, Alan Turing</i><br />doi:10.1/2
        <a href="https://www.ijcai.org/Abstract/13/004">Abstract</a></p>
        <p><a href="https://www.ijcai.org/Proceedings/13/Papers/005.pdf">Second</a> / 9<br />
        <i>Grace Hopper</i></p>""",
        2013,
    )
    assert [(one.key, one.title, one.authors) for one in found] == [
        ("4", "On Links / Slashes", ("Ada Lovelace", "Alan Turing")),
        ("5", "Second", ("Grace Hopper",)),
    ]
    assert found[0].pdf_url == "https://www.ijcai.org/Proceedings/13/Papers/004.pdf"
    assert found[0].landing_url == "https://www.ijcai.org/Abstract/13/004"
    assert found[0].track == "Main Track"


def test_an_award_above_the_title_and_an_erratum_among_the_links() -> None:
    (one,) = text(
        """<h3>Planning</h3><p><strong>Distinguished Paper</strong><br />
        A Title / 253<br /><em>Ada Lovelace</em><br />
        <a href="/Abstract/15/042">Abstract</a> |
        <a href="/Proceedings/15/Papers/042.pdf">PDF</a> |
        <a href="/Proceedings/15/Papers/042e.pdf">Erratum</a></p>"""
    )
    assert (one.title, one.track, one.key) == ("A Title", "Planning", "42")
    assert one.pdf_url == "https://www.ijcai.org/Proceedings/15/Papers/042.pdf"


def test_a_paragraph_in_bold_is_a_heading_unless_it_is_an_award() -> None:
    found = text(
        f"<p><strong>Main Track: Planning</strong></p><p><b>Best Student Paper</b></p>{entry(1)}"
        f"<p><strong>Best Papers from Sister Conferences Track</strong></p>{entry(2)}"
    )
    assert [(one.track, one.main) for one in found] == [
        ("Main Track: Planning", True),
        ("Best Papers from Sister Conferences Track", False),
    ]


def test_what_is_missing_does_not_make_a_paper_disappear() -> None:
    found = text(
        """<h3>Planning</h3>
        <p>No Authors / 1<br />
        <a href="/Abstract/15/001">Abstract</a> | <a href="/Proceedings/15/Papers/001.pdf">PDF</a>
        <p>No PDF / 2<br /><em>Ada Lovelace</em><br /><a href="/Abstract/15/002">Abstract</a>
        <p>No Links / 3<br /><em>Ada Lovelace</em>
        <P>Shouted / 4<BR><EM>Ada Lovelace</EM><BR>
        <A HREF="//www.ijcai.org/Proceedings/15/Papers/004.PDF">PDF</A>
        <p>Wrapped<br />Title / 5<br /><em>Ada Lovelace,</em><br /><em>Alan Turing</em><br />
        <a href="../Proceedings/15/Papers/005.pdf">PDF</a>"""
    )
    assert [(one.key, one.title, bool(one.pdf_url), len(one.authors)) for one in found] == [
        ("1", "No Authors", True, 0),
        ("2", "No PDF", False, 1),
        ("no_links", "No Links", False, 1),
        ("4", "Shouted", True, 1),
        ("5", "Wrapped Title", True, 2),
    ]
    assert found[3].pdf_url == "https://www.ijcai.org/Proceedings/15/Papers/004.PDF"
    assert found[4].pdf_url == "https://www.ijcai.org/Proceedings/15/Papers/005.pdf"


def test_two_papers_in_one_paragraph_and_one_paper_in_three() -> None:
    links = '<a href="/Abstract/15/00{0}">Abstract</a> | <a href="/Proceedings/15/Papers/00{0}.pdf">PDF</a>'
    found = text(
        f"<p>One / 1<br><em>A B</em><br>{links.format(1)}<br>Two / 2<br><em>C D</em><br>{links.format(2)}</p>"
        f"<p>Three / 3</p><p><em>E F</em></p><p>{links.format(3)}</p>"
    )
    assert [(one.key, one.title, one.authors) for one in found] == [
        ("1", "One", ("A B",)),
        ("2", "Two", ("C D",)),
        ("3", "Three", ("E F",)),
    ]


def test_another_page_yields_nothing() -> None:
    other = f"<body><h1>No. 1: AAAI-15</h1><h2>Papers</h2>{entry(1)}</body>"
    page = Page("https://aaai.org/proceeding/01-aaai-15/", other)
    assert ijcai.read(page, Edition("IJCAI", 2015)).papers == ()
    page = Page("https://www.ijcai.org/proceedings/2031", "<body><h1>Page not found</h1><p>Sorry.</p></body>")
    assert ijcai.read(page, Edition("IJCAI", 2031)).papers == ()


@pytest.mark.parametrize(
    ("url", "body", "year"),
    [
        ("https://www.ijcai.org/Proceedings/2013", "", 2013),
        ("", ' class="page-proceedings page-proceedings-2022"', 2022),
        ("", "", None),
    ],
)
def test_which_year_a_saved_page_is_of(url: str, body: str, year: int | None) -> None:
    assert ijcai.year_of(Page(url, f"<body{body}><p>2001</p></body>"), "ijcai") == year
    assert ijcai.start("ijcai", 2015) == ("https://www.ijcai.org/proceedings/2015",)
