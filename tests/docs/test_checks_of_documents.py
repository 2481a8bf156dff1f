"""tools/check_docs.py and tools/cause_pages.py: they pass on this tree, and see what they are there for."""

import os
import re
import subprocess
import sys
from pathlib import Path

import cause_pages
import check_docs
import pytest

from preflight import resources
from preflight.model.causes import CAUSES
from preflight.probes.noproxy import applies

ROOT = Path(__file__).resolve().parents[2]


def _page(cause: str = "dns.nxdomain") -> str:
    return (resources.folder("causes") / f"{cause}.md").read_text("utf-8")


def test_every_cause_has_a_complete_page_and_no_page_is_without_a_cause():
    assert cause_pages.problems(resources.folder("causes")) == []


def test_a_missing_page_and_a_superfluous_one_are_found(tmp_path: Path):
    (tmp_path / "dns.invented.md").write_text("# dns.invented\n", "utf-8")
    found = cause_pages.problems(tmp_path)
    assert any("dns.nxdomain.md: there is no page" in problem for problem in found)
    assert any("dns.invented.md: there is no such cause" in problem for problem in found)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda text: text.replace("The resolver says", "Somebody says", 1), "front block"),
        (lambda text: text.replace("(`dns`)", "(`network`)"), "front block"),
        (lambda text: text.replace("## What proves it", "## Proof"), "sections are"),
        (
            lambda text: re.sub(r"## Who owns it\n\n.*?\n\n", "## Who owns it\n\n", text, flags=re.DOTALL),
            "says nothing",
        ),
        (lambda text: text.replace("\nSources: ", "\nSeen in: "), "Sources"),
    ],
)
def test_a_page_that_drifted_is_found(tmp_path: Path, change, complaint: str):
    changed = change(_page())
    assert changed != _page()
    (tmp_path / "dns.nxdomain.md").write_text(changed, "utf-8")
    assert any(complaint in problem for problem in cause_pages.problems(tmp_path) if "nxdomain" in problem)


def test_fixing_restores_the_front_block_and_leaves_the_rest(tmp_path: Path):
    path = tmp_path / "dns.nxdomain.md"
    path.write_text(_page().replace("The resolver says", "Somebody says", 1), "utf-8")
    cause_pages.fix(tmp_path)
    assert path.read_text("utf-8") == _page()


def test_pages_name_no_other_cause_than_those_of_the_vocabulary():
    layers = {cause.partition(".")[0] for cause in CAUSES}
    for cause in CAUSES:
        linked = re.findall(r"\]\(([a-z]+\.[a-z0-9-]+)\.md\)", _page(cause))
        assert set(linked) <= CAUSES.keys(), cause
        assert cause not in linked, f"{cause} is confused with itself"
        assert layers


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("Use `preflight frobnicate` now.", "no command 'frobnicate'"),
        ("```\npreflight run --frobnicate\n```", "no option --frobnicate"),
        ("Use `preflight checks frobnicate`.", "no command 'frobnicate'"),
        ("Use `preflight report run.json --vantage node`.", "no option --vantage"),
    ],
)
def test_a_command_or_option_that_does_not_exist_is_found(text: str, complaint: str):
    assert any(complaint in problem for problem in check_docs.commands(text))


@pytest.mark.parametrize(
    "text",
    [
        "Use `preflight run --config FILE --vantage workstation --only 'acr.*'`, or `preflight checks show ID`.",
        "    $ preflight demo --out preflight-out\n",
        "preflight is a tool, and `preflight.toml` its file; `preflight --version` says which.",
        "```\npreflight judge run.json --format html --out judged\n```",
    ],
)
def test_what_exists_is_not_complained_about(text: str):
    assert list(check_docs.commands(text)) == []


def test_a_link_to_nowhere_is_found(tmp_path: Path):
    page = tmp_path / "page.md"
    (tmp_path / "there.md").write_text("# A title: with `code`\n", "utf-8")
    text = "[a](there.md) [b](there.md#a-title-with-code) [c](gone.md) [d](there.md#gone) [e](https://example.com)"
    assert [problem.split(":")[0] for problem in check_docs.links(page, text)] == [
        "link to gone.md",
        "link to there.md#gone",
    ]


def test_a_pattern_that_matches_no_requirement_is_found():
    text = "`--skip 'telemetry.*'` and `--only 'nothing.*'` and `--only 'dependency.*'`"
    assert list(check_docs.patterns(text, ["telemetry.reach"])) == ["'nothing.*' matches no requirement"]


def test_the_help_in_the_readme_is_what_the_command_prints():
    printed = subprocess.run(
        [sys.executable, "-P", "-m", "preflight", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert check_docs.help_text() == printed
    assert check_docs.help_block() in (ROOT / "README.md").read_text("utf-8")


def test_the_documents_of_this_tree_agree_with_the_code():
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONSAFEPATH"}
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "check_docs.py")],
        capture_output=True,
        text=True,
        env=environ,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_the_table_of_no_proxy_readers_says_what_the_engine_does():
    text = (ROOT / "docs" / "proxies-and-inspection.md").read_text("utf-8")
    rows = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \| (\w+) \| (\w+) \| (\w+) \| (\w+) \|$", text, re.MULTILINE)
    assert len(rows) >= 7
    for entry, host, *said in rows:
        done = [
            "direct" if applies(entry, host, 443, reader) else "proxy" for reader in ("go", "curl", "python", "dotnet")
        ]
        assert said == done, (entry, host)
