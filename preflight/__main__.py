"""`preflight` and `python -m preflight`: signals are quiet while the command is being imported, and when it is over."""

import signal
import sys


def main() -> None:
    """Import the command line and run it."""
    try:
        from preflight.cli.main import main as edge  # noqa: PLC0415 - inside the try is the point

        edge()
    except KeyboardInterrupt:
        sys.exit(130)
    except SystemExit:
        # The verdict is told: nothing may change the exit code while the interpreter ends.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        raise


if __name__ == "__main__":
    main()
