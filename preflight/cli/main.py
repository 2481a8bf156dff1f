"""The command `preflight`: the table of commands, and the edge where every failure becomes message and exit code."""

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from preflight import __version__
from preflight.cli import signals, streams
from preflight.failures import Failure

# Loaded only when used, so that `preflight --help` imports nothing of probes, reports or the lab.
_COMMANDS = {
    "run": ("preflight.cli.run", "Check every requirement and report."),
    "plan": ("preflight.cli.plan", "Show what would be checked, without sending a packet."),
    "init": ("preflight.cli.init", "Write a preflight.toml, by asking or from az output."),
    "demo": ("preflight.cli.demo", "Run everything against the embedded Azure."),
    "report": ("preflight.cli.report", "Render a saved run in other formats."),
    "judge": ("preflight.cli.judge", "Judge the observations of a saved run again."),
    "explain": ("preflight.cli.explain", "Explain a cause, offline."),
    "checks": ("preflight.cli.checks", "List, show and validate the catalogue."),
    "lab": ("preflight.cli.lab", "Serve the embedded Azure on real addresses."),
    "image": ("preflight.cli.image", "Show the probes' image and how to bring it into your registry."),
    "rbac": ("preflight.cli.rbac", "Print the rights that a run in a cluster needs."),
    "manifests": ("preflight.cli.manifests", "Print a run in a cluster as YAML, for Git."),
    "collect": ("preflight.cli.collect", "Report what probes found that somebody else started."),
    "clean": ("preflight.cli.clean", "Remove what runs have left in a cluster."),
    "capacity": ("preflight.cli.capacity", "Tell how many replicas a load needs, and how many fit."),
    "agent": ("preflight.cli.agent", "Run a plan here and print JSON lines (used in pods)."),
}

_EPILOG = """\b
Exit codes: 0 passed · 1 a required check failed · 2 usage or configuration
  3 could not test · 4 warnings under --strict · 130 interrupted
"""


class _Lazy(click.Group):
    """Shows all commands, imports one."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        command = getattr(importlib.import_module(_COMMANDS[cmd_name][0]), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(
    cls=_Lazy, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80}
)
@click.version_option(__version__, prog_name="preflight", message="%(prog)s %(version)s")
def cli() -> None:
    """Tells, before anybody deploys, whether an AKS cluster can run Azure Machine
    Learning inferencing behind a network: what is in the way, seen from where, and
    who has to change what.

    \b
    Start with:  preflight demo            see it work on the embedded Azure
                 preflight init            describe your deployment
                 preflight plan            what will be checked, from where
                 preflight run             check it
    """  # noqa: D205, D301 - click's text layout


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; leaves with the exit code. No traceback reaches a user."""
    streams.install()
    with signals.translated():
        code = _run(list(sys.argv[1:] if argv is None else argv))
        sys.exit(_with_stdout(code))


def _with_stdout(code: int) -> int:
    """What was to stand on stdout is a report as well; a reader that left (`| head`) had seen enough."""
    loss = streams.stdout_loss()
    if loss is None:
        return code
    from preflight.judge.exitcode import with_reports  # noqa: PLC0415 - keeps --help quick

    told = with_reports(code, lost=True)
    click.echo(f"stdout: cannot be written: {loss.strerror}", err=True)
    if told != code:
        click.echo(f"preflight: exit {told} instead of {code}, because what was to stand there is missing", err=True)
    return told


def _run(argv: list[str]) -> int:
    try:
        result: Any = cli.main(args=argv, prog_name="preflight", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("preflight: interrupted", err=True)
        return 130
    except Failure as failure:
        _tell(f"preflight: {failure}" if "\n" not in str(failure) else str(failure))
        return failure.exit_code
    except Exception as error:  # noqa: BLE001 - our own bugs are reported as such, never as a verdict
        return _own_bug(error)


def _own_bug(error: Exception) -> int:
    """Says that preflight broke, where, and what to send; exit 3, since nothing was tested."""
    if os.environ.get("PREFLIGHT_DEBUG"):
        raise error
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    place = f"{at.tb_frame.f_globals.get('__name__')}:{at.tb_lineno}" if at is not None else "unknown place"
    _tell(
        f"preflight {__version__} broke: {type(error).__name__} at {place}: {str(error)[:300]}\n"
        "  This is a bug in preflight and says nothing about your network. Please report these\n"
        "  lines; with PREFLIGHT_DEBUG=1 in the environment the whole trace is shown."
    )
    return 3


def _tell(message: str) -> None:
    """On stderr; a message may quote a file or a server, which must not move anybody's cursor."""
    from preflight.render import text  # noqa: PLC0415 - keeps --help quick

    click.echo(text.clean(message), err=True)
