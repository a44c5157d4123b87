"""The command line.

Exit codes: 0 all well, 1 something failed that should have worked, 2 a wrong request, 130 interrupted.
"""

import logging
import os
import sys

from reprocensus.errors import FlowError, ReprocensusError, UsageError


def main() -> None:
    """Runs the command line; errors raised on purpose become one line on standard error."""
    # Closed streams are None: nobody reads, and there is nothing to read.
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    # A retry that succeeds is no news; one that does not raises.
    logging.getLogger("stamina").setLevel(logging.ERROR)
    try:
        # It takes a second, in which Ctrl+C may come, too.
        from reprocensus.cli.app import app

        app(standalone_mode=True)
    except KeyboardInterrupt:
        print("reprocensus: interrupted", file=sys.stderr)
        sys.exit(130)
    except ReprocensusError as error:
        print(f"reprocensus: {error}", file=sys.stderr)
        if isinstance(error, FlowError):
            # Prefect would spend minutes on sending its events to an API that is gone.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(1)
        sys.exit(2 if isinstance(error, UsageError) else 1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
