"""The ACL Anthology, on files written for the purpose in the form of its data."""

import pytest

from reprocensus.errors import SourceError
from reprocensus.records import Edition
from reprocensus.sources import acl
from reprocensus.sources.proceedings import Found, Listed, Page

DATA = "https://raw.githubusercontent.com/acl-org/acl-anthology/master/data/xml"


def read(collection: str, volumes: str, venue: str, year: int, more: str = "") -> Found:
    head = "<?xml version='1.0' encoding='UTF-8'?>\n"
    text = f'{head}<collection id="{collection}">{volumes}{more}</collection>'
    return acl.read(Page(f"{DATA}/{collection}.xml", text), Edition(venue, year))


def volume(name: str, book: str, papers: str) -> str:
    return (
        f'<volume id="{name}" type="proceedings"><meta><booktitle>{book}</booktitle><editor><first>E</first>'
        f"<last>D</last></editor></meta><frontmatter><url>x.0</url></frontmatter>{papers}</volume>"
    )


def paper(number: str, url: str, title: str = "A Title", more: str = "") -> str:
    said = f'<url hash="0a">{url}</url>' if url else ""
    return f'<paper id="{number}"><title>{title}</title>{more}{said}<bibkey>k</bibkey></paper>'


AUTHORS = (
    "<author><first>Ada</first><last>Lovelace</last></author>"
    '<author><last>Plato</last></author><author><first>文</first><last>王</last><variant script="hani">'
    "<first>x</first></variant></author>"
)


def test_a_paper() -> None:
    body = volume(
        "main",
        "Proceedings",
        paper(
            "3",
            "2020.acl-main.3",
            "<fixed-case>C</fixed-case>oach: &amp; <tex-math>O(n)</tex-math>\n  Slots",
            AUTHORS + "<pages>1–6</pages><abstract>We <i>do</i>\n it.</abstract>",
        ),
    )
    assert read("2020.acl", body, "ACL", 2020).papers == (
        Listed(
            key="2020.acl-main.3",
            title="Coach: & O(n) Slots",
            authors=("Ada Lovelace", "Plato", "文 王"),
            landing_url="https://aclanthology.org/2020.acl-main.3/",
            pdf_url="https://aclanthology.org/2020.acl-main.3.pdf",
            abstract="We do it.",
        ),
    )


@pytest.mark.parametrize(
    ("name", "book", "track", "main"),
    [
        ("main", "Proceedings of the 58th Annual Meeting", "main", True),
        ("long", "Proceedings (Volume 1: Long Papers)", "long", True),
        ("short", "Proceedings (Volume 2: Short Papers)", "short", True),
        ("demos", "Proceedings: System Demonstrations", "demos", False),
        ("srw", "Student Research Workshop", "srw", False),
        ("industry", "Industry Track", "industry", False),
        ("tutorials", "Tutorial Abstracts", "tutorials", False),
    ],
)
def test_volumes_since_2020(name: str, book: str, track: str, main: bool) -> None:
    (one,) = read("2021.acl", volume(name, book, paper("1", f"2021.acl-{name}.1")), "ACL", 2021).papers
    assert (one.track, one.main) == (track, main)


@pytest.mark.parametrize(
    ("book", "track", "main"),
    [
        ("Proceedings of the 52nd Annual Meeting of the ACL (Volume 1: Long Papers)", "Long Papers", True),
        ("Proceedings of NAACL: Human Language Technologies, Volume 2 (Short Papers)", "Short Papers", True),
        ("Proceedings of the 14th Conference of the EACL, volume 2: Short Papers", "Short Papers", True),
        ("Proceedings of the 2019 Conference on EMNLP and the 9th IJCNLP", "main", True),
        ("Computational Linguistics, Volume 40, Issue 1 - March 2014", "main", True),
        ("Proceedings of the ACL 2014 Student Research Workshop", None, False),
        ("Proceedings of 52nd Annual Meeting of the ACL: System Demonstrations", None, False),
        ("Proceedings of NAACL: HLT, Volume 3 (Industry Papers)", None, False),
        ("Proceedings of the Second Workshop on Simple Methods", None, False),
        ("Proceedings of the 2019 Conference on EMNLP: Tutorial Abstracts", None, False),
    ],
)
def test_volumes_before(book: str, track: str | None, main: bool) -> None:
    (one,) = read("P14", volume("1", book, paper("1", "P14-1001")), "ACL", 2014).papers
    assert (one.track, one.main) == (track or book, main)


@pytest.mark.parametrize(
    ("collection", "name", "number", "venue", "year", "key"),
    [
        ("P14", "1", "7", "ACL", 2014, "P14-1007"),
        ("D19", "1", "681", "EMNLP", 2019, "D19-1681"),
        ("D19", "50", "12", "EMNLP", 2019, "D19-5012"),
        ("2020.acl", "main", "9", "ACL", 2020, "2020.acl-main.9"),
        ("2020.tacl", "1", "9", "TACL", 2020, "2020.tacl-1.9"),
    ],
)
def test_a_paper_without_a_file_has_its_id(
    collection: str, name: str, number: str, venue: str, year: int, key: str
) -> None:
    (one,) = read(collection, volume(name, "Proceedings", paper(number, "")), venue, year).papers
    assert (one.key, one.pdf_url) == (key, None)
    assert one.landing_url == f"https://aclanthology.org/{key}/"


def test_a_file_elsewhere_keeps_the_papers_id() -> None:
    body = volume("1", "Proceedings", paper("7", "http://www.example.org/some paper.pdf"))
    (one,) = read("P14", body, "ACL", 2014).papers
    assert (one.key, one.pdf_url) == ("P14-1007", "http://www.example.org/some%20paper.pdf")


def test_findings_are_a_side_track_of_their_conference() -> None:
    body = volume("acl", "Findings of the ACL", paper("1", "2021.findings-acl.1")) + volume(
        "emnlp", "Findings of the ACL: EMNLP", paper("1", "2021.findings-emnlp.1")
    )
    (one,) = read("2021.findings", body, "ACL", 2021).papers
    assert (one.key, one.track, one.main) == ("2021.findings-acl.1", "findings", False)
    assert acl.side("acl", 2021) == (f"{DATA}/2021.findings.xml",)
    assert acl.side("acl", 2020) == acl.side("naacl", 2023) == acl.side("tacl", 2022) == ()


def test_another_venue_is_no_side_track() -> None:
    body = volume("main", "Proceedings", paper("1", "x"))
    for collection in ("2020.emnlp", "2019.gwc", "W20", "D20"):
        assert read(collection, body, "ACL", 2020) == Found()
    assert acl.year_of(Page("", '<collection id="2020.emnlp">'), "acl") == 0
    assert acl.year_of(Page("", '<collection id="D14">'), "acl") == 0
    assert acl.year_of(Page("", '<collection id="2021.findings">'), "acl") == 2021


def test_workshops_held_with_a_conference() -> None:
    event = """<event id="acl-2020"><meta><title>ACL</title></meta><colocated>
        <volume-id>2020.acl-main</volume-id><volume-id>2020.findings-acl</volume-id>
        <volume-id>2020.nlp4if-1</volume-id><volume-id>2020.nlp4if-2</volume-id><volume-id>W20-01</volume-id>
        </colocated></event>"""
    found = read("2020.acl", volume("main", "P", paper("1", "2020.acl-main.1")), "ACL", 2020, event)
    assert found.side == (f"{DATA}/2020.nlp4if.xml",)
    book = "Proceedings of the 3rd NLP4IF Workshop"
    (one,) = read("2020.nlp4if", volume("1", book, paper("1", "2020.nlp4if-1.1")), "ACL", 2020).papers
    assert (one.track, one.main) == (book, False)


@pytest.mark.parametrize(
    "text",
    [
        "<html><body>404: Not Found</body></html>",
        "404: Not Found",
        "<collection id='P14'><volume",
        "<!DOCTYPE x [<!ENTITY a 'aaaa'>]><collection id='P14'><volume id='1'><paper id='1'>"
        "<title>&a;</title></paper></volume></collection>",
    ],
)
def test_what_is_no_collection_yields_nothing(text: str) -> None:
    assert acl.read(Page("", text), Edition("ACL", 2014)) == Found()


def test_collections_and_years() -> None:
    def starts(word: str, year: int) -> str:
        return acl.start(word, year)[0].removeprefix(f"{DATA}/").removesuffix(".xml")

    assert starts("acl", 2014) == "P14"
    assert starts("cl", 2013) == "J13"
    assert starts("tacl", 2019) == "Q19"
    assert starts("emnlp", 2020) == "2020.emnlp"
    assert starts("coling", 2024) == "2024.lrec"
    assert starts("acl", 2005) == "P05"
    with pytest.raises(SourceError, match="no such edition"):
        acl.start("aacl", 2015)
    assert acl.year_of(Page("", '<collection id="P14">'), "acl") == 2014
    assert acl.year_of(Page("", '<collection id="J99">'), "cl") == 1999
    assert acl.year_of(Page("", "<collection id='2022.naacl'>"), "naacl") == 2022
    assert acl.year_of(Page("", "<collection>"), "acl") is None
