"""What Prefect's server does by itself: takes dead runs up again, and says when a run failed.

A run that a server started says every few seconds that it lives. One that falls silent is marked as crashed,
and a crashed run is scheduled again, so that the next free worker goes on where it stopped: the run itself
finds in the store what is done. Prefect does neither of its own accord on a server of one's own.
"""

from datetime import timedelta

from prefect.automations import Automation
from prefect.blocks.webhook import Webhook
from prefect.client.schemas.objects import StateType
from prefect.events.actions import CallWebhook, ChangeFlowRunState
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

from reprocensus_flows.night import Automations

_ENDED = {
    f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed", "AwaitingRetry")
}
_BEAT = "prefect.flow-run.heartbeat"


def automations(wanted: Automations, pool: str) -> list[Automation]:
    """The automations of a pool's runs, not yet made on the server."""
    tagged = ResourceSpecification(
        {"prefect.resource.id": [f"prefect.tag.{tag_of(pool)}"], "prefect.resource.role": ["tag"]}
    )
    every_run = ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]})
    silence = wanted.heartbeat_s * wanted.missed
    made = [
        Automation(
            name=f"{pool}: a run that fell silent has crashed",
            description=f"No heartbeat for {silence} s.",
            trigger=EventTrigger(
                after={_BEAT},
                expect={_BEAT, *_ENDED},
                match=every_run,
                match_related=tagged,
                for_each={"prefect.resource.id"},
                posture=Posture.Proactive,
                threshold=1,
                within=timedelta(seconds=silence),
            ),
            actions=[
                ChangeFlowRunState(state=StateType.CRASHED, message=f"It said nothing for {silence} s.")
            ],
        ),
        Automation(
            name=f"{pool}: a crashed run is started again",
            description=f"At most {wanted.restarts} times.",
            trigger=EventTrigger(
                expect={"prefect.flow-run.Crashed"},
                match=ResourceSpecification(
                    {
                        "prefect.resource.id": ["prefect.flow-run.*"],
                        "prefect.run-count": [str(n) for n in range(wanted.restarts + 1)],
                    }
                ),
                match_related=tagged,
                for_each={"prefect.resource.id"},
                posture=Posture.Reactive,
                threshold=1,
            ),
            actions=[
                ChangeFlowRunState(
                    state=StateType.SCHEDULED,
                    name="AwaitingRetry",
                    message="It crashed: started again, it goes on where it stopped.",
                )
            ],
        ),
    ]
    if wanted.notify:
        made.append(_notification(wanted, pool, every_run, tagged))
    return made


def tag_of(pool: str) -> str:
    """The tag of a pool's deployments, by which automations know their runs."""
    return pool


def save(wanted: list[Automation]) -> None:
    """Makes automations on the server, or changes those of the same name."""
    for automation in wanted:
        try:
            known = Automation.read(name=automation.name)
            assert isinstance(known, Automation)
            automation.id = known.id
        except ValueError:
            automation.create()
        else:
            automation.update()


def _notification(
    wanted: Automations, pool: str, every_run: ResourceSpecification, tagged: ResourceSpecification
) -> Automation:
    hook = Webhook(method="POST", url=wanted.notify, allow_private_urls=True)
    block = hook.save(f"{pool}-notify", overwrite=True)
    text = "flow.name ~ ' ' ~ flow_run.name ~ ' ended ' ~ flow_run.state.name ~ ': ' ~ flow_run.state.message"
    payload = f'{{"text": {{{{ ({text}) | tojson }}}}, "flow_run_id": "{{{{ flow_run.id }}}}"}}'
    return Automation(
        name=f"{pool}: say that a run failed",
        trigger=EventTrigger(
            expect={"prefect.flow-run.Failed", "prefect.flow-run.Crashed", "prefect.flow-run.TimedOut"},
            match=every_run,
            match_related=tagged,
            for_each={"prefect.resource.id"},
            posture=Posture.Reactive,
            threshold=1,
        ),
        actions=[CallWebhook(block_document_id=block, payload=payload)],
    )
