"""All formats tell the same: counts and exit code, whatever the run."""

import json as stdlib
import re
import unicodedata
import xml.etree.ElementTree as ET

from builders import runs
from hypothesis import given, settings
from hypothesis import strategies as st

from preflight.model.vocabulary import Phase, ProbeName, Severity, Status
from preflight.render import FILES, RENDERERS, Format, view

OBEYED = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
ANYTHING = st.text(max_size=30)
OF = runs.task(ProbeName.HTTP, "a.example")


@st.composite
def finished(draw):
    """Any verdicts at all, with any text."""
    verdicts = []
    for number in range(draw(st.integers(0, 9))):
        status = draw(st.sampled_from(Status))
        check = runs.check(
            f"dependency.d{number % 4}",
            draw(st.sampled_from(["workstation", "node/a", "node/b", "pod/a"])),
            OF,
            title=draw(ANYTHING),
            phase=draw(st.sampled_from(Phase)),
            severity=draw(st.sampled_from(Severity)),
            decides=draw(st.booleans()),
            suffix=f"[{number}]",
        )
        cause = None if status in {Status.PASS, Status.SKIPPED, Status.BLOCKED} else "tls.intercepted"
        verdicts.append(runs.verdict(check, status, cause=cause, reason=draw(ANYTHING), at=draw(st.none() | ANYTHING)))
    return runs.run(
        tuple(verdicts),
        headline=draw(ANYTHING) or "x",
        banner=draw(ANYTHING),
        strict=draw(st.booleans()),
        interrupted=draw(st.booleans()),
        environment={"environment": {"cluster": draw(ANYTHING)}, draw(ANYTHING): draw(ANYTHING)},
    )


def test_the_tables_are_complete():
    assert set(RENDERERS) == set(FILES) == set(Format)
    assert len(set(FILES.values())) == len(FILES)


@settings(max_examples=60, deadline=None)
@given(finished())
def test_all_formats_agree_on_counts_and_exit_code(run):
    shown = {name: RENDERERS[name](run) for name in Format}
    counted = view.counted(run)
    document = stdlib.loads(shown[Format.JSON])
    assert (document["counts"], document["exit_code"]) == (run.counts, run.exit_code)
    assert counted in " ".join(shown[Format.CONSOLE].split())
    assert f"exit {run.exit_code}\n" in shown[Format.CONSOLE]
    assert f"{counted}** · exit {run.exit_code} " in shown[Format.MARKDOWN]
    assert f'<p class="counted">{counted}</p>' in shown[Format.HTML]
    assert f"exit code {run.exit_code} (" in shown[Format.HTML]
    _junit_agrees(run, ET.fromstring(shown[Format.JUNIT]))


def _junit_agrees(run, root):
    suites = [suite for suite in root if suite.get("name") != "gate" and not suite.get("name").startswith("comparison")]
    total = {key: sum(int(suite.get(key)) for suite in suites) for key in ("tests", "failures", "errors", "skipped")}
    assert total == {
        "tests": sum(run.counts.values()),
        "failures": run.counts["fail"],
        "errors": run.counts["unknown"],
        "skipped": run.counts["skipped"] + run.counts["blocked"] + run.counts["waived"],
    }
    codes = {one.get("value") for one in root.iter("property") if one.get("name") == "exit_code"}
    assert codes <= {str(run.exit_code)}


@settings(max_examples=60, deadline=None)
@given(finished())
def test_no_format_lets_a_dangerous_character_through(run):
    for name in Format:
        shown = RENDERERS[name](run)
        ours = {"\n", "\t", "\u200b", "\ufe0f"} if name is Format.MARKDOWN else {"\n", "\t"}
        assert not [char for char in shown if unicodedata.category(char) in OBEYED and char not in ours]
        assert shown.endswith("\n")
        assert not re.search("\ud800|\udfff", shown)
