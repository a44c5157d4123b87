"""A night in parts: groups of editions, each a flow run that any worker of the pool takes up."""

import time
from collections import Counter
from uuid import UUID

from prefect import runtime
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment

from reprocensus.census import Prepared, prepare
from reprocensus.counting import counted
from reprocensus.errors import FlowError
from reprocensus_flows.records import Recorder
from reprocensus_flows.session import silent
from reprocensus_flows.work import do

_LOOK_S = 3.0
#: A dead part is started again by an automation; one that is still dead after so long is given up.
_DEAD_S = 180.0


def work_in_parts(prepared: Prepared) -> str:
    """Hands the plan to the pool in parts and waits for them.

    Raises:
        FlowError: a part failed; the others are finished. The night's next run does what is left.
    """
    groups = split(prepared, prepared.settings.parts)
    parts = [_start(prepared, editions, f"{n + 1} of {len(groups)}") for n, editions in enumerate(groups)]
    ended = _wait({run.id: run.name for run in parts})
    failed = [f"{run.name}: {run.state.name}, {run.state.message}" for run in ended if run.state]
    failed = [
        words for words, run in zip(failed, ended, strict=True) if run.state and not run.state.is_completed()
    ]
    if failed:
        raise FlowError(f"{len(failed)} of {len(parts)} parts failed; {'; '.join(failed)}")
    if (runtime.flow_run.run_count or 1) > 1:
        # This night was taken up again, so its parts were cut from two plans: something may lie between.
        rest = prepare(prepared.request, prepared.settings.model_copy(update={"scale_out": "local"}))
        if rest.anything:
            do(rest, silent, Recorder(rest.settings, to_prefect=True))
    return f"{counted(len(parts), 'part')}, {counted(len(prepared.editions), 'edition')}"


def split(prepared: Prepared, parts: int) -> list[tuple[str, ...]]:
    """The plan's editions in at most so many groups, of about as many papers each."""
    papers = Counter(dict.fromkeys(prepared.editions, 1))
    papers.update(work.paper.edition for work in prepared.plan.works)
    groups: list[list[str]] = [[] for _ in range(min(parts, len(papers)))]
    sizes = [0] * len(groups)
    for edition, n in papers.most_common():
        smallest = sizes.index(min(sizes))
        groups[smallest].append(f"{edition.venue}/{edition.year}")
        sizes[smallest] += n
    return [tuple(sorted(group)) for group in groups]


def _start(prepared: Prepared, editions: tuple[str, ...], name: str) -> FlowRun:
    request = prepared.request.model_copy(update={"editions": editions})
    run = run_deployment(
        f"part/{runtime.deployment.name}",
        parameters={"request": request.model_dump(mode="json")},
        flow_run_name=f"part {name}",
        timeout=0,
        # A night that is taken up again after its worker died finds its parts instead of starting others.
        idempotency_key=f"{runtime.flow_run.id} {name}",
    )
    assert isinstance(run, FlowRun)
    return run


def _wait(waiting: dict[UUID, str]) -> list[FlowRun]:
    """Waits until every part has ended for good."""
    ended: dict[UUID, FlowRun] = {}
    dead: dict[UUID, float] = {}
    with get_client(sync_client=True) as client:
        while len(ended) < len(waiting):
            for part in waiting.keys() - ended.keys():
                run = client.read_flow_run(part)
                if run.state and run.state.is_crashed():
                    since = dead.setdefault(part, time.monotonic())
                    if time.monotonic() - since > _DEAD_S:
                        ended[part] = run
                elif run.state and run.state.is_final():
                    ended[part] = run
                else:
                    dead.pop(part, None)
            if len(ended) < len(waiting):
                time.sleep(_LOOK_S)
    return list(ended.values())
