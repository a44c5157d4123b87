"""Where the command line hands a run over: sets Prefect up for it, then runs the flow in this process."""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx

from reprocensus.census import Prepared
from reprocensus.errors import FlowError
from reprocensus.outcome import Progress, RunOutcome
from reprocensus_flows.temporary_api import temporary_api

__all__ = ["check_deployment", "deploy", "run"]


def run(prepared: Prepared, progress: Progress) -> RunOutcome:
    """Runs a plan as a Prefect flow; returns what came of it.

    Uses the API that `PREFECT_API_URL` names, or a temporary one.

    Raises:
        KeyboardInterrupt: the run was asked to end, by Ctrl-C or SIGTERM.
        ReprocensusError: the run could not go on; its row in `runs` says why.
    """
    defaults = {
        # What goes wrong is raised, told in one line and kept in `runs`: no need of tracebacks beside it.
        "PREFECT_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_LOGGING_INTERNAL_LEVEL": "CRITICAL",
        "PREFECT_LOGGING_TO_API_ENABLED": "false",
        "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "false",
        # An API that is gone stays gone: the client's own five tries, each longer, take minutes in all.
        "PREFECT_CLIENT_MAX_RETRIES": "2",
        "DO_NOT_TRACK": "1",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    stays = bool(os.environ.get("PREFECT_API_URL"))
    with ExitStack() as stack:
        if not os.environ.get("PREFECT_API_URL"):
            progress("prefect", "starting", 0)
            with ThreadPoolExecutor(1) as side:
                # Importing Prefect and starting its server take seconds each: do both at once.
                imported = side.submit(_import_flow)
                os.environ["PREFECT_API_URL"] = stack.enter_context(temporary_api())
                stack.callback(os.environ.pop, "PREFECT_API_URL", None)
                imported.result()
        from prefect.exceptions import PrefectException, TerminationSignal
        from prefect.settings import PREFECT_API_URL, temporary_settings

        from reprocensus_flows.census import census
        from reprocensus_flows.session import Session, session

        stack.enter_context(temporary_settings({PREFECT_API_URL: os.environ["PREFECT_API_URL"]}))
        token = session.set(Session(prepared, progress, stays))
        stack.callback(session.reset, token)
        # What comes next can be counted, but for the engine, which may take its time.
        progress("run", "starting", 0)
        try:
            return census(prepared.request)
        except TerminationSignal as signal:
            # To whoever called, being asked to end is one thing, whatever asked.
            raise KeyboardInterrupt from signal
        except (httpx.HTTPError, PrefectException) as error:
            raise FlowError(
                f"Prefect's API at {os.environ['PREFECT_API_URL']} failed ({type(error).__name__}: {error}); "
                "what was done stands: run the same command again"
            ) from error


def deploy(file: Path) -> list[str]:
    """Sets up the server of `PREFECT_API_URL` from a deployment file; returns what there is now.

    Raises:
        UsageError: the file is wrong, or no server is named.
        FlowError: the server does not answer, or refuses.
    """
    from reprocensus_flows.deploy import deploy as set_up

    return set_up(file)


def check_deployment(file: Path) -> list[str]:
    """Reads a deployment file; returns what it means. Raises `UsageError` if something in it is wrong."""
    from reprocensus_flows.night import read_deployment

    deployment = read_deployment(file)
    night = deployment.night
    when = f"{deployment.cron}, {deployment.timezone}"
    return [f"{file}: fine", f"every night ({when}): {', '.join(night.sources)} into {night.store}"]


def _import_flow() -> None:
    import reprocensus_flows.census  # noqa: F401
