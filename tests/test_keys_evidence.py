"""Digests and quotes."""

import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprocensus.evidence import locate, page_at, verify
from reprocensus.keys import digest, slug, verdict_key
from reprocensus.records import Answer, Claim, Document, Extracted, Match, Section, SectionKind


def document(text: str, page_starts: tuple[int, ...] = (0,)) -> Document:
    section = Section(SectionKind.BODY, "", 0, len(text))
    return Document("p", "0", digest(text), Extracted(text, page_starts, "", (section,), (), "x", "1"))


def test_a_verdict_key_changes_with_each_of_its_parts() -> None:
    parts = ["text", "variable", "sha", "prompt", "engine", "model"]
    keys = {verdict_key(*(p + "'" if i == n else p for i, p in enumerate(parts))) for n in range(-1, 6)}
    assert len(keys) == 7


def test_digests_take_what_broken_pdfs_yield() -> None:
    assert digest("a\ud800b") != digest("ab")


@pytest.mark.parametrize(
    ("text", "expected"), [("Énergie & Co: A–B", "energie_co_a_b"), ("日本", ""), ("", "")]
)
def test_slugs_are_plain_ascii(text: str, expected: str) -> None:
    assert slug(text) == expected


@given(st.text(), st.data())
def test_what_is_located_stands_at_its_offsets(text: str, data: st.DataObject) -> None:
    doc = document(text)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    quote = locate(doc, Claim(text[start:end]))
    if text[start:end].strip():
        assert quote is not None
        assert quote.match is Match.EXACT
        assert quote.text == text[quote.start : quote.end] == text[start:end].strip()
    else:
        assert quote is None


@given(st.text(alphabet=string.ascii_lowercase + " ", min_size=1))
def test_nothing_invented_is_located(text: str) -> None:
    assert locate(document(text), Claim("Ω" + text)) is None


def test_the_place_an_engine_names_wins_over_the_first() -> None:
    doc = document("same words. other. same words.")
    assert (quote := locate(doc, Claim("same words.", 19))) is not None and quote.start == 19
    assert (quote := locate(doc, Claim("same words.", 3))) is not None and quote.start == 0


def test_a_quote_that_differs_in_form_alone_is_given_as_it_stands() -> None:
    doc = document("We use the “ﬁrst”\nset — once.")
    quote = locate(doc, Claim('we use the "first" set - once.'))
    assert quote is not None
    assert quote.match is Match.NORMALISED
    assert quote.text == doc.text


def test_pages_count_from_one_and_skip_those_without_text() -> None:
    starts = (0, 10, 10, 20)
    assert [page_at(starts, offset) for offset in (0, 9, 10, 19, 20, 99)] == [1, 1, 3, 3, 4, 4]


def test_missing_quotes_are_counted_and_equal_ones_kept_once() -> None:
    quotes, missing = verify(document("one two"), Answer("Yes", (Claim("one"), Claim("one"), Claim("six"))))
    assert [q.text for q in quotes] == ["one"]
    assert missing == 1


def test_looking_for_a_quote_that_is_not_there_is_quick() -> None:
    doc = document("lorem ipsum dolor " * 20_000)
    started = time.perf_counter()
    assert locate(doc, Claim("lorem ipsum lorem")) is None
    assert time.perf_counter() - started < 5
