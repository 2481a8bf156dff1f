"""The closed set of formats and the explicit table to their renderers; each module is imported when it is used."""

from collections.abc import Callable, Iterable
from enum import StrEnum

from preflight.model.run import Run

Renderer = Callable[[Run], str]


class Format(StrEnum):
    """What `--format` takes."""

    CONSOLE = "console"
    HTML = "html"
    JSON = "json"
    JUNIT = "junit"
    MARKDOWN = "markdown"


FILES: dict[Format, str] = {
    Format.CONSOLE: "console.txt",
    Format.HTML: "report.html",
    Format.JSON: "run.json",
    Format.JUNIT: "junit.xml",
    Format.MARKDOWN: "report.md",
}


def _console(run: Run) -> str:
    from preflight.render import console  # noqa: PLC0415 - imported when used

    return console.render(run)


def _html(run: Run) -> str:
    from preflight.render import html  # noqa: PLC0415 - jinja2 is an optional part

    return html.render(run)


def _json(run: Run) -> str:
    from preflight.render import json  # noqa: PLC0415 - imported when used

    return json.render(run)


def _junit(run: Run) -> str:
    from preflight.render import junit  # noqa: PLC0415 - imported when used

    return junit.render(run)


def _markdown(run: Run) -> str:
    from preflight.render import markdown  # noqa: PLC0415 - imported when used

    return markdown.render(run)


RENDERERS: dict[Format, Renderer] = {
    Format.CONSOLE: _console,
    Format.HTML: _html,
    Format.JSON: _json,
    Format.JUNIT: _junit,
    Format.MARKDOWN: _markdown,
}


def parts(name: Format, run: Run) -> Iterable[str]:
    """The report in pieces: run.json of a thousand places is never in memory as a whole."""
    if name is Format.JSON:
        from preflight.render import json  # noqa: PLC0415 - imported when used

        return json.parts(run)
    return (RENDERERS[name](run),)


def renderer(name: Format) -> Renderer:
    """The renderer of a format."""
    return RENDERERS[name]
