"""The plan: what is done is not done again, what changed is."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from reprocensus.plan import Judging, Plan, extract_attempt, fetch_attempt, make_plan, recheck_attempt
from reprocensus.prompt import DEFAULT_QUOTING, Quoting, prompt_sha
from reprocensus.records import Edition, Paper, SectionKind
from reprocensus.schemas import load_table, load_variables
from reprocensus.state import EditionState
from reprocensus.tables import frame_of
from reprocensus.variables import TextWanted, Variable

EDITION = Edition("V", 2020)
VARIABLES = load_variables()
ALL = len(VARIABLES)
JUDGING = Judging(VARIABLES, "e", "m", "x1")
NOW = datetime.now(UTC)
PAPER = Paper("p", EDITION, "Title", "s", "/p.pdf", ("A",))


def paper_row(**changes: Any) -> dict[str, Any]:
    row = dict.fromkeys((c.name for c in load_table("papers").columns), None)
    own = {"paper_id": "p", "title": "Title", "authors": ["A"], "source": "s", "track": "main", "main": True}
    pdf = {"pdf_sha256": "PDF", "pdf_location": "/p.pdf", "pdf_stamp": "s1"}
    return {**row, **own, **pdf, "listed_at": NOW, "recorded_at": NOW, **changes}


def verdict_rows(text: str = "TEXT", judging: Judging = JUDGING) -> list[dict[str, Any]]:
    return [
        {
            "paper_id": "p", "text_sha256": text, "variable": v.name, "variable_sha": v.sha,
            "prompt_sha": prompt_sha(v), "engine": judging.engine, "model": judging.model,
        }
        for v in judging.variables
    ]  # fmt: skip


def failure_row(stage: str, attempted: str, **changes: Any) -> dict[str, Any]:
    own = {"stage": stage, "paper_id": "p", "variable": None, "attempted": attempted, "attempts": 1}
    rest = {
        "kind": "k",
        "transient": False,
        "message": "m",
        "run_id": "r",
        "failed_at": NOW,
        "recorded_at": NOW,
    }
    return {**own, **rest, **changes}


def planned(
    papers: list[dict[str, Any]] | None = None,
    documents: list[dict[str, Any]] | None = None,
    verdicts: list[dict[str, Any]] | None = None,
    failures: list[dict[str, Any]] | None = None,
    paper: Paper = PAPER,
    judging: Judging = JUDGING,
    stamp: Callable[[str], str | None] = lambda _: "s1",
    pdfs: list[dict[str, Any]] | None = None,
    **options: Any,
) -> Plan:
    done = [{"paper_id": "p", "pdf_sha256": "PDF", "text_sha256": "TEXT", "extractor_version": "x1"}]
    state = EditionState(
        EDITION,
        frame_of(load_table("papers"), [paper_row()] if papers is None else papers),
        pl.DataFrame(done if documents is None else documents, schema=list(done[0])),
        pl.DataFrame(verdict_rows() if verdicts is None else verdicts, schema=list(verdict_rows()[0])),
        frame_of(load_table("failures"), failures or []),
        (),
        False,
        frame_of(load_table("pdfs"), pdfs or []),
    )
    return make_plan([paper], {EDITION: state}, judging, stamp, **options)


def asked(plan: Plan) -> tuple[bool, bool, int]:
    (work,) = plan.works or [None]
    return (work.fetch, work.extract, len(work.variables)) if work else (False, False, 0)


def test_nothing_is_done_twice() -> None:
    assert not planned().anything


def test_a_new_paper_goes_all_the_way() -> None:
    assert asked(planned([], [], [])) == (True, True, ALL)


def test_a_changed_file_is_fetched_and_the_held_text_remembered() -> None:
    plan = planned(stamp=lambda _: "s2")
    assert asked(plan) == (True, True, ALL)
    assert plan.works[0].held is not None and plan.works[0].held.missing == ()


def test_another_extractor_reads_the_stored_pdf() -> None:
    judging = Judging(VARIABLES, "e", "m", "x2")
    assert asked(planned(judging=judging)) == (False, True, ALL)


@pytest.mark.parametrize(
    "judging", [Judging(VARIABLES, "e2", "m", "x1"), Judging(VARIABLES, "e", "m2", "x1")]
)
def test_another_engine_or_model_judges_again(judging: Judging) -> None:
    assert asked(planned(judging=judging)) == (False, False, ALL)


def test_a_changed_variable_alone_is_judged_again() -> None:
    changed = (VARIABLES[0].model_copy(update={"sha": "new"}), *VARIABLES[1:])
    assert asked(planned(judging=Judging(changed, "e", "m", "x1"))) == (False, False, 1)
    reworded = (VARIABLES[0].model_copy(update={"question": "Really?"}), *VARIABLES[1:])
    assert asked(planned(judging=Judging(reworded, "e", "m", "x1"))) == (False, False, 1)


def asking(*changed: Variable, quoting: Quoting = DEFAULT_QUOTING) -> Judging:
    """Judging with a language model, some variables changed."""
    names = {v.name: v for v in changed}
    variables = tuple(names.get(v.name, v) for v in VARIABLES)
    return Judging(variables, "e", "m", "x1", quoting, reads_rules=False)


def asked_rows(whole_file: bool = False, quoting: Quoting = DEFAULT_QUOTING) -> list[dict[str, Any]]:
    """A language model's verdicts; `whole_file`: as stores had them once."""
    return [
        {**row, "variable_sha": v.sha_for(reads_rules=whole_file), "prompt_sha": prompt_sha(v, quoting)}
        for row, v in zip(verdict_rows(), VARIABLES, strict=True)
    ]


def test_better_rules_make_the_rules_judge_again_and_no_model() -> None:
    reruled = VARIABLES[0].model_copy(update={"sha": "new"})
    rules = Judging((reruled, *VARIABLES[1:]), "e", "m", "x1")
    assert asked(planned(judging=rules)) == (False, False, 1)
    assert not planned(verdicts=asked_rows(), judging=asking(reruled)).anything


@pytest.mark.parametrize(
    "change",
    [
        {"question": "Really?"},
        {"labels": ("Yes", "No", "Maybe"), "criteria": {"Yes": "a", "No": "b", "Maybe": "c"}},
        {"criteria": {**VARIABLES[2].criteria, "No": "Otherwise."}},
        {"text": TextWanted(pages=2)},
        {"text": TextWanted(sections=(SectionKind.ABSTRACT,))},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_model_is_asked_again_about_whatever_it_reads(change: dict[str, Any]) -> None:
    changed = VARIABLES[2].model_copy(update=change)
    assert asked(planned(verdicts=asked_rows(), judging=asking(changed))) == (False, False, 1)


def test_a_models_verdicts_of_an_older_store_stand_until_their_file_changes() -> None:
    assert not planned(verdicts=asked_rows(whole_file=True), judging=asking()).anything
    reruled = VARIABLES[0].model_copy(update={"sha": "new"})
    assert asked(planned(verdicts=asked_rows(whole_file=True), judging=asking(reruled))) == (False, False, 1)
    failed = [failure_row("judge", asking().keys("TEXT", v)[1], variable=v.name) for v in VARIABLES]
    assert not planned(verdicts=[], failures=failed, judging=asking()).anything


def test_another_way_of_quoting_is_another_judgement_and_is_not_made_twice() -> None:
    text = asking(quoting=Quoting.TEXT)
    assert asked(planned(verdicts=asked_rows(), judging=text)) == (False, False, ALL)
    assert not planned(verdicts=asked_rows(quoting=Quoting.TEXT), judging=text).anything


def test_what_the_source_says_anew_is_recorded_without_reading_anything() -> None:
    plan = planned(paper=Paper("p", EDITION, "Other title", "s", "/p.pdf", ("A",)))
    assert asked(plan) == (False, False, 0)
    assert plan.works[0].record


def test_a_title_read_off_the_page_stands() -> None:
    assert not planned(paper=Paper("p", EDITION, "", "s", "/p.pdf", ("A",))).anything


def test_failures_for_good_wait_and_can_be_asked_for() -> None:
    missing = [paper_row(pdf_sha256=None)]
    gone = [failure_row("fetch", fetch_attempt("/p.pdf", None))]
    assert not planned(missing, [], [], gone, stamp=lambda _: None).works
    assert planned(missing, [], [], gone, stamp=lambda _: None).waiting == {"fetch": 1}
    assert asked(planned(missing, [], [], gone, stamp=lambda _: "s1")) == (True, True, ALL)
    assert asked(planned(missing, [], [], gone, stamp=lambda _: None, retry_failed=True)) == (True, True, ALL)
    broken = [failure_row("extract", extract_attempt("PDF", "x1"))]
    assert planned(None, [], [], broken).waiting == {"extract": 1}
    assert asked(planned(None, [], [], broken, judging=Judging(VARIABLES, "e", "m", "x2"))) == (
        False,
        True,
        9,
    )


def test_transient_failures_are_tried_a_bounded_number_of_times() -> None:
    key = JUDGING.key("TEXT", VARIABLES[2])
    verdicts = [row for row in verdict_rows() if row["variable"] != VARIABLES[2].name]
    for attempts, expected in ((1, 1), (2, 1), (3, 0)):
        row = failure_row("judge", key, variable=VARIABLES[2].name, transient=True, attempts=attempts)
        assert asked(planned(None, None, verdicts, [row], max_attempts=3)) == (False, False, expected)


def _empty(edition: Edition) -> EditionState:
    return EditionState(
        edition,
        frame_of(load_table("papers"), []),
        pl.DataFrame(schema=["paper_id"]),
        pl.DataFrame(schema=list(verdict_rows()[0])),
        frame_of(load_table("failures"), []),
        (),
        False,
    )


def test_shards_keep_to_their_size_and_edition() -> None:
    papers = [Paper(f"{y}-{i}", Edition("V", y), "t", "s", "/x") for y in (2020, 2021) for i in range(5)]
    empty = {e: _empty(e) for e in {p.edition for p in papers}}
    shards = list(make_plan(papers, empty, JUDGING, lambda _: "s").shards(2))
    assert [len(s.works) for s in shards] == [2, 2, 1, 2, 2, 1]
    assert all(w.paper.edition == s.edition for s in shards for w in s.works)
    assert len({(s.edition, s.name) for s in shards}) == 6


URL = "https://host.example/p.pdf"
ONLINE = Paper("p", EDITION, "Title", "s", URL, ("A",))
MONTH = timedelta(days=30)


def seen_rows(days: float) -> list[dict[str, Any]]:
    """What `pdfs` says of a PDF that was checked so many days ago."""
    then = NOW - timedelta(days=days)
    own = {"paper_id": "p", "pdf_sha256": "PDF", "location": URL, "n_bytes": 1, "etag": '"one"'}
    return [{**own, "first_seen": then, "last_checked": then, "recorded_at": then}]


def online(pdfs: list[dict[str, Any]], failures: list[dict[str, Any]] | None = None, **options: Any) -> Plan:
    papers = [paper_row(pdf_location=URL, pdf_stamp=URL)]
    asked = {"now": NOW, "recheck_after": MONTH, **options}
    return planned(papers, None, None, failures, ONLINE, stamp=lambda url: url, pdfs=pdfs, **asked)


def test_an_address_is_asked_again_after_a_time() -> None:
    assert not online(seen_rows(29)).anything
    assert not online(seen_rows(31), recheck_after=None).anything
    (work,) = online(seen_rows(31)).works
    assert (work.fetch, work.recheck, work.extract, work.variables) == (True, True, False, ())
    assert work.seen[0].etag == '"one"' and work.pdf_sha256 == "PDF"
    assert online(seen_rows(1), recheck_after=timedelta(0)).works[0].recheck


def test_a_check_that_failed_for_good_waits_as_long_as_one_that_went_well() -> None:
    gone = failure_row("fetch", recheck_attempt(URL, "PDF"))
    assert online(seen_rows(31), [gone]).waiting == {"fetch": 1}
    assert online(seen_rows(31), [gone], retry_failed=True).works
    assert online(seen_rows(70), [{**gone, "failed_at": NOW - timedelta(days=31)}]).works


def test_a_host_that_wanted_rest_is_left_alone_until_then_and_no_try_is_counted() -> None:
    busy = failure_row("fetch", fetch_attempt(URL, URL), kind="rate_limited", transient=True, attempts=9)
    for hours, expected in ((1, 0), (-1, 1)):
        row = {**busy, "retry_at": NOW + timedelta(hours=hours)}
        plan = planned([], [], [], [row], ONLINE, stamp=lambda url: url, now=NOW)
        assert len([w for w in plan.works if w.fetch]) == expected


def test_shards_of_different_hosts_take_turns() -> None:
    papers = [
        Paper(f"{y}-{i}", Edition("V", y), "t", "s", f"https://{host}/{y}-{i}")
        for y, host in ((2020, "one"), (2021, "one"), (2022, "two"))
        for i in range(2)
    ]
    states = {p.edition: _empty(p.edition) for p in papers}
    plan = make_plan(papers, states, JUDGING, lambda url: url)
    assert [s.edition.year for s in plan.shards(2)] == [2020, 2022, 2021]
    assert plan.hosts == {"one", "two"}
