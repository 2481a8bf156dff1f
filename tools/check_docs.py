"""Documents cannot drift: fails when a page says something that the code does not.

Checked: one complete page per cause, relative links and anchors, the `--help` block of the README, that each
`preflight COMMAND --option` and each `--only` or `--skip` pattern in a document exists.
`--fix` rewrites what is made here.
"""

import re
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import cause_pages
import click

from preflight import catalogue
from preflight.cli.main import cli

ROOT = Path(__file__).resolve().parent.parent
HELP = ("<!-- help:begin -->", "<!-- help:end -->")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} +(.+)$", re.MULTILINE)
_CODE = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")
_COMMAND = re.compile(r"(?:^|[\s/])preflight((?: +[^\s|>#]+)*)")
_PATTERN = re.compile(r"--(?:only|skip)[ =]+'([^']+)'")


def documents() -> Iterator[Path]:
    """Every Markdown file of ours; the examples of reports are outputs, not documents."""
    yield from sorted(ROOT.glob("*.md"))
    for folder in ("docs", "checks"):
        yield from sorted((ROOT / folder).rglob("*.md"))


def slug(heading: str) -> str:
    """The anchor that GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    """The anchors of a page."""
    return {slug(found) for found in _HEADING.findall(_FENCE.sub("", page.read_text("utf-8")))}


def links(page: Path, text: str) -> Iterator[str]:
    """Links that lead nowhere."""
    for target in _LINK.findall(_FENCE.sub("", text)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists():
            yield f"link to {target}: there is no such file"
        elif anchor and there.suffix == ".md" and anchor not in anchors(there):
            yield f"link to {target}: there is no such heading"


def commands(text: str) -> Iterator[str]:
    """Commands and options in code that do not exist."""
    fences = [line for block in _FENCE.findall(text) for line in block.splitlines()[1:-1]]
    spans = [span.replace("\n", " ") for span in _CODE.findall(_FENCE.sub("", text))]
    for mention in (found for code in (*fences, *spans) for found in _COMMAND.findall(code)):
        for problem in wrong_words(mention.replace(",", " ").split()):
            yield f"`preflight{mention}`: {problem}"


def wrong_words(words: list[str]) -> Iterator[str]:
    """Words of one command line that preflight does not know."""
    command: click.Command = cli
    for word in words:
        bare = word.strip(".;:()'\"").partition("=")[0]
        if re.fullmatch(r"--?[a-z][a-z-]*", bare):
            if bare not in options(command):
                yield f"there is no option {bare}"
        elif isinstance(command, click.Group):
            if not re.fullmatch(r"[a-z]+", bare):
                return
            found = command.get_command(click.Context(cli), bare)
            if found is None:
                yield f"there is no command {bare!r}"
                return
            command = found


def options(command: click.Command) -> set[str]:
    """The options of a command, with what every command has."""
    own = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    return own | {"--help", "-h"}


def patterns(text: str, known: list[str]) -> Iterator[str]:
    """Patterns for requirement ids that match none."""
    for pattern in _PATTERN.findall(text):
        if not pattern.startswith("dependency.") and not any(fnmatchcase(name, pattern) for name in known):
            yield f"{pattern!r} matches no requirement"


def help_block() -> str:
    """What stands in the README between the marks."""
    return f"{HELP[0]}\n```\n{help_text()}```\n{HELP[1]}"


def help_text() -> str:
    """`preflight --help` at 80 columns, as printed."""
    context = cli.make_context("preflight", [], resilient_parsing=True, terminal_width=80)
    return "".join(f"{line.rstrip()}\n" for line in cli.get_help(context).splitlines())


def replace_between(text: str, block: str) -> str:
    """The README with its help block made anew; unchanged where the marks are missing."""
    return re.sub(f"{HELP[0]}.*?{HELP[1]}", lambda _: block, text, flags=re.DOTALL)


def problems() -> Iterator[str]:
    """Everything that is wrong, with its file."""
    yield from cause_pages.problems()
    known = [requirement.id for requirement in catalogue.load().requirements]
    for page in documents():
        text = page.read_text("utf-8")
        for problem in (*links(page, text), *commands(text), *patterns(text, known)):
            yield f"{page.relative_to(ROOT)}: {problem}"
    if help_block() not in (ROOT / "README.md").read_text("utf-8"):
        yield "README.md: the block of `preflight --help` is not up to date; run tools/check_docs.py --fix"


def fix() -> None:
    """Rewrite what is generated by this tool."""
    cause_pages.fix()
    readme = ROOT / "README.md"
    readme.write_text(replace_between(readme.read_text("utf-8"), help_block()), "utf-8")


def main() -> None:
    """Print the problems; exit 1 when there are any."""
    if sys.argv[1:] == ["--fix"]:
        fix()
    found = list(problems())
    print("\n".join(found) or f"{len(list(documents()))} documents agree with the code")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
