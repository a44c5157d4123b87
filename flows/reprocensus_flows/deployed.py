"""The flows that a Prefect server starts: nightly, reprocess, backfill, maintain, and a part of a night.

What came of a run is its state's message: the server's pages show it, and it outlives the worker's log. That
holds for a run that cannot be done, too: it ends in the state Failed, with the error's message.

Each may be started twice: what is done is planned from the store, a deployment's own limit keeps a second run
waiting or away, and the store's guard keeps two runs from one edition.
"""

import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from prefect import flow, runtime, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import Field

from reprocensus.census import Prepared, prepare, settle
from reprocensus.counting import counted
from reprocensus.errors import UsageError
from reprocensus.logs import log_as
from reprocensus.outcome import RunOutcome
from reprocensus.request import RunRequest
from reprocensus.settings import Settings, load_settings
from reprocensus.storage import open_storage
from reprocensus.tables import Tables
from reprocensus_flows.editions import chosen, editions_known, editions_of, is_edition
from reprocensus_flows.ending import told
from reprocensus_flows.night import Night, whole
from reprocensus_flows.parts import work_in_parts
from reprocensus_flows.records import Recorder
from reprocensus_flows.session import silent
from reprocensus_flows.work import do

if TYPE_CHECKING:
    from reprocensus.maintain import Maintained

Year = Annotated[int, Field(ge=1900, le=2100)]


@flow(name="nightly", persist_result=False)
@told
def nightly(night: Night) -> State[None]:
    """Every edition configured: list, fetch what is new or changed, extract, judge what is missing, publish.

    Args:
        night: what is read, with whom it is judged and where it is written, as deployed.
    """
    settings = _settings()
    began = time.time()
    prepared = prepare(night.request(), settings)
    if not prepared.anything:
        said = _nothing(prepared)
    elif settings.scale_out == "pool":
        said = work_in_parts(prepared)
    else:
        said = _told(do(prepared, silent, Recorder(settings, to_prefect=True), began))
    if night.site:
        site_task(night.store, night.engine, night.site)
    return Completed(message=said)


@flow(name="part", persist_result=False)
@told
def part(request: RunRequest) -> State[None]:
    """A part of a night: some of its editions, for one worker of a pool.

    Args:
        request: the night's, for these editions only.
    """
    return Completed(message=_run(request, _settings()))


@flow(name="reprocess", persist_result=False)
@told
def reprocess(
    store: str,
    venue: str | None = None,
    years: tuple[Year, ...] = (),
    variables: tuple[str, ...] = (),
    engine: str = "rules",
    model: str | None = None,
    prompt_version: str | None = None,
    only_failed: bool = False,
    dry_run: bool = False,
    sources: tuple[str, ...] = (),
) -> State[None]:
    """Some editions again, with whatever variables, engine, model or prompts are wanted now.

    Only what was not judged so before is judged: the same text, variable, prompt, engine and model are never
    asked twice.

    Args:
        store: where objects and tables lie, a full path or an fsspec URI.
        venue: only editions of this venue, such as ICML; all that the sources list if empty.
        years: only editions of these years; all that the sources list if empty.
        variables: variables to judge, such as open_datasets; all of them if empty.
        engine: who judges, such as rules.
        model: which model the engine asks for, as its server names it; the workers' settings' if empty.
            The run is refused if it is not served, or the engine has none to choose from.
        prompt_version: to be sure of the prompts, not to choose some: there is one version, that of the
            software installed. First digits of it, as `reprocensus plan`, `reprocensus runs RUN` and
            the end of a dry run tell them; the run is refused if the prompts have changed since.
        only_failed: only papers that failed and have not succeeded since, however often they were tried.
        dry_run: say what would be done, and do none of it.
        sources: what lists the papers: editions such as icml/2016, manifest:FILE or dir:FOLDER; the
            venue's own editions if empty.
    """
    settings = _settings()
    request = RunRequest(
        sources=chosen(sources, venue, years),
        store=_whole(store),
        variables=variables,
        engine=engine,
        model=model or None,
        only_failed=only_failed,
    )
    if (venue or years) and not all(is_edition(source) for source in request.sources):
        request = request.model_copy(update={"editions": editions_of(request, settings, venue, years)})
    return Completed(message=_run(request, settings, prompt_version=prompt_version, dry_run=dry_run))


@flow(name="backfill", persist_result=False)
@told
def backfill(
    venues: tuple[str, ...],
    first_year: Year,
    last_year: Year,
    store: str,
    engine: str = "rules",
    model: str | None = None,
    tracks: Literal["main", "all"] = "main",
    dry_run: bool = False,
) -> State[None]:
    """Editions of years past, one after the other, the latest first. Those a venue lacks are left out.

    Args:
        venues: venues as `reprocensus sources` names them, such as icml.
        first_year: the first year wanted.
        last_year: the last year wanted.
        store: where objects and tables lie, a full path or an fsspec URI.
        engine: who judges, such as rules.
        model: which model the engine asks for, as its server names it; the workers' settings' if empty.
        tracks: main tracks, or all: workshops, demos and datasets too.
        dry_run: say what would be done, and do none of it.
    """
    settings = _settings()
    if first_year > last_year:
        raise UsageError(f"first_year {first_year} is after last_year {last_year}")
    years = tuple(range(last_year, first_year - 1, -1))
    by_venue = {venue: editions_known(venue, years) for venue in venues}
    wanted = [f"{venue}/{year}" for year in years for venue, known in by_venue.items() if year in known]
    if not wanted:
        raise UsageError(f"none of {', '.join(venues)} has an edition from {first_year} to {last_year}")
    said = []
    for source in wanted:
        request = RunRequest(
            sources=(source,), store=_whole(store), engine=engine, model=model or None, tracks=tracks
        )
        said.append(f"{source}: {_run(request, settings, dry_run=dry_run)}")
    return Completed(message="; ".join(said))


@flow(name="maintain", persist_result=False)
@told
def maintain(
    store: str, dry_run: bool = False, grace_hours: float = 24, keep_days: float | None = None
) -> State[None]:
    """Compacts what many runs left in small files, and deletes objects that nothing refers to.

    Args:
        store: where objects and tables lie, a full path or an fsspec URI.
        dry_run: say what would be done, and do none of it.
        grace_hours: nothing younger is deleted.
        keep_days: thin out history older than this; all of it is kept if empty.
    """
    done = maintain_task(_whole(store), dry_run, grace_hours, keep_days)
    lines = done.told(dry_run=dry_run) if done.anything or done.busy else []
    said = [f"{what} {words}".strip() for what, words in lines]
    return Completed(message="; ".join(said) or "nothing to do")


@task(task_run_name="site", cache_policy=NO_CACHE, persist_result=False)
def site_task(store: str, engine: str, folder: str) -> None:
    """Builds the site of the store's tables in a folder."""
    from reprocensus.site.build import build
    from reprocensus.site.options import SiteOptions

    settings = load_settings()
    build(store, settings, SiteOptions.of(settings, engine), Path(folder))


@task(task_run_name="maintain {store}", cache_policy=NO_CACHE, persist_result=False)
def maintain_task(store: str, dry_run: bool, grace_hours: float, keep_days: float | None) -> "Maintained":
    """Maintains a store; what was done stands in an artifact too."""
    from reprocensus import maintain as stage

    settings = _settings()
    keep = None if keep_days is None else timedelta(days=keep_days)
    options = stage.Options(timedelta(hours=grace_hours), keep, dry_run)
    done = stage.maintain(Tables(open_storage(store, settings)), options, settings.lease_s)
    Recorder(settings, to_prefect=True).maintained(done, dry_run=dry_run)
    return done


def _settings() -> Settings:
    settings = load_settings()
    log_as(settings.log_format or "text")
    return settings


def _run(
    request: RunRequest,
    settings: Settings,
    *,
    prompt_version: str | None = None,
    dry_run: bool = False,
) -> str:
    """Plans the request and does it; says what came of it."""
    began = time.time()
    if settings.scale_out == "pool":
        # Whoever asks for editions has split the work already.
        settings = settings.model_copy(update={"scale_out": "local"})
    prepared = prepare(request, settings)
    _check_prompts(prepared, prompt_version)
    recorder = Recorder(settings, to_prefect=True)
    if dry_run:
        recorder.plan(prepared)
        counts = ", ".join(f"{n} {what}" for what, n in prepared.plan.counts().items())
        return f"{counts}; prompt version {prepared.judging.prompt_version}"
    if not prepared.anything:
        return _nothing(prepared)
    return _told(do(prepared, silent, recorder, began))


def _check_prompts(prepared: Prepared, version: str | None) -> None:
    """Raises `UsageError` unless it would be judged with the prompts that were asked for."""
    judging = prepared.judging
    here = judging.prompt_version
    if version and not here.startswith(version.strip().lower()):
        raise UsageError(
            f"the prompts of {', '.join(v.name for v in judging.variables)} have the version {here}, not "
            f"{version}: they were changed, or other variables are meant. There is one version, that of the "
            "software installed; for earlier prompts run the release or commit that had them (`reprocensus "
            "runs RUN` tells the commit)"
        )


def _whole(store: str) -> str:
    try:
        return whole(store)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _nothing(prepared: Prepared) -> str:
    settle(prepared)
    plan = prepared.plan
    return f"nothing to do: {plan.n_done} of {counted(plan.n_papers, 'paper')} done and unchanged"


def _told(outcome: RunOutcome) -> str:
    failed = len(outcome.report.failed_papers)
    run = f"run {outcome.run_id} {outcome.status}"
    return f"{run}, {counted(failed, 'paper')} failed" if failed else f"{run} ({runtime.flow_run.name})"
