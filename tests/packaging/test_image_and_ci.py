"""The recipe of the images and of CI, as far as a file says it. `make image` builds them for real."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def _stages() -> dict[str, str]:
    text = (ROOT / "Dockerfile").read_text("utf-8")
    parts = re.split(r"^FROM .* AS ([a-z-]+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_base_image_is_a_required_argument_without_default():
    text = (ROOT / "Dockerfile").read_text("utf-8")
    assert re.search(r"^ARG BASE$", text, re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {"${BASE}", "build"}


def test_both_targets_run_as_an_ordinary_user_and_start_the_command():
    for target in ("cli", "probe"):
        stage = _stages()[target]
        assert "USER 65532:65532" in stage
        assert 'ENTRYPOINT ["/opt/preflight/bin/preflight"]' in stage
        assert "RUN" not in stage, "final stages only copy"


def test_the_probe_image_holds_the_base_install_only():
    assert re.search(r"^RUN sh /install.sh azureml-aks-preflight$", _stages()["build-probe"], re.MULTILINE)
    assert "[all]" in _stages()["build-cli"]


def test_ci_runs_every_target_that_checks_something():
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    loop = re.search(r"for target in (.*); do", script)
    assert loop is not None
    run = {*re.findall(r"^ *make ([a-z0-9]+)", script, re.MULTILINE), *loop.group(1).split()}
    assert run >= {"test", "lint", "types", "contracts", "docs", "e2e", "image"}


def test_each_target_of_make_is_explained():
    text = (ROOT / "Makefile").read_text("utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert phony is not None
    explained = set(re.findall(r"^([a-z0-9-]+):.*## .+$", text, re.MULTILINE))
    assert set(phony.group(1).split()) == explained
