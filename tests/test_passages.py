"""Passages: quotes found on their pages, drawn, and marked in a PDF that does no harm."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pymupdf as _pymupdf
import pytest
from PIL import Image

import hostile
from conftest import ROOT, make_pdf
from reprocensus.errors import ExtractError
from reprocensus.extract import extract
from reprocensus.passages import COLOURS, Mark
from reprocensus.passages.marks import context
from reprocensus.passages.pdf import AUTHOR, marked, pictures
from reprocensus.passages.places import PageWords, Word, find, letters_of
from reprocensus.passages.workers import PassagePool
from reprocensus.sentences import sentence_spans

pymupdf: Any = _pymupdf


def page_of(*lines: str) -> PageWords:
    """A page with these lines, a word every 10 points."""
    words = [
        Word(10.0 * n, 20.0 * at, 10.0 * n + 9, 20.0 * at + 10, text, (0, at))
        for at, line in enumerate(lines)
        for n, text in enumerate(line.split())
    ]
    return PageWords(words)


def found_words(page: PageWords, quote: str, before: str = "", after: str = "") -> str:
    place = find({1: page}, quote, 1, before, after)
    return " ".join(page.words[n].text for n in place.words.get(1, ()))


@pytest.mark.parametrize(
    ("lines", "quote", "expected"),
    [
        (("We use the data set", "of Smith."), "the data set of Smith", "the data set of Smith."),
        (("We regu-", "larise it."), "We regularise it.", "We regu- larise it."),
        (("eﬃcient ﬁelds win",), "efficient fields", "eﬃcient ﬁelds"),
        (("rate 10 −4 is", "used"), "rate 10^-4 is used", "rate 10 −4 is used"),
        (("at https://a.org/", "b/c here"), "at https://a.org/b/c", "at https://a.org/ b/c"),
        (("Universit´e de Gen`eve",), "Université de Genève", "Universit´e de Gen`eve"),
    ],
)
def test_a_quote_is_found_however_it_was_typeset(lines: tuple[str, ...], quote: str, expected: str) -> None:
    assert found_words(page_of(*lines), quote) == expected


def test_a_quote_around_a_figure_is_found_in_pieces() -> None:
    page = page_of("All our experiments ran on", "Figure 3: A plot of loss", "a single V100 card of NVIDIA.")
    quote = "All our experiments ran on a single V100 card of NVIDIA."
    assert "Figure" not in found_words(page, quote)
    assert letters_of(found_words(page, quote)) == letters_of(quote)
    assert len(page.rects(find({1: page}, quote, 1).words[1])) == 2


def test_of_equal_words_those_beside_the_same_words_are_meant() -> None:
    page = page_of("see Algorithm 1 for more", "Algorithm 1 Training loop")
    place = find({1: page}, "Algorithm 1", 1, before="for more ", after=" Training loop")
    assert [page.words[n].line[1] for n in place.words[1]] == [1, 1]


def test_a_quote_over_two_pages_is_found_on_both() -> None:
    pages = {
        1: page_of("other words here", "We train for a hundred"),
        2: page_of("epochs with a batch of 64", "x"),
    }
    place = find(pages, "We train for a hundred epochs with a batch of 64", 1)
    assert set(place.words) == {1, 2}
    assert place.share == 1


def test_what_does_not_stand_there_is_not_found() -> None:
    page = page_of("Nothing of the kind is said on this page at all")
    assert find({1: page}, "We used eight NVIDIA A100 graphics cards", 1).share < 0.2
    assert find({}, "We used eight NVIDIA A100 graphics cards", 1).share == 0


def sentences(text: str, step: int) -> Iterator[tuple[int, int]]:
    spans = [(a, b) for a, b in sentence_spans(text) if 60 < b - a < 400]
    yield from spans[::step]


@pytest.mark.parametrize("name", ["AISTATS-2018", "CoRL-2019", "ACL-2024"])
def test_sentences_of_real_papers_stand_under_their_marks(name: str) -> None:
    """Sentences of a sample's text, marked in its PDF, and the PDF's words read back under the marks."""
    rows = [json.loads(line) for line in (ROOT / "samples/manifest.jsonl").read_text("utf-8").splitlines()]
    file = next(row["file"] for row in rows if f"/{name}/" in row["file"])
    data = (ROOT / "samples" / file).read_bytes()
    text = extract(data)
    marks = []
    for number, (start, end) in enumerate(sentences(text.text, 6)):
        page = sum(1 for begin in text.page_starts if begin <= start)
        marks.append(Mark(text.text[start:end], page, *context(text.text, start, end), title=str(number)))
    under = letters_under_marks(marked(data, marks))
    good = sum(holds(under.get(mark.title, ""), letters_of(mark.text)) for mark in marks)
    assert len(marks) > 15
    assert good / len(marks) >= 0.97


def holds(letters: str, wanted: str) -> bool:
    """Whether nearly all stretches of ten letters stand in the others."""
    parts = [wanted[at : at + 10] for at in range(max(1, len(wanted) - 9))]
    return sum(part in letters for part in parts) >= 0.95 * len(parts)


def letters_under_marks(data: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    with pymupdf.open(stream=data) as pdf:
        for page in pdf:
            words: list[Any] = page.get_text("words")
            for mark in page.annots() or ():
                corners = mark.vertices
                boxes = [pymupdf.Quad(corners[n : n + 4]).rect for n in range(0, len(corners), 4)]
                inside = [w[4] for box in boxes for w in words if middle(w) in box]
                found[mark.info["subject"]] = found.get(mark.info["subject"], "") + letters_of(
                    " ".join(inside)
                )
    return found


def middle(word: Any) -> Any:
    return pymupdf.Point((word[0] + word[2]) / 2, (word[1] + word[3]) / 2)


MARK = Mark(
    "All experiments ran on a single NVIDIA V100 GPU.", 1, colour=COLOURS[6], title="Hardware", label="Yes",
    note="The hardware is named.",
)  # fmt: skip


def test_a_picture_shows_the_passage_in_its_colour() -> None:
    (picture,) = pictures(make_pdf(), [MARK])
    assert picture is not None
    assert (picture.page, picture.share) == (1, 1.0)
    image = Image.open(io.BytesIO(picture.data))
    assert (image.format, image.size) == ("WEBP", (picture.width, picture.height))
    wanted = tuple(int(MARK.colour[at : at + 2], 16) for at in (1, 3, 5))
    pixels: Any = image.convert("RGB").get_flattened_data()
    near = sum(all(abs(a - b) < 16 for a, b in zip(pixel, wanted, strict=True)) for pixel in pixels)
    assert 0.03 < near / len(pixels) < 0.5


def test_a_passage_that_is_not_there_has_no_picture() -> None:
    assert pictures(make_pdf(), [Mark("Something altogether different was written here", 1)]) == [None]
    assert pictures(make_pdf(), [Mark(MARK.text, 40)]) == [None]


def test_marks_say_who_what_and_why() -> None:
    with pymupdf.open(stream=marked(make_pdf(), [MARK], "A Title")) as pdf:
        (mark,) = list(pdf[0].annots())
        assert mark.info["title"] == AUTHOR
        assert mark.info["subject"] == "Hardware"
        assert mark.info["content"] == "Hardware: Yes\nThe hardware is named."
        assert [round(255 * channel) for channel in mark.colors["stroke"]] == [0x7F, 0xE3, 0xD4]
        assert pdf.metadata["title"] == "A Title"
    data = make_pdf()
    assert marked(data, [MARK]) == marked(data, [MARK]), "the same every time"


def test_a_marked_pdf_holds_no_scripts_files_or_actions() -> None:
    """Whatever a viewer would run, open or send is gone; links of the web and inside the paper stay."""
    script = b"<</S/JavaScript/JS(app.alert\\(1\\))>>"
    annotations = b"/Annots[%s]" % b"".join(
        b"<</Type/Annot/Subtype/%s/Rect[72 %d 200 %d]%s>>" % (kind, 600 - 20 * n, 615 - 20 * n, rest)
        for n, (kind, rest) in enumerate(
            [
                (b"Link", b"/A<</S/URI/URI(https://good.example/x)>>"),
                (b"Link", b"/A<</S/URI/URI(javascript:alert\\(1\\))>>"),
                (b"Link", b"/A<</S/URI/URI(file:///etc/passwd)>>"),
                (b"Link", b"/A<</S/Launch/F(calc.exe)>>"),
                (b"Link", b"/A<</S/GoToR/F(other.pdf)/D[0/Fit]>>"),
                (b"Link", b"/A" + script),
                (b"Link", b"/Dest[10 0 R/Fit]"),
                (b"Screen", b"/A" + script),
                (b"FileAttachment", b"/FS 1001 0 R"),
                (b"Widget", b"/FT/Tx/T(a)/AA<</K" + script + b">>"),
            ]
        )
    )
    data = hostile.document(
        hostile.stream(hostile.WORDS),
        page=annotations + b"/AA<</O" + script + b">>",
        catalog=b"/OpenAction%s/AA<</WC%s>>/AcroForm<</Fields[]/XFA(x)>>" % (script, script)
        + b"/Names<</JavaScript<</Names[(a)%s]>>/EmbeddedFiles<</Names[(b) 1001 0 R]>>>>" % script,
        more={1000: hostile.stream(b"MZ" * 50, b"/Type/EmbeddedFile"),
              1001: b"<</Type/Filespec/F(evil.exe)/EF<</F 1000 0 R>>>>"},
    )  # fmt: skip
    out = marked(data, [Mark("The method is evaluated on a public data set", 1)])
    with pymupdf.open(stream=out) as pdf:
        objects = "\n".join(pdf.xref_object(number) for number in range(1, pdf.xref_length()))
        assert [link.get("uri") or "inside" for link in pdf[0].get_links()] == [
            "https://good.example/x",
            "inside",
        ]
        assert len(list(pdf[0].annots())) == 1
        assert pdf.embfile_count() == 0
    for word in (
        "JavaScript",
        "Launch",
        "GoToR",
        "EmbeddedFile",
        "evil",
        "OpenAction",
        "/AA",
        "AcroForm",
        "file:",
    ):
        assert word not in objects, word


def test_an_encrypted_and_a_damaged_pdf_are_marked_too() -> None:
    with pymupdf.open(stream=make_pdf()) as pdf:
        locked = pdf.tobytes(encryption=pymupdf.PDF_ENCRYPT_AES_256, owner_pw="owner", user_pw="")
    cut = make_pdf().replace(b"startxref", b"startxxxx")
    for data in (locked, cut):
        assert letters_under_marks(marked(data, [MARK]))["Hardware"].startswith("allexperimentsran")
        assert pictures(data, [MARK])[0] is not None


@pytest.mark.parametrize("data", [b"", b"<html>", b"%PDF-1.7\nnothing"])
def test_what_is_no_pdf_is_said_so(data: bytes) -> None:
    with pytest.raises(ExtractError):
        pictures(data, [MARK])


def test_a_pdf_that_costs_too_much_costs_its_pictures_alone() -> None:
    """A page that takes for ever to draw ends with the limit, and the pool goes on."""
    heavy = hostile.document(hostile.stream(hostile.WORDS + b"0 0 m 9 9 l S\n" * 60_000_000, times=2))
    with PassagePool(1, timeout_s=2) as pool:
        with pytest.raises(ExtractError, match=r"longer than|more than"):
            pool.pictures(heavy, [Mark("The method is evaluated on a public data set", 1)])
        assert pool.pictures(make_pdf(), [MARK])[0] is not None
        assert pool.marked(make_pdf(), [MARK]).startswith(b"%PDF-")


def test_colours_differ_and_black_type_is_read_on_them() -> None:
    assert len(set(COLOURS)) == len(COLOURS) == 9
    for colour in COLOURS:
        red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
        assert 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2 > 0.4


def test_pages_mark_a_variable_in_the_colour_of_its_pictures() -> None:
    sheet = (ROOT / "src/reprocensus/site/static/site.css").read_text("utf-8")
    for number, colour in enumerate(COLOURS, start=1):
        assert f"--v{number}: light-dark({colour}," in sheet
