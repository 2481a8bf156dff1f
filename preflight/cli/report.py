"""`preflight report`: a saved run in other formats, exactly as it was judged."""

from pathlib import Path

import click

from preflight.cli import output, saved
from preflight.render.formats import Format


@click.command()
@click.argument("run_file", metavar="RUN.json|JOURNAL", type=click.Path(path_type=Path))
@output.options
@click.pass_context
def report(
    ctx: click.Context, run_file: Path, wanted: tuple[Format, ...], out: str, *, verbose: bool, short: bool
) -> None:
    """Render a saved run in other formats.

    Nothing is judged again and nothing is sent. The exit code is the run's own.
    The journal of a run that was killed holds no verdicts: it is judged first.
    """
    run = saved.run(run_file)
    ctx.exit(output.Output(wanted, out, verbose=verbose, short=short).write(run).code)
