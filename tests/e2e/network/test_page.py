"""docs/scenarios.md says what was seen. Runs last; see conftest."""

import fcntl

import pytest
from bed.page import NOT_RUN, PAGE, kept, render
from bed.scenario import scenarios, worlds

pytestmark = pytest.mark.e2e


def test_the_page_says_what_was_seen(seen, request):
    """Row by row, for whatever part of the scenarios ran here; `--write-scenarios` writes those rows."""
    broken, healthy = scenarios(), worlds()
    with PAGE.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # another part may run beside this one
        fresh = render(broken, healthy, kept(file.read(), broken, healthy) | seen)
        if request.config.option.write_scenarios:
            file.seek(0)
            file.truncate()
            file.write(fresh)
    rows = [line for line in render(broken, healthy, seen).splitlines() if f"| {NOT_RUN} |" not in line]
    page = PAGE.read_text().splitlines()
    assert [row for row in rows if row not in page and row.startswith("|")] == [], "run again with --write-scenarios"
