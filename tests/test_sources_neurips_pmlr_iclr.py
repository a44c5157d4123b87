"""NeurIPS, ICLR and PMLR on pages of our own, in each layout that they have used."""

import json
from typing import Any

import pytest

from reprocensus.errors import SourceError
from reprocensus.records import Edition
from reprocensus.sources import iclr, neurips, pmlr
from reprocensus.sources.proceedings import Found, Page

HASH = "0123456789abcdef0123456789abcdef"
OTHER = "f" * 32
NEURIPS = "https://proceedings.neurips.cc/paper_files/paper"


def neurips_page(year: int, items: str, heading: str = "", url: str = "") -> Found:
    heading = heading or f"Advances in Neural Information Processing Systems {year - 1987} (NeurIPS {year})"
    page = Page(url or f"{NEURIPS}/{year}", f"<h4>{heading}</h4><ul class='paper-list'>{items}</ul>")
    assert neurips.year_of(page, "neurips") == year
    return neurips.read(page, Edition("NeurIPS", year))


def test_neurips_to_2021() -> None:
    item = (
        f'<li class="none"><a title="paper title" href="/paper_files/paper/2014/hash/{HASH}-Abstract.html">'
        "A &amp; B:  on\n C</a> <i>Ann  One, Bo Two</i></li><li><a href='/admin'>no paper</a></li>"
    )
    (paper,) = neurips_page(2014, item).papers
    assert (paper.key, paper.title, paper.authors) == (HASH, "A & B: on C", ("Ann One", "Bo Two"))
    assert paper.landing_url == f"{NEURIPS}/2014/hash/{HASH}-Abstract.html"
    assert paper.pdf_url == f"{NEURIPS}/2014/file/{HASH}-Paper.pdf"
    assert (paper.track, paper.main) == ("main", True)


@pytest.mark.parametrize(
    "host", ["https://papers.nips.cc/paper/2014", "https://proceedings.neurips.cc/paper/2014"]
)
def test_neurips_on_earlier_hosts_has_the_same_keys(host: str) -> None:
    item = f'<li><a href="/paper/2014/hash/{HASH}-Abstract.html">T</a> <i>A B</i></li>'
    (paper,) = neurips_page(2014, item, url=host).papers
    assert paper.key == HASH
    assert paper.pdf_url == f"{host}/file/{HASH}-Paper.pdf"


def test_neurips_before_2020_with_numbers_and_linked_authors() -> None:
    item = (
        '<li><a href="/paper/5257-on-something">On Something</a> '
        '<a href="/author/a" class="author">Ann One</a>, <a href="/author/b" class="author">Bo Two</a></li>'
    )
    url = "https://papers.nips.cc/book/advances-in-neural-information-processing-systems-27-2014"
    (paper,) = neurips_page(2014, item, url=url).papers
    assert (paper.key, paper.authors) == ("5257", ("Ann One", "Bo Two"))
    assert paper.pdf_url == "https://papers.nips.cc/paper/5257-on-something.pdf"


def test_neurips_since_2022_has_tracks() -> None:
    items = "".join(
        f'<li class="{track}" {data}><div><a title="paper title" '
        f'href="/paper_files/paper/2023/hash/{key}-Abstract-{suffix}.html">On {track}</a>'
        f'<span class="paper-authors">A B</span></div><span class="paper-track-badge">Some Track</span></li>'
        for key, track, suffix, data in [
            (HASH, "conference", "Conference", ""),
            (OTHER, "datasets_and_benchmarks_track", "Datasets_and_Benchmarks_Track", 'data-track="x_track"'),
        ]
    )
    first, second = neurips_page(2023, items, "Advances in Neural Information Processing Systems 36").papers
    assert (first.track, first.main, second.track, second.main) == ("conference", True, "x_track", False)
    assert second.pdf_url == f"{NEURIPS}/2023/file/{OTHER}-Paper-Datasets_and_Benchmarks_Track.pdf"
    assert first.authors == ("A B",)


def test_the_rounds_of_2021_are_side_tracks_with_keys_of_their_own() -> None:
    (address,) = neurips.side("neurips", 2021)
    item = f'<li class="round1"><a href="/paper/2021/hash/{HASH}-Abstract-round1.html">T</a><i>A</i></li>'
    (paper,) = neurips_page(2021, item, url=address).papers
    assert (paper.key, paper.track, paper.main) == (f"{HASH}-round1", "datasets_and_benchmarks_round1", False)
    assert paper.pdf_url == f"{address}/file/{HASH}-Paper-round1.pdf"
    assert neurips.side("neurips", 2022) == ()


def test_names_that_are_escaped_twice_and_companion_volumes() -> None:
    item = (
        f'<li><a href="/paper_files/paper/2025/hash/{HASH}-Abstract-Creative_AI_Track.html">T</a>'
        '<span class="paper-authors">Ann D&amp;#x27;One</span></li>'
        '<a href="/paper_files/paper/vol38-main-conference">See also</a>'
        '<a href="/paper_files/paper/2024">Last year</a>'
    )
    found = neurips_page(2025, item)
    assert found.papers[0].authors == ("Ann D'One",)
    assert not found.papers[0].main
    assert found.more == (f"{NEURIPS}/vol38-main-conference",)


def test_one_layout_two_venues() -> None:
    item = f'<li><a href="/paper_files/paper/2024/hash/{HASH}-Abstract-Conference.html">T</a><i>A B</i></li>'
    text = f"<h4>International Conference on Learning Representations 2024 (ICLR 2024)</h4><ul>{item}</ul>"
    page = Page("https://proceedings.iclr.cc/paper_files/paper/2024", text)
    (paper,) = iclr.read(page, Edition("ICLR", 2024)).papers
    assert (
        paper.pdf_url
        == f"https://proceedings.iclr.cc/paper_files/paper/2024/file/{HASH}-Paper-Conference.pdf"
    )
    assert neurips.read(page, Edition("NeurIPS", 2024)) == Found()
    ours = Page(f"{NEURIPS}/2024", f"<h4>Advances in Neural Information Processing Systems 37</h4>{item}")
    assert iclr.read(ours, Edition("ICLR", 2024)) == Found()


def test_iclr_2014_is_paragraphs() -> None:
    text = """<p>09:40 - 10:00 <a href="http://arxiv.org/abs/1312.0001">First</a>
      <a href="http://openreview.net/document/x"></a></p><p><i>Ann One; Bo Two;</i></p><p>Cy Three</p>
      <p>10:20 - 10:50 Break</p><p>Conference Posters: [Note]</p>
      <span><b><a href="http://arxiv.org/abs/1312.0002v2">Second</a></b></span><div><i>Di Four</i></div>
      <p>Workshop Posters:</p><p><a href="http://arxiv.org/pdf/cs/0112003.pdf">Third</a></p><p>Ed Five</p>
      <p>Tuesday April 15:</p><p>09:00 - 12:40 Oral session</p>
      <p><a href="http://arxiv.org/abs/1312.0004">Fourth</a></p><p>Flo Six</p>"""
    papers = iclr.read(Page(iclr.start("iclr", 2014)[0], text), Edition("ICLR", 2014)).papers
    assert [(p.key, p.title, p.track, p.main) for p in papers] == [
        ("1312.0001", "First", "main", True),
        ("1312.0002", "Second", "poster", True),
        ("cs_0112003", "Third", "workshop", False),
        ("1312.0004", "Fourth", "oral", True),
    ]
    assert [p.authors for p in papers] == [
        ("Ann One", "Bo Two", "Cy Three"),
        ("Di Four",),
        ("Ed Five",),
        ("Flo Six",),
    ]
    assert papers[1].pdf_url == "https://arxiv.org/pdf/1312.0002.pdf"


def test_iclr_2015_and_2016_are_lists() -> None:
    text = """<h3>Main Conference - Oral Presentations</h3><ol>
      <li><div> <a href="http://arxiv.org/abs/1511.00001">On A, B and C</a> <a href="http://x.y">[code]</a><br/>
      Ann One,  Bo Two</div></li></ol><h3>Main Conference - Poster Presentations</h3>
      <li><a href="http://arxiv.org/abs/1511.00002">Two</a>, Ann One, Bo Two, and Cy Three</li>
      <h3>Workshop Papers</h3>
      <li><a href="http://arxiv.org/abs/1511.00003">Three</a>, Ann One and Bo Two</li>"""
    papers = iclr.read(Page(iclr.start("iclr", 2015)[0], text), Edition("ICLR", 2015)).papers
    assert [(p.title, p.track, p.main) for p in papers] == [
        ("On A, B and C", "oral", True),
        ("Two", "poster", True),
        ("Three", "workshop", False),
    ]
    assert [p.authors for p in papers] == [
        ("Ann One", "Bo Two"),
        ("Ann One", "Bo Two", "Cy Three"),
        ("Ann One", "Bo Two"),
    ]


def note(
    name: str, venue: str | None = None, reply: tuple[str, dict[str, Any]] | None = None, **content: Any
) -> Any:
    """A submission as API v1 gives it; `reply` is the invitation and content of a decision."""
    fields = {"title": f"On {name}", "authors": ["Ann One"], "pdf": f"/pdf/{name}.pdf", **content}
    if venue is not None:
        fields["venue"] = venue
    made = {
        "id": name,
        "forum": name,
        "invitation": "ICLR.cc/2019/Conference/-/Blind_Submission",
        "content": fields,
    }
    if reply:
        review = {
            "invitation": "ICLR.cc/2019/Conference/-/Paper1/Official_Review",
            "content": {"decision": "Accept"},
        }
        decision = {"invitation": reply[0], "content": reply[1], "forum": name}
        made["details"] = {"directReplies": [review, decision]}
    return made


def answer(year: int, notes: list[Any], count: int | None = None) -> Found:
    body = {"notes": notes} if count is None else {"notes": notes, "count": count}
    return iclr.read(Page(iclr.start("iclr", year)[0], json.dumps(body)), Edition("ICLR", year))


@pytest.mark.parametrize(
    ("venue", "track"),
    [
        ("ICLR 2017 Oral", "oral"),
        ("ICLR 2017 Poster", "poster"),
        ("ICLR 2017 Invite to Workshop", "workshop"),
        ("Submitted to ICLR 2017", None),
        ("ICLR 2021 Spotlight", "spotlight"),
        ("ICLR 2022 Submitted", None),
        ("ICLR 2023 notable top 5%", "oral"),
        ("ICLR 2023 notable top 25%", "spotlight"),
        ("ICLR 2023 poster", "poster"),
        ("ICLR 2024 Conference Withdrawn Submission", None),
    ],
)
def test_openreview_venue_strings(venue: str, track: str | None) -> None:
    found = answer(2017, [note("a", venue, venueid="ICLR.cc/2017/conference")])
    assert [paper.track for paper in found.papers] == ([track] if track else [])
    assert all(paper.main is (track != "workshop") for paper in found.papers)
    assert found.seen == 1


@pytest.mark.parametrize(
    ("invitation", "content", "track"),
    [
        ("ICLR.cc/2018/Conference/-/Acceptance_Decision", {"decision": "Accept (Poster)"}, "poster"),
        (
            "ICLR.cc/2018/Conference/-/Acceptance_Decision",
            {"decision": "Invite to Workshop Track"},
            "workshop",
        ),
        ("ICLR.cc/2019/Conference/-/Paper9/Meta_Review", {"recommendation": "Accept (Oral)"}, "oral"),
        ("ICLR.cc/2020/Conference/Paper9/-/Decision", {"decision": "Accept (Talk)"}, "oral"),
        ("ICLR.cc/2020/Conference/Paper9/-/Decision", {"decision": "Reject"}, None),
    ],
)
def test_openreview_decisions_in_replies(invitation: str, content: dict[str, Any], track: str | None) -> None:
    found = answer(2019, [note("a", reply=(invitation, content))])
    assert [paper.track for paper in found.papers] == ([track] if track else [])


def test_openreview_pages_and_fields() -> None:
    found = answer(2018, [note("b"), note("Ab-_1", "ICLR 2021 Poster", title=" On\n A ")], 900)
    (paper,) = found.papers
    assert (paper.key, paper.title, paper.landing_url) == (
        "Ab-_1",
        "On A",
        "https://openreview.net/forum?id=Ab-_1",
    )
    assert paper.pdf_url == "https://openreview.net/pdf?id=Ab-_1"
    assert "1 of 2 submissions" in found.notes[0]
    (more,) = found.more
    assert "offset=2" in more
    assert "details=directReplies" in more
    assert answer(2018, [note("a", "ICLR 2021 Poster")], 1).more == ()
    assert answer(2018, [note("a", "ICLR 2021 Poster")]).more == ()
    wrapped = {"title": {"value": "T"}, "authors": {"value": ["A"]}, "venue": {"value": "ICLR 2024 oral"}}
    (second,) = answer(2018, [{"id": "z", "forum": "z", "content": wrapped}]).papers
    assert (second.title, second.track, second.pdf_url) == ("T", "oral", None)
    (arxiv,) = answer(
        2013, [note("q", decision="conferenceOral-iclr2013-conference", pdf="http://arxiv.org/abs/1301.1")]
    ).papers
    assert (arxiv.track, arxiv.pdf_url) == ("oral", "https://arxiv.org/pdf/1301.1.pdf")


def test_openreview_notes_dumped_as_a_list() -> None:
    page = Page("", json.dumps([note("a", "ICLR 2019 Poster"), note("b", "Submitted to ICLR 2019")]))
    assert iclr.year_of(page, "iclr") == 2019
    assert [paper.key for paper in iclr.read(page, Edition("ICLR", 2019)).papers] == ["a"]


@pytest.mark.parametrize("text", ['{"name": "ForbiddenError"}', "{broken", '{"notes": []}', '{"notes": {}}'])
def test_openreview_refusals_are_no_papers(text: str) -> None:
    assert iclr.read(Page("https://api.openreview.net/notes", text), Edition("ICLR", 2019)) == Found()


def test_before_the_first_conference() -> None:
    for module, slug in ((iclr, "iclr"), (neurips, "neurips")):
        with pytest.raises(SourceError, match="the first"):
            module.start(slug, 1980)


def volume(number: int, heading: str, body: str) -> Page:
    return Page(f"https://proceedings.mlr.press/v{number}", f"<h2>Volume {number}: {heading}</h2>{body}")


def entry(key: str, pdf: str, title: str = "", volume: int = 28) -> str:
    return (
        f"<div class='paper'><p class='title'>{title or f'On {key}'}</p><p class='details'>"
        f"<span class='authors'>Ann One,&nbsp;Bo Two</span>;<span class='info'>PMLR 28:1-9</span></p>"
        f"<p class='links'>[<a href='https://proceedings.mlr.press/v{volume}/{key}.html'>abs</a>]"
        f"[<a href='{pdf}'>Download PDF</a>][<a href='{key}-supp.pdf'>Supplementary PDF</a>]</p></div>"
    )


def test_pmlr_sections_old_and_new_paths() -> None:
    old = entry("a13", "http://proceedings.mlr.press/v28/a13.pdf")
    new = entry("b13a", "https://raw.githubusercontent.com/mlresearch/v28/main/assets/b13a/b13a.pdf")
    body = f"<h3 id=cycle-1>Cycle 1 Papers</h3>{old}<h3>Open Problems</h3>{new}<h3>Papers</h3>" + entry(
        "c13", "./c13/c13.pdf", "Conference 2013: Preface"
    )
    found = pmlr.read(
        volume(28, "International Conference on Machine Learning, 2013", body), Edition("ICML", 2013)
    )
    first, second, third = found.papers
    assert (first.key, first.authors, first.track, first.main) == (
        "a13",
        ("Ann One", "Bo Two"),
        "Cycle 1 Papers",
        True,
    )
    assert first.pdf_url == "http://proceedings.mlr.press/v28/a13.pdf"
    assert (second.key, second.track, second.main) == ("b13a", "Open Problems", False)
    assert (third.track, third.main) == ("preface", False)
    assert third.pdf_url == "https://proceedings.mlr.press/v28/c13/c13.pdf"


def test_a_volume_by_its_number_is_the_edition_that_it_is() -> None:
    page = volume(54, "Artificial Intelligence and Statistics, 20-22 April 2017", entry("a17a", "a.pdf"))
    assert pmlr.read(page, Edition("PMLR", 54)).edition == Edition("AISTATS", 2017)
    other = volume(
        123,
        "NeurIPS 2019 Competition and Demonstration Track, 8-14 December 2019",
        "<h3>Demonstrations</h3>" + entry("k20a", "k.pdf"),
    )
    found = pmlr.read(other, Edition("PMLR", 123))
    assert found.edition == Edition("PMLR-v123", 2019)
    assert found.papers[0].main
    assert pmlr.start("pmlr", 123) == ("https://proceedings.mlr.press/v123",)
    assert pmlr.year_of(other, "pmlr") == 123


def test_a_volume_of_another_venue_is_told_apart() -> None:
    aistats = volume(206, "International Conference on Artificial Intelligence and Statistics, 2023", "")
    assert pmlr.year_of(aistats, "aistats") == 2023
    assert pmlr.year_of(aistats, "icml") == 0
    unknown = volume(999, "ICML 2031, 1-2 July 2031, Somewhere", "")
    assert pmlr.year_of(unknown, "icml") == 2031
    assert pmlr.year_of(unknown, "colt") == 0


def test_a_year_whose_volume_is_not_known_is_looked_up() -> None:
    assert pmlr.start("icml", 2031) == ("https://proceedings.mlr.press/",)
    index = """<ul><li><a href="v999"><b>Volume 999</b></a> Proceedings of ICML 2031</li>
      <li><a href="v998"><b>Volume 998</b></a> ICML 2031 Workshop on Something</li>
      <li><a href="v997"><b>Volume 997</b></a> Proceedings of COLT 2031</li></ul>"""
    found = pmlr.read(Page("https://proceedings.mlr.press/", index), Edition("ICML", 2031))
    assert found.more == ("https://proceedings.mlr.press/v999",)
    assert pmlr.read(Page("https://proceedings.mlr.press/", index), Edition("ICML", 2032)) == Found()


POST = """---
title: "On A: a & b"
id: no
section: Contributed
author:
- given: Ann
  family: One
- given: Jan
  prefix: van
  family: Two
date: 2017-04-10
volume: '54'
container-title: Proceedings of the 20th International Conference on Artificial Intelligence and Statistics
pdf: http://proceedings.mlr.press/v54/no/no.pdf
abstract: We do
  things.
---
"""


def test_pmlr_posts() -> None:
    page = Page("https://proceedings.mlr.press/v54", POST)
    assert pmlr.year_of(page, "aistats") == 2017
    (paper,) = pmlr.read(page, Edition("AISTATS", 2017)).papers
    assert (paper.key, paper.title, paper.track) == ("no", "On A: a & b", "Contributed")
    assert (paper.authors, paper.abstract) == (("Ann One", "Jan van Two"), "We do things.")
    assert paper.landing_url == "https://proceedings.mlr.press/v54/no.html"
    assert paper.pdf_url == "http://proceedings.mlr.press/v54/no/no.pdf"
    for broken in ("---\ntitle: [\n", "---\ntitle: T\n---\n", "---\n- a\n---\n"):
        assert pmlr.read(Page("", broken), Edition("AISTATS", 2017)) == Found()
