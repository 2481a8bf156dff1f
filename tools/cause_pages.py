"""What a cause page must have, as the table of causes says. Used by check_docs.py.

`--fix` rewrites the front blocks.
"""

import sys
from pathlib import Path

from preflight.model.causes import CAUSES, Cause
from preflight.model.vocabulary import Owner

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "causes"
SECTIONS = (
    "What it means",
    "What proves it",
    "Who owns it",
    "How to fix it",
    "What it is confused with",
)
OWNERS = {
    Owner.DNS: "DNS team",
    Owner.NETWORK: "network team",
    Owner.PLATFORM: "platform team",
    Owner.IDENTITY: "identity team",
    Owner.APPLICATION: "application team",
}


def front(cause: Cause) -> str:
    """Title and front block, up to the first section."""
    return (
        f"# {cause.id}\n\n"
        f"- **Owner:** {OWNERS[cause.owner]} (`{cause.owner}`)\n"
        f"- **In one sentence:** {cause.meaning}\n"
        f"- **First thing to do:** {cause.remedy}\n\n"
    )


def problems(folder: Path = FOLDER) -> list[str]:
    """What is wrong with the pages in `folder`: missing, superfluous, another front block, another set of sections."""
    pages = {path.stem for path in folder.glob("*.md")}
    found = [f"{folder.name}/{cause}.md: there is no page for this cause" for cause in sorted(CAUSES.keys() - pages)]
    found += [f"{folder.name}/{page}.md: there is no such cause" for page in sorted(pages - CAUSES.keys())]
    for name in sorted(pages & CAUSES.keys()):
        found += [
            f"{folder.name}/{name}.md: {problem}"
            for problem in _page_problems((folder / f"{name}.md").read_text("utf-8"), CAUSES[name])
        ]
    return found


def _page_problems(text: str, cause: Cause) -> list[str]:
    found = []
    if not text.startswith(front(cause)):
        found.append("title or front block differ from preflight/model/causes.py; run tools/cause_pages.py --fix")
    headings = tuple(line[3:] for line in text.splitlines() if line.startswith("## "))
    if headings != SECTIONS:
        found.append(f"sections are {headings}, not {SECTIONS}")
    bodies = [part.partition("\n")[2].strip() for part in text.split("\n## ")[1:]]
    found += [
        f"section {heading!r} says nothing" for heading, body in zip(headings, bodies, strict=True) if len(body) < 15
    ]
    if "\nSources: " not in text:
        found.append("no line that begins with 'Sources: '")
    return found


def fix(folder: Path = FOLDER) -> None:
    """Write the front blocks anew; what follows the first `## ` stays as it is."""
    for path in folder.glob("*.md"):
        body = path.read_text("utf-8").partition("\n## ")[2]
        if path.stem in CAUSES and body:
            path.write_text(f"{front(CAUSES[path.stem])}## {body}", "utf-8")


if __name__ == "__main__":
    if sys.argv[1:] == ["--fix"]:
        fix()
    print("\n".join(problems()) or f"{len(CAUSES)} cause pages are complete")
    sys.exit(bool(problems()))
