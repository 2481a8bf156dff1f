"""Every TOML example in a document loads: a newcomer copies it, and it must be right."""

import re
from pathlib import Path

import pytest

from preflight import catalogue, environment
from preflight.lab.pki import Authority

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLES = [
    pytest.param(text, id=f"{page.name}-{number}")
    for page in PAGES
    for number, text in enumerate(re.findall(r"^```toml\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL))
]


def test_there_are_examples():
    assert len(EXAMPLES) >= 6


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_loads(example: str, tmp_path: Path):
    if "[[requirement]]" in example:
        (tmp_path / "90-own.toml").write_text(example, "utf-8")
        known = {requirement.id for requirement in catalogue.load([tmp_path]).requirements}
        assert set(re.findall(r'^id = "([^"]+)"', example, re.MULTILINE)) <= known
        return
    for name in re.findall(r'"([a-z-]+\.pem)"', example):
        (tmp_path / name).write_text(Authority("Example Root").pem, "utf-8")
    (tmp_path / "sas.txt").write_text("sv=2025-01-05&sig=x", "utf-8")
    head = "" if "schema_version" in example else "schema_version = 1\n"
    path = tmp_path / "preflight.toml"
    path.write_text(head + example, "utf-8")
    loaded = environment.load(path, environ={}, clouds=catalogue.load_clouds())
    assert loaded.schema_version == 1
