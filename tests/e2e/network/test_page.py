"""docs/scenarios.md says what was seen. Runs last; see conftest."""

import pytest
from bed.page import PAGE, render
from bed.scenario import scenarios, worlds

pytestmark = pytest.mark.e2e


def test_the_page_says_what_was_seen(seen, request):
    broken, healthy = scenarios(), worlds()
    fresh = render(broken, healthy, seen)
    if request.config.option.write_scenarios:
        assert len(seen) == len(broken) + len(healthy), "the page is written by a run of all scenarios"
        PAGE.write_text(fresh)
    page = PAGE.read_text().splitlines()
    rows = [line for line in fresh.splitlines() if line.startswith("|") and "| not run |" not in line]
    assert [row for row in rows if row not in page] == [], "run again with --write-scenarios"
    if len(seen) == len(broken) + len(healthy):
        assert fresh.splitlines() == page, "run again with --write-scenarios"
