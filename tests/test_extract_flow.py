"""What interrupts a sentence: floats, notes and columns between its lines."""

import pytest

from reprocensus.extract.hyphens import Vocabulary
from reprocensus.extract.lines import Line, Lines, Type, rows_of
from reprocensus.extract.pages import Row
from reprocensus.extract.runs import Look
from test_extract_layout import (
    LEFT,
    RIGHT,
    filler,
    full,
    heading,
    line,
    made,
    page,
    result,
    span,
    text_of,
)

#: The right column of a page with two.
SECOND, END = 318.0, 558.0
OPEN = "and this sentence is broken by the end of the"
REST = "column and then it goes on as if nothing had been"


def test_many_pieces_on_a_line_take_linear_time() -> None:
    pieces = [span("x", LEFT + 0.02 * i, 300 + 3 * (i % 2)) for i in range(20_000)]
    assert text_of(page(1, line(*pieces), *filler(330, 10, 1)))


def test_a_glyph_of_absurd_height_makes_no_line_slant() -> None:
    def rows(text: str, width: int, height: int) -> list[Row]:
        read: Line = (0, text, 5400, 10000, width, height, 12000, 0, None, False)
        return rows_of(Lines([read], [Type("F", False, False, 1000, 10.0, False)], False), 1)[0]

    words = "as normal email rather than as spam, it is said"
    assert rows(words, 23400, 13000)[0].horizontal
    # At 45 degrees, and upright.
    assert not rows(words, 16500, 16500)[0].horizontal
    assert not rows(words, 1000, 23400)[0].horizontal


def columns(*between: list[Row], rest: list[Row] | None = None) -> str:
    """A sentence that is open at the end of the left column, what stands above its rest, and the rest."""
    left = [*filler(100, 20, 0), full(OPEN, 340)]
    right = [rest or full(REST, 300, x=SECOND, right=END, block=9)]
    right += filler(312, 10, 9, x=SECOND, right=END)
    return text_of(page(1, *left, *between, *right))


def test_a_sentence_goes_on_in_the_next_column() -> None:
    assert f"{OPEN} {REST}" in columns()


def test_a_float_s_text_is_not_taken_for_the_rest_of_a_sentence() -> None:
    head = [made(["nodes edges classes features"], [Look(10.0, True)], (SECOND, 90, END, 102), 100, 1)]
    cells = [
        full("57.22% 57.26%", 112 + 12 * i, x=SECOND + 90, right=SECOND + 150, block=2) for i in range(2)
    ]
    labels = [full(f"Layer {i}", 140 + 12 * i, x=SECOND, right=SECOND + 40, block=3) for i in range(3)]
    code = [full("Algorithm of all the instances that there are:", 200, x=SECOND, right=END, block=4)]
    for between in ([head], cells, labels, code, [*cells, *labels, *code]):
        assert f"{OPEN} {REST}" in columns(*between)


def test_a_sentence_that_a_formula_ends_takes_nothing_of_the_next_column() -> None:
    formula = span("f(x) = g(y),", LEFT + 90, 360)
    text = columns(
        [formula], rest=full("Capitals begin another paragraph of this page", 300, x=SECOND, right=END)
    )
    assert f"{OPEN}\nf(x) = g(y),\nCapitals" in text


def test_a_short_last_line_of_words_at_a_column_s_top_is_no_label() -> None:
    rest = span("the likelihood of these", SECOND, 300)
    text = text_of(
        page(
            1,
            *filler(100, 20, 0),
            full(OPEN, 340),
            [rest],
            [span("p(x) = q", SECOND + 90, 325)],
            *filler(350, 10, 9, x=SECOND, right=END),
        )
    )
    assert f"{OPEN} the likelihood of these\np(x) = q" in text


def test_what_a_note_over_two_pages_moves_may_itself_go_on() -> None:
    """The note's halves lie around the end of the body's sentence, which goes on as the note does."""
    note = full("1 A note that is as long as this one is goes on", 700, size=8.0, block=5)
    end = full("over the page, where it comes to its end.", 700, size=8.0, block=7)
    first = page(1, *filler(100, 20, 0), note, *filler(100, 10, 3, x=SECOND, right=END), full(
        OPEN, 220, x=SECOND, right=END, block=3
    ))  # fmt: skip
    found = result(first, page(2, full(REST, 100, block=6), *filler(112, 10, 6), end))
    assert f"{OPEN} {REST}" in found.text
    assert "this one is goes on over the page" in found.text
    assert found.page_starts[1] > found.text.index(OPEN)


def test_an_enumeration_within_a_sentence_begins_no_paragraph() -> None:
    text = text_of(
        page(
            1,
            *filler(100, 5, 0),
            full("We show in all that follows here that it can", 160, block=1),
            full("(i) accelerate the search, and that it will", 172, block=2),
            full("(ii) find what there is.", 184, block=2),
        )
    )
    assert "that it can (i) accelerate the search, and that it will (ii) find" in text
    listed = [full("It has two merits:", 160, block=1), full("(a) it is quick, and", 172, block=2)]
    assert "merits:\n(a) it is" in text_of(page(1, *filler(100, 5, 0), *listed))


def test_addresses_in_notes_do_not_take_the_next_note() -> None:
    notes = []
    for number in (4, 5):
        y = 680 + 12 * number
        looks = [Look(6.0), Look(8.0, mono=True)]
        notes.append([made([str(number), "http://example.org/"], looks, (LEFT, y - 8, 150, y + 2), y - 3, 3)])
    text = text_of(page(1, *filler(100, 10, 0), *notes))
    assert "\n4 http://example.org/\n5 http://example.org/\n" in text


@pytest.mark.parametrize(
    ("words", "before", "after", "kept"),
    [
        ("Lipschitz functions", "L-", "Lipschitz", True),
        ("relative errors", "α-", "relative", True),
        ("other names", "Y-", "oram", False),
    ],
)
def test_one_letter_keeps_its_hyphen_before_a_word(words: str, before: str, after: str, kept: bool) -> None:
    assert Vocabulary([words]).keeps_hyphen(before, after) is kept


def test_ranks_of_a_table_are_no_line_numbers() -> None:
    rows = [
        line(
            span(f"Player {chr(65 + i)}", LEFT, 300 + 12.0 * i),
            span(str(i + 1), 150, 300 + 12.0 * i),
            span(f"{1800 - 7 * i}", 200, 300 + 12.0 * i),
        )
        for i in range(18)
    ]
    text = text_of(page(1, heading("1 Introduction", 80, 0), *filler(100, 10, 0), *rows))
    assert "Player C 3 1786\n" in text


def test_a_column_s_edge_is_known_from_other_pages() -> None:
    """Beside a long front matter a page has too few full lines to tell where its left column ends."""
    front = [
        full("Names of authors and their addresses over both columns", 100 + 12 * i, right=END)
        for i in range(4)
    ]
    few = [full("Only two lines of the text find room here, and", 640), full(OPEN, 652)]
    notice = full("A notice stands below them.", 690, size=8.0, block=5)
    first = page(1, *front, *few, notice, full(REST, 300, x=SECOND, right=END, block=9))
    others = [page(n, *filler(100, 40, 0), *filler(100, 40, 1, x=SECOND, right=END)) for n in (2, 3)]
    assert f"find room here, and {OPEN} {REST}" in text_of(first, *others)


def test_a_sentence_about_an_algorithm_is_no_box() -> None:
    """It is prose, which goes on in the next column; a title is no full line, or goes on in capitals."""
    told = [full("Algorithm 1 describes all of this in more detail", 360, block=2), full(OPEN, 372, block=2)]
    rest = [full(REST, 300, x=SECOND, right=END, block=9)]
    text = text_of(page(1, *filler(100, 20, 0), *told, *rest, *filler(312, 10, 9, x=SECOND, right=END)))
    assert f"more detail {OPEN} {REST}" in text


def test_prose_below_a_box_is_not_in_it() -> None:
    box = [
        line(span("Algorithm 1 Search", LEFT, 100), block=1),
        full("Input: all of the instances that there are, and", 115, block=1),
        line(span("1: return x", LEFT, 127), block=1),
    ]
    prose = [*filler(146, 3, 2), line(span("and ends.", LEFT, 182), block=2), *filler(200, 12, 3)]
    found = [part for part in text_of(page(1, *box, *prose)).split("\n") if part]
    assert found[0] == "Algorithm 1 Search"
    assert found[1].startswith("Input: all")
    assert found[2] == "1: return x"
    assert found[3].endswith("here and ends.")


def test_a_note_does_not_come_between_a_heading_and_its_paragraph() -> None:
    note = full("1 A note that stands below.", 700, size=8.0, block=5)
    first = page(1, *filler(100, 20, 0), heading("2 Method", 370, 1), full(OPEN, 390, block=2), note)
    text = text_of(first, page(2, full(REST, 100, block=6), *filler(112, 10, 6)))
    assert f"\n1 A note that stands below.\n2 Method\n{OPEN} {REST}" in text


def test_a_run_in_heading_at_a_column_s_end_is_no_section_s() -> None:
    bold = [
        made(
            ["Low-rank approximation of nets. Reducing"], [Look(10.0, True)], (LEFT, 350, RIGHT, 362), 360, 1
        )
    ]
    rest = [full(REST, 100, x=SECOND, right=END, block=9)]
    above = [*filler(100, 20, 0), full("It comes to its end at the edge.", 340)]
    found = result(page(1, *above, bold, *rest, *filler(112, 10, 9, x=SECOND, right=END)))
    assert f"approximation of nets. Reducing {REST}" in found.text
    assert all("Low-rank" not in section.title for section in found.sections)
