# ruff: noqa: RUF001 - the reports write a multiplication sign
"""Twenty pools and a thousand places stay readable in every format, and nothing of them is lost."""

import re
from xml.etree import ElementTree as ET

import msgspec
import pytest
from builders import crowd
from builders.example_runs import EXAMPLES
from builders.facts import change, check, connection, evidence, hop, observation, plan
from msgspec import UNSET

from preflight.judge import judge
from preflight.model.vocabulary import ProbeName, Status
from preflight.render import console, html, junit, markdown, text, view
from preflight.render.columns import Column, columns, places
from preflight.render.formats import Format, parts

FAILING, PARTIAL, HEALTHY = (EXAMPLES[name]() for name in ("failing", "partial", "healthy"))
POOLS = crowd.pools(20)
ODD = ("node/user2", "node/user7", "pod/user3")
BAD = "tls.reset-after-hello"


@pytest.fixture(scope="module")
def twenty():
    return crowd.run(HEALTHY, POOLS, dict.fromkeys(ODD, FAILING))


@pytest.fixture(scope="module")
def thousand():
    names = crowd.nodes(1000)
    return crowd.run(HEALTHY, names, {names[3]: FAILING, names[700]: PARTIAL})


def cells_of(run):
    return [row.cells for row in view.rows(run)]


def test_identical_columns_fold_and_those_in_trouble_stand_first(twenty):
    found = columns(POOLS, cells_of(twenty), 8)
    assert [column.label for column in found] == ["node ×2", "pod/user3", "workstation", "node ×18", "pod ×19"]
    assert found[0].vantages == ("node/user2", "node/user7")
    assert sorted(name for column in found for name in column.vantages) == sorted(POOLS)
    assert found[3].words == "node: 18 pools alike"


def test_what_has_no_room_of_its_own_shares_a_column_that_says_so():
    names = tuple(f"node/p{number}" for number in range(9))
    runs = [HEALTHY, FAILING, PARTIAL]
    run = crowd.run(HEALTHY, names, {name: runs[at % 3] for at, name in enumerate(names)})
    first, rest = columns(names, cells_of(run), 2)
    assert first == Column(label="node ×3", vantages=("node/p1", "node/p4", "node/p7"))
    assert (rest.label, rest.alike, len(rest.vantages)) == ("node …×6", False, 6)
    assert rest.words == "node: 6 pools that are not all alike; a cell shows the worst of them"


def test_as_many_vantages_as_fit_keep_their_columns_and_their_order(twenty):
    assert [column.label for column in columns(POOLS[:8], cells_of(twenty), 8)] == list(POOLS[:8])


@pytest.mark.parametrize(
    ("names", "every", "words"),
    [
        ((), (), ""),
        (("workstation", "node/a", "node/a", ""), (), "workstation, node/a"),
        (POOLS, POOLS, "workstation, node ×20 (all), pod ×20 (all)"),
        (POOLS[1:20], POOLS, "node ×19 of 20 (node/system, node/user1, node/user2 and 16 more)"),
        (POOLS[1:20], (), "node ×19 (node/system, node/user1, node/user2 and 16 more)"),
    ],
)
def test_places_are_named_while_they_are_few_and_counted_when_they_are_many(names, every, words):
    assert places(names, every) == words


def test_the_console_fits_80_columns_and_names_the_odd_ones(twenty, thousand):
    for run, most in ((twenty, 80), (thousand, 90)):
        shown = console.render(run)
        lines = shown.splitlines()
        assert max(map(text.width, lines)) <= 80
        assert len(lines) <= most
    shown = console.render(twenty)
    assert "node/user2, node/user7  tls.reset-after-hello" in shown
    assert re.search(r"router-install +node ×2 +workstation +node ×18 +pod ×20", shown)
    assert re.search(
        r"model-deploy +node ×2 +pod/user3 +workstation +node ×18 +pod ×19", console.render(twenty, width=100)
    )


def test_the_verbose_console_lists_no_thousand_names(thousand):
    assert len(console.render(thousand, verbose=True).splitlines()) < 200


def test_the_page_has_few_columns_and_lists_every_member_once(twenty):
    page = html.render(twenty)
    heads = re.findall(r'<th role="columnheader" scope="col">([^<]*)', page)
    assert heads == ["Requirement", "node ×2", "pod/user3", "workstation", "node ×18", "pod ×19"]
    folded = re.search(r'<ul class="folded">.*?</ul>', page, re.DOTALL)[0]
    assert "<b>node ×18</b> node: 18 pools alike" in folded
    members = [name for listed in re.findall(r'class="members">([^<]*)<', folded) for name in listed.split(", ")]
    assert sorted(members) == sorted(name for name in POOLS if name not in ("workstation", "pod/user3"))


def test_the_page_tells_whom_the_evidence_stands_for(twenty):
    page = html.render(twenty)
    assert "node/user2 stands for node/user2, node/user7" in page
    assert "node/system stands for node ×18 of 20" in page


def test_a_cell_tells_alike_verdicts_once(twenty):
    page = html.render(twenty)
    panel = next(one for one in re.findall(r'<div class="panel">.*?</div></details>', page, re.DOTALL) if BAD in one)
    assert panel.count('<div class="said">') == 1
    assert "node/user2, node/user7: failed" in panel


def test_the_page_of_a_thousand_places_is_small(thousand):
    """8 MB is the most that is allowed; what one place more costs is its name."""
    page = html.render(thousand)
    assert len(page.encode()) < 1_500_000
    assert page.count("vmss000500") <= 4


def test_the_page_tells_reasons_with_names_in_them_a_few_times():
    """A thousand probes that cannot be pulled say so with a thousand names of nodes."""
    names = crowd.nodes(200)
    run = crowd.run(HEALTHY, names, dict.fromkeys(names[5:], PARTIAL))
    verdicts = tuple(
        one
        if one.cause != "vantage.not-run"
        else msgspec.structs.replace(one, reason=f"{one.vantage} cannot pull the image")
        for one in run.verdicts
    )
    run = msgspec.structs.replace(run, verdicts=verdicts)
    most = {console: 3, markdown: 3 * 21 * 2, html: 3 * 21 * 3}  # 21 requirements of pods; cell, evidence, list
    for module, number in most.items():
        shown = module.render(run)
        assert 3 <= shown.count("cannot pull the image") <= number
        assert "told in 97 other ways" in shown


def test_markdown_has_a_column_per_folded_vantage_and_a_line_for_many(twenty):
    shown = markdown.render(twenty)
    assert "| requirement | `node ×2` | `pod/user3` | `workstation` | `node ×18` | `pod ×19` |" in shown
    assert "| `mcr.layers` | ❌ |  | (✅) | ✅ |  |" in shown
    assert "`mcr.layers` at node/user2, node/user7 |" in shown
    assert "- `node ×18`: node: 18 pools alike: node/system, node/user1, node/user3" in shown


def test_junit_keeps_a_case_for_every_check(thousand):
    root = ET.fromstring(junit.render(thousand))
    assert int(root.get("tests")) == len(thousand.verdicts)
    assert int(root.get("failures")) == sum(one.status == "fail" and one.decides for one in thousand.verdicts)


def pods_that_ask(pools: int, *silent: tuple[int, int]):
    """Each pool asks its two neighbours; `silent` pairs get no answer."""
    checks, seen = [], []
    for source in range(pools):
        for peer in ((source + 1) % pools, (source - 1) % pools):
            task, at = f"peers:p{peer}.pods:5001", f"pod/p{source}"
            one = check("peers.model", at=at, target=f"p{peer}.pods:5001", task=task)
            checks.append(change(one, id=f"{one.id}[p{peer}.pods]"))
            how = "timeout" if (source, peer) in silent else "connected"
            made = connection(f"10.251.{peer}.7", secure=False, result=how, port=5001)
            facts = {"peer": f"p{peer}.pods"} | ({} if how == "timeout" else {"answer": "match"})
            step = hop(url=f"tcp://10.251.{peer}.7:5001", dns=UNSET, connections=(made,), http=UNSET, service=facts)
            seen.append(observation(step, task=task, at=at, probe=ProbeName.PEERS, target=f"p{peer}.pods:5001"))
    return judge(evidence(plan(*checks), *seen))


def test_pools_whose_pods_reach_each_other_are_one_row_and_one_column():
    run = pods_that_ask(20)
    (row,) = view.rows(run)
    assert (row.target, len(row.cells), row.status) == ("20 pools", 20, Status.PASS)
    assert [one.label for one in columns(view.vantages(run), [row.cells], 8)] == ["pod \u00d720"]


def test_a_pair_that_fails_keeps_a_row_of_its_own_beside_the_others():
    run = pods_that_ask(20, (3, 4))
    assert [(row.target, row.status) for row in view.rows(run)] == [
        ("p4.pods:5001", Status.FAIL),
        ("19 pools", Status.PASS),
    ]
    page = "".join(parts(Format.HTML, run))
    assert all(f"p{number}.pods" in page for number in range(20))
