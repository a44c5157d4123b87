"""Every saved page of ../shared/listings against the census' own lists; what differs is explained one by one.

    make test ARGS="tests/test_listings_shared.py -s"

prints, per file, rows expected, matched (title and PDF URL equal), missing and extra. Missing is what is
expected and stands in no track of ours, extra is what our main tracks have and is not expected.
"""

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from reprocensus.keys import slug
from reprocensus.sources import SourceOptions, list_edition
from reprocensus.sources.html import collapse

pytestmark = pytest.mark.corpus

Entry = tuple[str, str]


@dataclass(frozen=True)
class Explained:
    """Differences of one file that were examined. Numbers are of papers; `why` stands in docs/sources.md.

    `moved`: the same title with another PDF URL. `missing`, `extra`: slugs of titles, or how many there are.
    """

    moved: int = 0
    missing: tuple[str, ...] | int = ()
    extra: tuple[str, ...] | int = ()
    why: str = ""


#: Source word, year -> what differs. An edition that is not here must not differ.
EXPLAINED: dict[tuple[str, int], Explained] = {
    ("aaai", 2017): Explained(
        missing=(
            "a_unified_convex_surrogate_for_the_schatten_pnorm",
            "grid_pathfinding_on_the_2kneighborhoods",
            "improving_efficiency_of_svmk_fold_cross_validation_by_alpha_seeding",
            "inductive_pairwise_ranking_going_beyond_thenlog_n_barrier",
        ),
        extra=(
            "a_unified_convex_surrogate_for_the_schatten_p_norm",
            "grid_pathfinding_on_the_2k_neighborhoods",
            "improving_efficiency_of_svm_k_fold_cross_validation_by_alpha_seeding",
            "inductive_pairwise_ranking_going_beyond_the_n_log_n_barrier",
        ),
        why="theirs lost the spaces around italics",
    ),
    ("aaai", 2019): Explained(
        moved=3,
        why="2 of theirs are viewers of the journal system, where the page has files; 1 title lost a space",
    ),
    ("ijcai", 2015): Explained(
        missing=("generating_1",),
        extra=(
            "bayesian_active_learning_for_posterior_estimation",
            "generating_1_f_noise_sequences_as_constraint_satisfaction_the_voss_constraint",
            "reasonable_highly_expressive_query_languages",
            "recursive_decomposition_for_nonconvex_optimization",
        ),
        why="theirs cuts a title at its slash, and misses three papers with an award printed above",
    ),
    ("iclr", 2014): Explained(
        moved=1,
        extra=("unit_tests_for_stochastic_optimization",),
        why="theirs has 1312.5940.pdf.pdf, and misses two entries that start no paragraph: one conference "
        "paper, and one workshop paper, which is in our side tracks",
    ),
    ("iclr", 2024): Explained(moved=2260, why="theirs has OpenReview's PDFs, the page the proceedings' own"),
}
FOLDERS = {"AAAI": "aaai", "ICLR": "iclr", "ICML": "icml", "IJCAI": "ijcai", "NeurIPS": "neurips"}
EDITIONS = [
    ("AAAI", 2014),
    ("AAAI", 2017),
    ("AAAI", 2019),
    ("ICLR", 2014),
    ("ICLR", 2015),
    ("ICLR", 2016),
    ("ICLR", 2024),
    ("ICML", 2014),
    ("ICML", 2017),
    ("ICML", 2020),
    ("ICML", 2023),
    ("ICML", 2024),
    ("IJCAI", 2015),
    ("IJCAI", 2017),
    ("IJCAI", 2019),
    ("IJCAI", 2022),
    ("NeurIPS", 2014),
    ("NeurIPS", 2019),
    ("NeurIPS", 2021),
    ("NeurIPS", 2022),
    ("NeurIPS", 2024),
]


def ours(shared: Path, word: str, year: int, tracks: str) -> Counter[Entry]:
    options = SourceOptions(tracks=tracks, listing=(str(shared / "listings" / word),))
    listing = list_edition(f"{word}/{year}", options)
    # Only what the folder's other pages are may be wrong: each problem is a page's, named by its address.
    assert not [p for p in listing.problems if p.kind != "login"], listing.problems
    assert len({paper.paper_id for paper in listing.papers}) == len(listing.papers)
    return Counter((paper.title, paper.pdf_url or "") for paper in listing.papers)


def theirs(shared: Path, venue: str, year: int) -> Counter[Entry]:
    path = shared / "listings" / "expected" / f"{venue}_{year}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        # Some of their addresses have spaces, which may not stand in one: ours have them encoded.
        return Counter(
            (collapse(row["Title"]), row["PDF_URL"].strip().replace(" ", "%20"))
            for row in csv.DictReader(file)
        )


def titles(entries: Counter[Entry]) -> Counter[str]:
    count: Counter[str] = Counter()
    for (title, _), n in entries.items():
        count[slug(title)] += n
    return count


@pytest.mark.parametrize(("venue", "year"), EDITIONS)
def test_what_is_expected_is_listed(shared: Path, venue: str, year: int) -> None:
    word = FOLDERS[venue]
    expected = theirs(shared, venue, year)
    every, main = ours(shared, word, year, "all"), ours(shared, word, year, "main")
    matched = sum((expected & every).values())
    missing = titles(expected) - titles(every)
    extra = titles(main) - titles(expected)
    moved = expected.total() - matched - missing.total()
    print(
        f"\n{venue} {year}: {expected.total()} expected, {matched} matched, {moved} with another PDF URL, "
        f"{missing.total()} missing, {extra.total()} extra; {main.total()} main, {every.total()} in all"
    )
    known = EXPLAINED.get((word, year), Explained())
    assert moved == known.moved, [entry for entry in expected - every if not missing[slug(entry[0])]][:5]
    check(missing, known.missing)
    check(extra, known.extra)


def check(found: Counter[str], known: tuple[str, ...] | int) -> None:
    """What differs is what was explained, neither more nor less."""
    if isinstance(known, int):
        assert found.total() == known, list(found)[:10]
    else:
        assert sorted(found.elements()) == sorted(known)


@pytest.mark.parametrize("source", ["neurips/2025", "aistats/2017"])
def test_pages_without_a_list_to_compare_with(shared: Path, source: str) -> None:
    """Counts that the pages themselves state: "5823 papers"; one post a paper."""
    folders = {"neurips/2025": ("neurips", 5823), "aistats/2017": ("pmlr_v54", 167)}
    folder, n = folders[source]
    options = SourceOptions(tracks="all", listing=(str(shared / "listings" / folder),))
    listing = list_edition(source, options)
    assert not listing.problems
    assert len(listing.papers) == n
