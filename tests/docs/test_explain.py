"""`preflight explain`: the pages as a terminal shows them."""

import re

import pytest
from click.testing import CliRunner

from preflight import resources
from preflight.cli.explain import explain, page, table
from preflight.cli.page import to_terminal
from preflight.failures import UsageFailure
from preflight.model.causes import CAUSES

_LONG_BY_NATURE = re.compile(r"^ {2,}\S+$")  # one word, for example a URL, that has no place to break


@pytest.mark.parametrize("cause", CAUSES)
def test_every_cause_is_explained_within_80_columns(cause: str):
    text = page(cause)
    assert text.startswith(f"{cause}\n")
    code = set(re.findall(r"^ *```\n(.*?)^ *```", _source(cause), re.MULTILINE | re.DOTALL))
    lines_of_code = {line.strip() for block in code for line in block.splitlines()}
    wide = [line for line in text.splitlines() if len(line) > 80 and line.strip() not in lines_of_code]
    assert [line for line in wide if not _LONG_BY_NATURE.match(line)] == []


@pytest.mark.parametrize("cause", CAUSES)
def test_meaning_and_remedy_stand_at_the_top(cause: str):
    top = " ".join(page(cause).partition("What it means")[0].split())
    assert " ".join(CAUSES[cause].meaning.split()) in top
    assert " ".join(CAUSES[cause].remedy.split()) in top


def test_no_mark_of_markdown_is_left_in_any_page():
    for cause in CAUSES:
        text = page(cause)
        assert "](" not in text, cause
        assert "**" not in text, cause
        assert "```" not in text, cause
        assert "\x00" not in text, cause


def test_code_keeps_its_lines_and_its_own_indentation():
    shown = to_terminal("1. Do it:\n\n   ```\n   first \\\n     second\n   ```\n2. Then that.\n")
    assert "      first \\\n        second" in shown
    assert shown.rstrip().endswith("  2. Then that.")


def test_a_command_is_not_broken_where_it_fits_on_a_line():
    command = "az network vnet show -g RG -n VNET --query dhcpOptions.dnsServers"
    shown = to_terminal(f"Look at what the network hands out, with the command `{command}` and compare.\n")
    assert any(command in line for line in shown.splitlines())


def test_stars_inside_code_are_kept():
    assert "*.data.mcr.microsoft.com" in to_terminal("Allow `*.data.mcr.microsoft.com`, it is *likely* enough.\n")
    assert "*likely*" not in to_terminal("Allow `*.data.mcr.microsoft.com`, it is *likely* enough.\n")


@pytest.mark.parametrize(
    ("typed", "suggested"),
    [
        ("dns.nxdomian", "dns.nxdomain"),
        ("TLS.Intercepted", "tls.intercepted"),
        ("storage.denied", "storage.denied-by-network"),
        ("block-page", "http.block-page"),
        ("dns", "preflight explain --list dns"),
        ("quite something else", "preflight explain --list"),
    ],
)
def test_an_unknown_cause_suggests_what_may_be_meant(typed: str, suggested: str):
    with pytest.raises(UsageFailure, match="is not a cause") as failure:
        page(typed)
    assert suggested in str(failure.value)


def test_what_was_typed_is_bounded_in_the_message():
    with pytest.raises(UsageFailure) as failure:
        page("x" * 100_000)
    assert len(str(failure.value)) < 300


def test_the_list_has_every_cause_once_with_its_owner():
    heads = [line for line in table().splitlines() if not line.startswith(" ")]
    assert heads == [f"{cause.id}  ({cause.owner})" for cause in CAUSES.values()]


def test_the_list_can_be_narrowed_to_a_layer():
    heads = [line.split()[0] for line in table("proxy").splitlines() if not line.startswith(" ")]
    assert heads == [cause for cause in CAUSES if cause.startswith("proxy.")]
    with pytest.raises(UsageFailure):
        table("nothing-begins-like-this")


def test_the_command_prints_the_page_and_without_a_cause_the_list():
    assert CliRunner().invoke(explain, ["tcp.timeout"]).output == page("tcp.timeout")
    assert CliRunner().invoke(explain, []).output == table() + "\n"
    assert CliRunner().invoke(explain, ["--list", "dns"]).output == table("dns") + "\n"


def _source(cause: str) -> str:
    return (resources.folder("causes") / f"{cause}.md").read_text("utf-8")
