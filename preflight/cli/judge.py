"""`preflight judge`: the observations of a saved run under today's rules."""

from pathlib import Path

import click

from preflight.cli import output, saved
from preflight.render.formats import Format


@click.command()
@click.argument("run_file", metavar="RUN.json|JOURNAL", type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Warnings exit with 4 instead of 0.")
@output.options
@click.pass_context
def judge(
    ctx: click.Context,
    run_file: Path,
    wanted: tuple[Format, ...],
    out: str,
    *,
    strict: bool,
    verbose: bool,
    short: bool,
) -> None:
    """Judge the observations of a saved run again.

    Sends nothing: the same observations give the same verdicts, by the rules of
    this version. "Now" is when the run was started. Takes the journal of a run
    that was killed as well (run-*.journal.jsonl).
    """
    from preflight import judge as judging  # noqa: PLC0415 - keeps --help quick

    again = judging.judge(saved.evidence(run_file, strict=strict))
    ctx.exit(output.Output(wanted, out, verbose=verbose, short=short).write(again).code)
