"""Sets a Prefect server up from a deployment file: work pool, deployments, automations. Safe to run again."""

import os
from pathlib import Path
from typing import Any

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound, PrefectException
from prefect.flows import Flow
from prefect.schedules import Cron
from prefect.types.entrypoint import EntrypointType

from reprocensus.errors import FlowError, UsageError
from reprocensus_flows import deployed
from reprocensus_flows.automations import automations, save, tag_of
from reprocensus_flows.night import Deployment, read_deployment

#: The work queue of a night's parts. Its own limit keeps a night from taking every worker.
PARTS = "parts"
#: One at a time: a second night is dropped, since the next does what is left; anything else waits.
_DROP = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)
_WAIT = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE)


def deploy(file: Path) -> list[str]:
    """Makes or changes on the server whatever a deployment file says; returns what there is now.

    Raises:
        UsageError: the file is wrong, or no server is named.
        FlowError: the server does not answer, or refuses.
    """
    deployment = read_deployment(file)
    if not os.environ.get("PREFECT_API_URL"):
        raise UsageError(
            "PREFECT_API_URL is not set: name the Prefect server, such as http://prefect:4200/api"
        )
    try:
        with get_client(sync_client=True) as client:
            _pool(client, deployment)
        made = [_apply(each) for each in deployments(deployment)]
        wanted = automations(deployment.automations, deployment.pool)
        save(wanted)
    except (httpx.HTTPError, PrefectException) as error:
        raise FlowError(
            f"Prefect's server at {os.environ['PREFECT_API_URL']}: {type(error).__name__}: {error}"
        ) from error
    return [f"work pool {deployment.pool}", *made, *(f"automation {each.name}" for each in wanted)]


def deployments(deployment: Deployment) -> list[RunnerDeployment]:
    """The deployments of a file, not yet made on the server."""
    night = deployment.night
    where = {"store": night.store}
    variables: dict[str, object] = {**deployment.job_variables}
    given = variables.get("env", {})
    assert isinstance(given, dict)
    variables["env"] = {
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(deployment.automations.heartbeat_s),
        # A server that is started anew is away for a minute or two.
        "PREFECT_CLIENT_MAX_RETRIES": "7",
        "PREFECT_LOGGING_EXTRA_LOGGERS": "reprocensus.run",
        **given,
    }
    common: dict[str, Any] = {
        "name": deployment.pool,
        "tags": [tag_of(deployment.pool)],
        "work_pool_name": deployment.pool,
        "job_variables": variables,
        "entrypoint_type": EntrypointType.MODULE_PATH,
    }
    judged_by = {"engine": night.engine, "model": night.model}
    reprocessed = {**where, **judged_by, "sources": list(night.sources)}
    return [
        _made(
            deployed.nightly,
            **common,
            parameters={"night": night.model_dump(mode="json")},
            schedule=Cron(deployment.cron, timezone=deployment.timezone),
            concurrency_limit=_DROP,
        ),
        _made(deployed.part, **common, work_queue_name=PARTS),
        _made(deployed.reprocess, **common, parameters=reprocessed, concurrency_limit=_WAIT),
        _made(deployed.backfill, **common, parameters={**where, **judged_by}, concurrency_limit=_WAIT),
        _made(deployed.maintain, **common, parameters=where, concurrency_limit=_DROP),
    ]


def _made(flow: Flow[..., Any], **settings: Any) -> RunnerDeployment:
    deployment = flow.to_deployment(**settings)
    assert isinstance(deployment, RunnerDeployment)
    return deployment


def _apply(each: RunnerDeployment) -> str:
    each.apply()
    return f"deployment {each.flow_name}/{each.name}"


def _pool(client: SyncPrefectClient, deployment: Deployment) -> None:
    try:
        client.create_work_pool(WorkPoolCreate(name=deployment.pool, type=deployment.pool_type))
    except ObjectAlreadyExists:
        known = client.read_work_pool(deployment.pool)
        if known.type != deployment.pool_type:
            raise UsageError(
                f"the work pool {deployment.pool} is of type {known.type} already, not "
                f"{deployment.pool_type}; name another, or delete it first"
            ) from None
        client.update_work_pool(deployment.pool, WorkPoolUpdate(is_paused=False))
    try:
        queue = client.read_work_queue_by_name(PARTS, work_pool_name=deployment.pool)
    except ObjectNotFound:
        queue = client.create_work_queue(PARTS, work_pool_name=deployment.pool)
    client.update_work_queue(queue.id, concurrency_limit=deployment.parts_at_once)
