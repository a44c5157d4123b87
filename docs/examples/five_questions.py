"""Five questions to a store of judged papers: five_questions.py [STORE] [--engine NAME] [--figures FOLDER].

Without STORE it asks what `REPROCENSUS_STORE` names, or ./data; without --engine, the store's only engine or
the one of the settings. The answers describe labels as the judge gave them; docs/statistics.md says how to
correct them for the judge's errors.
"""

import argparse
from functools import partial
from pathlib import Path

import polars as pl

import reprocensus
from reprocensus.analysis import Store
from reprocensus.analysis.views import quoted
from reprocensus.plots import draw

#: NeurIPS asked authors for a reproducibility checklist from 2019 on (Pineau et al. 2021, JMLR 22).
CHECKLISTS = {"NeurIPS": 2019}


def fastest_in_sharing_code(store: Store, engine: str) -> pl.DataFrame:
    """1. Which venue improved fastest in sharing code? Percentage points a year, least squares over years."""
    return store.sql(f"""
        SELECT venue, 100 * regr_slope(share, year) AS points_a_year,
            min(year) AS first_year, 100 * arg_min(share, year) AS first_share,
            max(year) AS last_year, 100 * arg_max(share, year) AS last_share
        FROM venue_statistics
        WHERE engine = {quoted(engine)} AND variable = 'open_source_code' AND share IS NOT NULL
        GROUP BY venue ORDER BY points_a_year DESC NULLS LAST, venue
    """)


def hardware_by_year(store: Store, engine: str) -> pl.DataFrame:
    """2. How many empirical papers name their hardware, by year? In percent, with the best venue."""
    statistics = store["venue_statistics"].filter(engine=engine, variable="hardware_specification")
    return (
        statistics.filter(pl.col("n_judged") > 0)
        .group_by("year")
        .agg(
            n=pl.col("n_judged").sum(),
            share=100 * pl.col("n_yes").sum() / pl.col("n_judged").sum(),
            best_venue=pl.col("venue").sort_by("share", "venue").last(),
            best_share=100 * pl.col("share").max(),
        )
        .sort("year")
        .collect()
    )


def industry(store: Store, engine: str) -> pl.DataFrame:
    """3. Does industry document less? Mean documentation score by affiliation, and within the same edition.

    `against_academia` compares with academia's mean of the same venue and year, weighted by the papers of the
    affiliation, so that a venue that grew late does not pass for an effect of who writes.
    """
    return store.sql(f"""
        WITH papers_of AS (
            SELECT venue, year, researcher_affiliation AS affiliation, documentation_score AS score
            FROM judged_papers WHERE engine = {quoted(engine)}
                AND documentation_score IS NOT NULL AND researcher_affiliation IS NOT NULL
        ), academia AS (
            SELECT venue, year, avg(score) AS mean FROM papers_of WHERE affiliation = 'Academia' GROUP BY ALL
        )
        SELECT affiliation, count(*) AS n, avg(score) AS mean_score,
            1.96 * stddev_samp(score) / sqrt(count(*)) AS plus_minus, avg(score - mean) AS against_academia
        FROM papers_of LEFT JOIN academia USING (venue, year)
        GROUP BY affiliation ORDER BY n DESC, affiliation
    """)


def scores_over_the_years(store: Store, engine: str) -> pl.DataFrame:
    """4. How is the documentation score spread, and how did that change?"""
    return store.sql(f"""
        SELECT year, count(*) AS n, avg(documentation_score) AS mean, median(documentation_score) AS median,
            quantile_cont(documentation_score, 0.25) AS lower_quartile,
            quantile_cont(documentation_score, 0.75) AS upper_quartile,
            100 * avg((documentation_score >= 5)::INT) AS five_or_more
        FROM judged_papers WHERE engine = {quoted(engine)} AND documentation_score IS NOT NULL
        GROUP BY year ORDER BY year
    """)


def code_and_data_around_checklists(store: Store, engine: str) -> pl.DataFrame:
    """5. Are code and data both open more often since a checklist? In percent, and the same years elsewhere.

    Sharing rises everywhere, so only what a venue gained beyond the others in the same years speaks for its
    checklist, and even that is no proof.
    """
    rows = []
    for venue, since in CHECKLISTS.items():
        frame = store.sql(f"""
            SELECT venue = {quoted(venue)} AS has_checklist, year >= {since} AS since,
                100 * avg((open_source_code = 'Yes' AND open_datasets = 'Yes')::INT) AS both, count(*) AS n
            FROM judged_papers WHERE engine = {quoted(engine)} AND research_type = 'Experimental' GROUP BY ALL
        """)
        found = {(has, after): (both, n) for has, after, both, n in frame.iter_rows()}
        for has, who in ((True, venue), (False, "all others")):
            before, after = found.get((has, False), (None, 0)), found.get((has, True), (None, 0))
            gain = None if before[0] is None or after[0] is None else after[0] - before[0]
            rows.append((who, since, before[0], after[0], gain, before[1], after[1]))
    columns = ["venue", "since", "before", "after", "gain", "n_before", "n_after"]
    return pl.DataFrame(rows, schema=columns, orient="row")


QUESTIONS = (
    fastest_in_sharing_code,
    hardware_by_year,
    industry,
    scores_over_the_years,
    code_and_data_around_checklists,
)


def draw_figures(store: Store, engine: str, folder: Path, source: str) -> None:
    """The figures of the README: code by venue, all seven variables, scores, venues beside each other.

    Where labels by people corrected anything, raw against corrected too.
    """
    folder.mkdir(parents=True, exist_ok=True)
    draw_one = partial(draw, store, engine=engine, source=source, force=True)
    draw_one("trend", folder / "code.svg", variables=["open_source_code"])
    draw_one("trend", folder / "variables.svg", width="page")
    draw_one("scores", folder / "scores.svg")
    draw_one("heatmap", folder / "heatmap.svg")
    if store["corrected_statistics"].filter(engine=engine).collect().height:
        draw_one("corrected", folder / "corrected.svg")


def main() -> None:
    """Prints the answers, and draws the figures where a folder is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("store", nargs="?", help="path or URI of the store")
    parser.add_argument("--engine", help="whose verdicts, where several engines judged")
    parser.add_argument("--figures", type=Path, help="folder for SVG files")
    parser.add_argument("--source", default="", help="words to add to the figures' source line")
    options = parser.parse_args()
    store = reprocensus.open(options.store)
    engine = store.choose_engine(options.engine)
    with pl.Config(tbl_rows=30, tbl_cols=10, float_precision=2, tbl_hide_dataframe_shape=True):
        for question in QUESTIONS:
            print((question.__doc__ or "").splitlines()[0], question(store, engine), "", sep="\n")
    if options.figures:
        draw_figures(store, engine, options.figures, options.source)


if __name__ == "__main__":
    main()
