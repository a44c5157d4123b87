"""Figures: what they show, that they are the same every time, and what a wrong request is told."""

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from reprocensus.analysis import Store, open_store
from reprocensus.corrections import save
from reprocensus.errors import UsageError
from reprocensus.plots import KINDS, draw, kinds
from reprocensus.plots.data import Corrections, corrections, n_empirical, score_counts, select_of, shares
from reprocensus.plots.figure import INK, WIDTHS, Look, ink_on, shade, style
from reprocensus.schemas import load_table
from reprocensus.settings import Settings
from reprocensus.storage import open_storage
from reprocensus.tables import Tables
from test_analysis import EDITIONS, fill, fill_two_engines

DRAWN = ["trend", "scores", "heatmap"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    root = str(tmp_path_factory.mktemp("plots"))
    fill(root)
    return open_store(root)


@pytest.mark.parametrize("kind", DRAWN)
@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_the_same_store_gives_the_same_bytes(store: Store, tmp_path: Path, kind: str, suffix: str) -> None:
    first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    draw(store, kind, first)
    draw(store, kind, second, force=True)
    assert first.read_bytes() == second.read_bytes()
    head = first.read_bytes()[:200]
    assert head.startswith(b"\x89PNG") if suffix == ".png" else b"<?xml" in head
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_shares_are_those_of_the_table(store: Store) -> None:
    selection = select_of(store, (), ("open_datasets",))
    table = store["venue_statistics"].filter(variable="open_datasets").collect()
    ours = shares(store, selection, ("venue", "year"))
    same = table.select("venue", "year", n="n_judged", share="share", low="ci_low", high="ci_high")
    assert_frame_equal(ours.select(same.columns), same.sort("venue", "year"), check_exact=True)
    pooled = shares(store, selection, ())
    assert pooled["n"].sum() == ours["n"].sum()


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Store:
    root = str(tmp_path_factory.mktemp("two"))
    fill_two_engines(root)
    tables = Tables(open_storage(root, Settings()))
    for number, edition in enumerate(EDITIONS):
        rows = [corrected_row(e, number, "ppi" if number < 2 else "confusion") for e in ("rules", "census")]
        save(tables, [{**row, "venue": edition.venue, "year": edition.year} for row in rows])
    return open_store(root)


def corrected_row(engine: str, number: int, method: str) -> dict[str, object]:
    """A row of corrected_statistics; `number` and engine tell it from others."""
    share = (0.5 if engine == "rules" else 0.2) + number / 100
    row: dict[str, object] = {c.name: share for c in load_table("corrected_statistics").columns}
    own = {"engine": engine, "variable": "open_datasets", "method": method, "warnings": []}
    return {**row, "n_judged": 1, "n_labelled": 1, "n_labelled_here": 1, **own}


def test_a_figure_is_of_one_engine(two: Store, tmp_path: Path) -> None:
    table = two["venue_statistics"].filter(variable="open_datasets").collect()
    for engine, n in (("rules", 3), ("census", 1)):
        selection = select_of(two, (), ("open_datasets",), engine)
        mine = table.filter(pl.col("n_judged") > 0, engine=engine).sort("venue", "year")
        ours = shares(two, selection, ("venue", "year"))
        assert ours["n"].to_list() == mine["n_judged"].to_list()
        assert ours["n_yes"].to_list() == mine["n_yes"].to_list()
        empirical = two["edition_scores"].filter(engine=engine).collect()["n_empirical"].sum()
        assert score_counts(two, selection)["n"].sum() == n_empirical(two, selection) == empirical > 0
        assert len(selection.venues) == n
        figure = KINDS["heatmap"](two, selection, Look(WIDTHS["column"]))
        words = " ".join(text.get_text().replace("\n", " ") for text in figure.texts)
        assert {"rules": "rules (v1)", "census": "census (m)"}[engine] in words
    with pytest.raises(UsageError, match=r"'gpt' has no verdicts here.*census, rules"):
        draw(two, "trend", tmp_path / "figure.svg", engine="gpt")


def test_corrections_are_of_editions_with_labels_of_their_own_if_there_are_any(two: Store) -> None:
    found = corrections(two, select_of(two, (), ("open_datasets",), "rules"))
    assert [(row["venue"], row["year"], row["raw"]) for row in found.rows] == [("ICML", 2016, 0.51)]
    assert found.about == "ICML 2016, from papers of these editions that people labelled."
    found = corrections(two, select_of(two, ("SOLO",), ("open_datasets",), "rules"))
    assert [(row["venue"], row["raw"]) for row in found.rows] == [("SOLO", 0.53)]
    assert "other editions" in found.about
    found = corrections(two, select_of(two, (), ("open_datasets",), "census"))
    assert [row["raw"] for row in found.rows] == [pytest.approx(0.21)]
    with pytest.raises(UsageError, match="no share of these venues was corrected"):
        corrections(two, select_of(two, (), ("pseudocode",), "rules"))


def test_scores_count_every_empirical_paper_once(store: Store) -> None:
    counts = score_counts(store, select_of(store, (), ()))
    n = store["edition_scores"].collect()["n_empirical"].sum()
    assert counts["n"].sum() == n > 0
    assert counts["score"].is_between(0, 7).all()


def test_a_figure_says_how_many_papers_and_whose_labels(store: Store) -> None:
    for kind in DRAWN:
        figure = KINDS[kind](store, select_of(store, (), ()), Look(WIDTHS["column"], "From somewhere."))
        words = " ".join(text.get_text().replace("\n", " ") for text in figure.texts)
        assert "n = " in words
        assert "empirical papers" in words
        assert "rules (v1)" in words
        assert "From somewhere." in words
        assert figure.get_size_inches()[0] == WIDTHS["column"]


def test_a_trend_has_a_panel_a_venue_or_a_panel_a_variable(store: Store) -> None:
    one = kinds.trend(store, select_of(store, (), ("open_datasets",)), Look(WIDTHS["page"]))
    assert [axes.get_title(loc="left") for axes in one.axes] == ["ICML", "O'Hare \u00dcber", "SOLO"]
    many = kinds.trend(store, select_of(store, ("ICML",), ()), Look(WIDTHS["page"]))
    assert len(many.axes) == 7


def test_text_does_not_leave_the_figure(store: Store) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    for kind in DRAWN:
        for width in WIDTHS.values():
            with style():
                figure = KINDS[kind](store, select_of(store, (), ()), Look(width))
                FigureCanvasAgg(figure)
                box = figure.get_tightbbox()
            assert box.x0 >= -0.01
            assert box.y0 >= -0.01
            assert box.x1 <= width + 0.01
            assert box.y1 <= figure.get_size_inches()[1] + 0.01


def test_corrected_shares_stand_beside_the_raw_ones(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The drawing alone: the rows are made up."""
    intervals = {"raw": 0.8, "raw_low": 0.7, "raw_high": 0.9, "corrected": 0.6, "low": 0.4, "high": 0.8}
    rows = tuple({"venue": "ICML", "title": title, **intervals} for title in ("Pseudocode", "Open datasets"))
    monkeypatch.setattr(kinds, "corrections", lambda *_: Corrections(rows, "ICML, 2016."))
    with style():
        figure = kinds.corrected(store, select_of(store, (), ()), Look(WIDTHS["column"]))
    (axes,) = figure.axes
    drawn = [list(line.get_xdata()) for line in axes.lines]  # type: ignore[arg-type]
    assert drawn == [[70, 90], [80], [40, 80], [60]] * 2
    assert [label.get_text() for label in axes.get_yticklabels()] == ["Pseudocode", "Open datasets"]
    assert "ICML, 2016." in figure.texts[1].get_text()


def test_numbers_stand_out_from_their_cells() -> None:
    def luminance(colour: tuple[float, ...]) -> float:
        parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    shades = [shade(i / 20) for i in range(21)]
    lights = [luminance(colour) for colour in shades]
    assert lights == sorted(lights, reverse=True)
    for colour, light in zip(shades, lights, strict=True):
        ink = 1.0 if ink_on(colour) == "white" else 0.0
        assert (max(light, ink) + 0.05) / (min(light, ink) + 0.05) >= 4.5
    assert INK.startswith("#")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"kind": "pie"}, "kinds are trend"),
        ({"venues": ("ICMl",)}, "no venue ICMl.*it has ICML"),
        ({"variables": ("code",)}, "unknown variable code"),
        ({"width": "wide"}, "widths are column"),
        ({"out": "figure.gif"}, "must end in .svg or .png"),
    ],
)
def test_a_wrong_request_is_told_what_there_is(
    store: Store, tmp_path: Path, options: dict[str, str], told: str
) -> None:
    request: dict[str, object] = {"kind": "trend", "out": "figure.svg", **options}
    out = tmp_path / str(request.pop("out"))
    with pytest.raises(UsageError, match=told):
        draw(store, str(request.pop("kind")), out, **request)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_a_file_is_not_written_over_unasked(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "figure.svg"
    out.write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        draw(store, "heatmap", out)
    assert out.read_text() == "mine"
    draw(store, "heatmap", out, force=True)
    assert "<svg" in out.read_text()
