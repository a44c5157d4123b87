"""The command line. Exit codes: 0 all well, 1 something failed that should have worked, 2 a wrong request."""

import sys

from reprocensus.errors import ReprocensusError, UsageError


def main() -> None:
    """Runs the command line; errors raised on purpose become one line on standard error."""
    from reprocensus.cli.app import app

    try:
        app()
    except ReprocensusError as error:
        print(f"reprocensus: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, UsageError) else 1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
