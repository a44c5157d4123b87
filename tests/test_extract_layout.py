"""The layout rules on hand-made page structures: no PDF and no MuPDF."""

import re
import time

import pytest
from msgspec.structs import replace

from reprocensus.errors import ExtractError
from reprocensus.extract.addresses import Addresses
from reprocensus.extract.characters import clean
from reprocensus.extract.document import lay_out
from reprocensus.extract.hyphens import Vocabulary
from reprocensus.extract.pages import Link, Page, Pages, Row
from reprocensus.extract.runs import Look, row_of
from reprocensus.records import Extracted, SectionKind

LEFT, RIGHT = 54.0, 294.0
CHAR = 4.8


def made(
    texts: list[str],
    looks: list[Look],
    box: tuple[float, float, float, float],
    baseline: float,
    block: int = 0,
) -> Row:
    row = row_of(texts, looks, box, baseline, 0, block)
    assert row is not None
    return row


def span(text: str, x: float, baseline: float, size: float = 10.0, **looks: bool) -> Row:
    """A piece of a line, as MuPDF gives it where another begins beside it."""
    bold, mono = looks.get("bold", False), looks.get("mono", False)
    box = x, baseline - size, x + CHAR * len(text) * size / 10, baseline + 2
    return made([text], [Look(size, bold, mono)], box, baseline)


def line(*rows: Row, block: int = 0) -> list[Row]:
    return [replace(row, block=block) for row in rows]


def full(
    text: str, baseline: float, *, x: float = LEFT, block: int = 0, size: float = 10.0, right: float = RIGHT
) -> list[Row]:
    """A justified line: it reaches the right edge whatever its length."""
    return [made([text], [Look(size)], (x, baseline - size, right, baseline + 2), baseline, block)]


def filler(start: float, count: int, block: int, **place: float) -> list[list[Row]]:
    text = "Ordinary words of a paragraph that fill the whole width here"
    return [full(text, start + 12 * i, block=block, **place) for i in range(count)]


def page(number: int, *lines: list[Row], links: list[Link] | None = None, images: int = 0) -> Page:
    rows = [replace(row, page=number) for rows in lines for row in rows]
    return Page(number, 612.0, 792.0, rows, links or [], images)


def text_of(*pages: Page) -> str:
    return result(*pages).text


def result(*pages: Page) -> Extracted:
    return lay_out(Pages(list(pages), "", repaired=False, failed=0), "test")


def test_lines_of_a_paragraph_become_one_line() -> None:
    lines = [
        full("The quick brown fox jumps over the lazy dog and", 300),
        full("runs on through the wide green wood until it is", 312),
    ]
    text = text_of(page(1, *lines, line(span("tired.", LEFT, 324))))
    assert text == (
        "The quick brown fox jumps over the lazy dog and "
        "runs on through the wide green wood until it is tired.\n"
    )


def test_an_indented_line_after_a_full_stop_begins_a_paragraph() -> None:
    lines = [
        full("One paragraph fills its lines and stops at the edge.", 300),
        full("Another one begins with an indent and goes on to", 312, x=LEFT + 12),
    ]
    lines += filler(324, 4, 0)
    text = text_of(page(1, *lines))
    assert text.startswith("One paragraph fills its lines and stops at the edge.\nAnother one begins")


@pytest.mark.parametrize(
    ("words", "before", "after", "whole"),
    [
        ("we study optimization of things", "optimi-", "zation", "optimization"),
        ("a state-of-the-art model", "state-of-the-", "art", "state-of-the-art"),
        ("the Xeon line", "Xeon E5-", "2660", "Xeon E5-2660"),
        ("nothing known", "Kullback-", "Leibler", "Kullback-Leibler"),
        ("the HuggingFace hub", "Hugging-", "Face", "HuggingFace"),
        ("a fine-tuned model", "fine-", "tuned", "fine-tuned"),
        ("networks are deep", "net-", "work", "network"),
        ("adapt to be able", "adapt-", "able", "adaptable"),
        ("in the line out", "out-", "line", "outline"),
        ("rules", "rule-", "based", "rule-based"),
        ("resources", "resource-", "limited", "resource-limited"),
        ("unlimited words", "un-", "limited", "unlimited"),
    ],
)
def test_hyphens_at_line_ends_follow_the_vocabulary(words: str, before: str, after: str, whole: str) -> None:
    keeps = Vocabulary([words]).keeps_hyphen(before, after)
    assert (before if keeps else before[:-1]) + after == whole


@pytest.mark.parametrize(
    ("words", "before", "after", "keeps"),
    [
        ("a pre-trained model and its training", "pre-", "training", True),
        ("re-rank and re-sample and re-weight, then train", "re-", "train", True),
        ("re-rank once, then train", "re-", "train", False),
        ("re-rank and re-sample and re-weight", "re-", "markable", False),
    ],
)
def test_a_hyphen_stays_where_other_words_of_the_kind_have_it(
    words: str, before: str, after: str, keeps: bool
) -> None:
    assert Vocabulary([words]).keeps_hyphen(before, after) is keeps


def test_halves_of_broken_words_are_no_vocabulary() -> None:
    vocabulary = Vocabulary(["it is nearly in-", "tractable and more"])
    assert not vocabulary["tractable"]
    assert vocabulary["more"]


def test_hanging_hyphen_keeps_its_space() -> None:
    lines = [
        full("There are many words on the subject of all the pre-", 300),
        full("and post-training steps that are needed to get there", 312),
    ]
    assert "pre- and post-training" in text_of(page(1, *lines))


def paper(n_pages: int) -> list[Page]:
    pages = []
    for number in range(1, n_pages + 1):
        lines = [line(span("A Running Title of the Paper", 200, 40, size=8.0))]
        lines += [
            full(f"Words on sheet {number} and line {i} filling the whole width", 100 + 12 * i, block=1)
            for i in range(30)
        ]
        lines.append(line(span(str(number + 10), 300, 760)))
        pages.append(page(number, *lines))
    return pages


def test_running_headers_and_page_numbers_are_removed() -> None:
    text = text_of(*paper(4))
    assert "Running Title" not in text
    assert "\n11\n" not in text and "\n14\n" not in text
    assert text.count("Words on sheet") == 120


def test_margin_line_numbers_are_removed() -> None:
    lines = []
    for i in range(30):
        lines.append(line(span(f"{i:03d}", 20, 100 + 12 * i), block=2 * i))
        lines.append(
            full(f"Words of line number {i} that fill the whole width", 100 + 12 * i, block=2 * i + 1)
        )
    text = text_of(page(1, *lines))
    assert "007" not in text
    assert "number 7 that fill the whole width Words of line number 8" in text


@pytest.mark.parametrize("joined", [True, False])
@pytest.mark.parametrize("away", [-5000.0, -1.0e9])
def test_numbers_that_lie_off_the_page_end_no_paper(away: float, joined: bool) -> None:
    """As in a broken file, whose words are still worth reading."""
    words = "Words of a draft that fill the whole width of its column"
    lines = [
        full(f"{100 + i} {words}" if joined else str(100 + i), 100 + 12.0 * i, x=away, right=away + 13.0)
        for i in range(24)
    ]
    assert "Ordinary words of a paragraph" in text_of(page(1, *lines, *filler(100, 10, 0)))


def test_every_fifth_lines_number_is_removed() -> None:
    lines = []
    for i in range(1, 31):
        lines.append(full(f"Words of line number {i} that fill the whole width", 100 + 12 * i, block=2 * i))
        if i % 5 == 0:
            lines.append(line(span(str(i), 300, 100 + 12 * i, size=5.0), block=2 * i + 1))
    text = text_of(page(1, *lines))
    assert "number 10 that fill the whole width Words of line number 11" in text


@pytest.mark.parametrize("behind", [True, False])
def test_line_numbers_that_mupdf_puts_into_the_lines_are_removed(behind: bool) -> None:
    def numbered(number: int) -> list[Row]:
        words = "Words of a draft that fill the whole width of its column"
        if number == 9:
            # Behind a short line the number stands alone.
            place = RIGHT + 3.0 if behind else LEFT - 13.0
            short = full("end here.", 100 + 12.0 * number, right=150.0)
            return short + full(str(100 + number), 100 + 12.0 * number, x=place, right=place + 13.0, size=8.0)
        text = f"{words} {100 + number}" if behind else f"{100 + number} {words}"
        x, right = (LEFT, RIGHT + 16.0) if behind else (LEFT - 13.0, RIGHT)
        return full(text, 100 + 12.0 * number, x=x, right=right)

    text = text_of(page(1, *[numbered(number) for number in range(24)]))
    assert not re.search(r"\d", text)
    assert "column Words" in text and "column end here.\n" in text


@pytest.mark.parametrize("step", [1, -1])
def test_the_marks_of_a_plot_s_axis_are_no_line_numbers(step: int) -> None:
    powers = [f"10^-{number}" for number in range(1, 21)][::step]
    marks = [full(power, 100 + 12.0 * i, right=LEFT + 20.0) for i, power in enumerate(powers)]
    beside = [full("Words of the column beside the plot.", 100 + 12.0 * i, x=LEFT + 90) for i in range(30)]
    assert " ".join(powers) in text_of(page(1, *marks, *beside)).replace("\n", " ")


def test_numbers_of_a_table_are_no_line_numbers() -> None:
    rows = [
        [line(span(str(i), LEFT, 300 + 12.0 * i)), line(span(f"{i}.5", 150, 300 + 12.0 * i))]
        for i in range(6)
    ]
    text = text_of(page(1, *filler(100, 10, 0), *[cell for row in rows for cell in row]))
    assert "\n3 3.5\n4 4.5\n" in text


def test_the_last_line_of_a_footnote_is_no_footer_however_often_it_comes() -> None:
    pages = []
    for number in range(1, 5):
        note = [
            full(
                f"The code of part {number} is at https://example.org/code-{number}/", 730, size=8.0, block=9
            ),
            line(span("releases/tag/v0.9.1", LEFT, 740, size=8.0), block=9),
        ]
        pages.append(page(number, *filler(100, 20, 0), *note))
    text = text_of(*pages)
    assert all(f"https://example.org/code-{n}/releases/tag/v0.9.1" in text for n in range(1, 5))


def test_a_heading_may_be_broken_inside_a_word() -> None:
    lines = [heading("A. Parameters and Implementation De-", 300, 1), heading("tails", 314, 1)]
    assert "\nA. Parameters and Implementation Details\n" in text_of(
        page(1, *filler(100, 10, 0), *lines, *filler(340, 5, 2))
    )


def run_in(text: str, y: float, size: float = 10.0) -> list[Row]:
    """A bold line that reaches the right edge."""
    return [made([text], [Look(size, True)], (LEFT, y - size, RIGHT, y + 2), y, 1)]


def test_a_run_in_heading_begins_its_paragraph_and_no_section() -> None:
    """Where its line has hardly any ordinary type it looks like a heading."""
    lines = [
        heading("1 Introduction", 80, 0),
        *filler(100, 5, 1),
        full("Here a paragraph ends in a line that is full.", 160, block=1),
        run_in("Fine-Tuning Settings and Hyperparam-", 172),
        full("eters. We note that words go on for a while", 184, block=1),
        *filler(196, 5, 1),
    ]
    found = result(page(1, *lines))
    whole = "\nFine-Tuning Settings and Hyperparameters. We note that words go on for a while Ordinary"
    assert whole in found.text
    assert [section.title for section in found.sections] == ["1 Introduction"]


def test_a_heading_whose_text_begins_anew_below_is_a_section_s() -> None:
    lines = [run_in("Settings of the Experiments", 160), full("Capitals begin the text.", 173, block=1)]
    found = result(page(1, heading("1 Introduction", 80, 0), *filler(95, 5, 1), *lines))
    assert "\nSettings of the Experiments\nCapitals begin" in found.text
    assert found.sections[-1].title == "Settings of the Experiments"


def test_footnotes_that_end_in_addresses_stay_apart() -> None:
    notes = []
    for number in (1, 2):
        y = 680 + 24 * number
        texts, looks = [str(number), "Our code is at https:"], [Look(6.0), Look(8.0, mono=True)]
        notes.append([made(texts, looks, (LEFT + 8, y - 8, RIGHT, y + 2), y - 3, 3)])
        notes.append(full(f"//example.org/set-{number}", y + 10, size=8.0, block=3))
    text = text_of(page(1, *filler(100, 10, 0), *notes))
    assert (
        "\n1 Our code is at https://example.org/set-1\n2 Our code is at https://example.org/set-2\n" in text
    )


def test_an_exponent_longer_than_its_base_is_marked() -> None:
    looks = [Look(3.1), Look(2.5, high=True)]
    assert made(["10", "−14"], looks, (LEFT, 296, LEFT + 7, 301), 300).text == "10^-14"


def test_a_paragraph_over_a_page_break_is_joined_and_the_page_starts_inside_it() -> None:
    first = page(1, *filler(100, 5, 0), full("and this sentence is broken by the end of the", 160))
    second = page(2, full("page and then it goes on as if nothing had been", 100), *filler(112, 3, 0))
    found = result(first, second)
    assert "broken by the end of the page and then it goes on" in found.text
    assert found.page_starts == (0, found.text.index("page and then"))


def test_a_word_broken_by_a_page_turns_inside_the_word() -> None:
    first = page(1, *filler(100, 5, 0), full("we speak of optimization before this optimi-", 160))
    second = page(2, full("zation goes on at the top of another page and so", 100), *filler(112, 3, 0))
    found = result(first, second)
    start = found.page_starts[1]
    assert found.text[start - 6 : start + 6] == "optimization"


def test_footnotes_and_figures_do_not_interrupt_a_sentence() -> None:
    note = line(
        span("1", LEFT, 697, size=6.0), span("See the appendix for it.", LEFT + 4, 700, size=8.0), block=3
    )
    first = page(1, *filler(100, 20, 0), full("and this sentence is broken by the end of the", 340), note)
    caption = line(span("Figure 1: What we saw.", LEFT, 90), block=1)
    second = page(
        2, caption, full("page and then it goes on as if nothing had been", 120, block=2), *filler(132, 20, 2)
    )
    found = result(first, second)
    assert "broken by the end of the page and then it goes on" in found.text
    # What stood on page 1 stays before page 2's start, what stands on page 2 after it.
    assert found.text.index("See the appendix") < found.page_starts[1] < found.text.index("Figure 1:")


def test_a_page_without_text_starts_where_the_next_one_does() -> None:
    found = result(
        page(1, *filler(100, 3, 0)),
        page(2),
        page(3, full("Third page text in one line of its own, and so on.", 100)),
    )
    assert found.page_starts[1] == found.page_starts[2] == found.text.index("Third page")


def test_exponents_are_marked() -> None:
    spans = (
        span("rate of 10", LEFT, 300),
        span("−4", LEFT + 50, 296, size=7.0),
        span(" is used here", LEFT + 60, 300),
    )
    assert "rate of 10^-4 is used here" in text_of(page(1, line(*spans)))


def test_a_leading_mark_does_not_grow_together_with_its_word() -> None:
    spans = span("1", LEFT, 296, size=7.0), span("Department of Things, University", LEFT + 5, 300)
    assert text_of(page(1, line(*spans))) == "1 Department of Things, University\n"


def test_cells_of_a_table_row_stand_on_one_line() -> None:
    rows = [
        [line(span("Method", LEFT, y)), line(span("91.2", LEFT + 120, y)), line(span("88.1", LEFT + 180, y))]
        for y in (300.0, 312.0, 324.0)
    ]
    text = text_of(page(1, *[cell for row in rows for cell in row]))
    assert text == "Method 91.2 88.1\n" * 3


def test_small_capitals_read_as_one_word() -> None:
    heading = line(span("R", LEFT, 400, size=12.0), span("EFERENCES", LEFT + 5.8, 400, size=9.6), block=5)
    assert "\nREFERENCES\n" in text_of(page(1, *filler(100, 5, 0), heading, *filler(420, 3, 6)))


def test_addresses_broken_over_lines_are_put_together() -> None:
    lines = [
        full("The code can be had from https://github.com/our-", 300),
        full("group/our_code and also from us on your request", 312),
    ]
    uri = "https://github.com/our-group/our_code"
    assert uri + " and also" in text_of(page(1, *lines, links=[Link(LEFT, 290, RIGHT, 302, uri)]))


@pytest.mark.parametrize(
    ("before", "after", "joined"),
    [
        ("see https:", "//example.org/x", True),
        ("see https://example.org/data/", "set_v1.zip for", True),
        ("see https://example.org/data_", "set.zip", True),
        ("see https://example.org.", "We then", False),
        ("no address here", "at all", False),
    ],
)
def test_addresses_without_annotations(before: str, after: str, joined: bool) -> None:
    assert Addresses([]).joins(before, after, mono=False) is joined


def test_an_annotation_says_where_an_address_ends() -> None:
    known = Addresses(["https://example.org/data"])
    assert not known.joins("https://example.org/data", "we_use", mono=True)
    assert known.joins("https://example.org/", "data", mono=False)


def test_characters_are_resolved() -> None:
    assert clean("eﬃcient ﬂow\x00\u200b of\u00a0Schr¨odinger\ud800") == "efficient flow of Schrödinger\ufffd"


def heading(text: str, y: float, block: int) -> list[Row]:
    return line(span(text, LEFT, y, size=12.0, bold=True), block=block)


def entries(start: float, block: int) -> list[list[Row]]:
    return [
        line(span(f"[{i}] A. Author. A title. In Proc. {2000 + i}.", LEFT, start + 24 * i), block=block + i)
        for i in range(1, 6)
    ]


def test_sections_of_a_whole_paper() -> None:
    one = page(
        1,
        line(span("A Title of Some Length", 150, 80, size=16.0, bold=True), block=0),
        line(span("A. Author, University of Somewhere", 150, 110), block=1),
        heading("Abstract", 140, 2),
        *filler(160, 5, 3),
        heading("1 Introduction", 240, 4),
        *filler(260, 12, 5),
    )
    two = page(
        2,
        heading("2 Experiments", 90, 0),
        *filler(110, 12, 1),
        heading("Acknowledgements", 280, 2),
        *filler(300, 3, 3),
        heading("References", 360, 4),
        *entries(370, 5),
    )
    three = page(
        3,
        heading("A Proofs", 90, 0),
        *filler(110, 12, 1),
        heading("NeurIPS Paper Checklist", 300, 2),
        *filler(320, 5, 3),
    )
    found = result(one, two, three)
    assert found.title == "A Title of Some Length"
    assert [(s.kind, s.title) for s in found.sections] == [
        (SectionKind.FRONT, ""),
        (SectionKind.ABSTRACT, "Abstract"),
        (SectionKind.BODY, "1 Introduction"),
        (SectionKind.BODY, "2 Experiments"),
        (SectionKind.BODY, "Acknowledgements"),
        (SectionKind.REFERENCES, "References"),
        (SectionKind.APPENDIX, "A Proofs"),
        (SectionKind.CHECKLIST, "NeurIPS Paper Checklist"),
    ]
    assert found.sections[0].start == 0 and found.sections[-1].end == len(found.text)
    assert all(a.end == b.start for a, b in zip(found.sections, found.sections[1:], strict=False))


@pytest.mark.parametrize(
    ("title", "kind"),
    [
        ("A Details of the Prompts", SectionKind.APPENDIX),
        ("A For every submission:", SectionKind.CHECKLIST),
        ("B Did you use scientific artifacts?", SectionKind.CHECKLIST),
    ],
)
def test_an_appendix_may_follow_the_checklist(title: str, kind: SectionKind) -> None:
    one = page(1, heading("1 Introduction", 90, 0), *filler(110, 12, 1))
    two = page(2, heading("Paper Checklist", 90, 0), *filler(110, 5, 1), heading(title, 300, 2))
    two.rows += [replace(row, page=2) for rows in filler(320, 5, 3) for row in rows]
    assert [(s.kind, s.title) for s in result(one, two).sections][-1] == (kind, title)


def test_scraps_on_image_pages_are_no_text() -> None:
    with pytest.raises(ExtractError) as caught:
        result(page(1, line(span("stamp 7", LEFT, 300)), images=1), page(2, images=1))
    assert caught.value.kind == "no_text"
    assert "OCR" in str(caught.value)


def test_text_without_known_characters_is_no_text() -> None:
    with pytest.raises(ExtractError) as caught:
        result(page(1, line(span("\ufffd" * 40, LEFT, 300))))
    assert caught.value.kind == "no_text"


def seconds(n_pages: int) -> float:
    pages = [page(n, *filler(60, 50, 0)) for n in range(1, n_pages + 1)]
    start = time.process_time()
    assert result(*pages).text.count("\n") == 1
    return time.process_time() - start


def test_a_very_long_paragraph_takes_linear_time() -> None:
    seconds(2)
    # Quadratic work would take 64 times as long.
    assert seconds(80) < 30 * max(seconds(10), 0.005)
