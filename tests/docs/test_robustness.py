"""The page on robustness says what the code has, and every test and behaviour that it names is there."""

import re
import subprocess
import sys
from pathlib import Path

from hostile_shared.behaviours import BEHAVIOURS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "robustness.md").read_text(encoding="utf-8")
LIMIT = re.compile(r"^_?(?:MAX_[A-Z_]+|[A-Z]+_LIMIT|LARGEST|LIMIT)(?:: Final)? = ", re.MULTILINE)


def test_the_table_of_limits_is_what_the_code_has():
    subprocess.run([sys.executable, str(ROOT / "tools" / "robustness.py"), "--check"], check=True)


def test_every_test_in_the_table_exists():
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", PAGE)
    assert len(named) > 30
    for file, test in named:
        assert re.search(rf"def {test}\(", (ROOT / "tests" / "hostile" / file).read_text(encoding="utf-8")), test


def test_every_behaviour_that_is_tested_has_its_row_and_result():
    for one in BEHAVIOURS:
        result, status, cause = one.expect
        told = f"{status}: {cause}" if cause else status
        assert re.search(
            rf"^\| {re.escape(f'{one.group}: {one.name}')} \| \d+ \| {result} \| {re.escape(told)} \|",
            PAGE,
            re.MULTILINE,
        ), one.name


def test_every_public_limit_of_the_probes_is_in_the_table():
    for path in sorted((ROOT / "preflight" / "probes").rglob("*.py")):
        for found in LIMIT.findall(path.read_text(encoding="utf-8")):
            name = found.split(":")[0].split(" ")[0]
            assert name.startswith("_") or f"`{name}`" in PAGE or name in NOT_FROM_OUTSIDE, f"{path.name}: {name}"


# Counts of what we do, and texts that are cut from bounded ones.
NOT_FROM_OUTSIDE = {
    *("MAX_THREADS", "MAX_HANDSHAKES", "MAX_HOSTS_FILE", "MESSAGE_LIMIT"),
    *("MAX_CHAIN", "MAX_TEXT", "MAX_ADDRESSES"),
}
