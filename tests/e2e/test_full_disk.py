"""A disk that is full from the start, fills in mid-run, or turns read-only: the run goes on and the verdict is heard.

Needs root (or a user namespace): each disk is a small tmpfs in a mount namespace of its own. Fails without it.
"""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from builders import half_answered as half

pytestmark = pytest.mark.e2e

PREFLIGHT = shlex.join(half.COMMAND)


class Disk:
    """What happened on a small disk, copied from it before its namespace ended."""

    def __init__(self, folder: Path, script: str, *, options: str) -> None:
        self.at, self.kept = folder / "disk", folder / "kept"
        self.at.mkdir()
        self.kept.mkdir()
        whole = (
            f"mount -t tmpfs -o {options} tmpfs {self.at} || exit 99\n{script}\ncode=$?\n"
            f"chmod -R u+rwX {self.at} 2>/dev/null; cp -a {self.at}/. {self.kept}/ || exit 98\nexit $code"
        )
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", whole], capture_output=True, text=True, timeout=120, check=False
        )
        self.code, self.out, self.told = done.returncode, done.stdout, done.stderr
        assert self.code not in (98, 99), self.told

    @property
    def files(self) -> dict[str, Path]:
        return {path.relative_to(self.kept).as_posix(): path for path in self.kept.rglob("*") if path.is_file()}


@pytest.fixture
def config(tmp_path):
    with half.environment(tmp_path, answering=40, silent=0) as path:
        yield path


def run(config: Path, out: Path, *more: str) -> str:
    return f"{PREFLIGHT} {shlex.join(half.run_arguments(config, out, *more))}"


def test_a_disk_that_is_full_from_the_start_costs_the_reports_not_the_verdict(config, tmp_path):
    out = tmp_path / "disk" / "out"
    script = f"mkdir {out}; echo former > {out}/run.json; cat /dev/zero > {tmp_path}/disk/filler 2>/dev/null\n"
    disk = Disk(tmp_path, script + run(config, out), options="size=256k")
    assert disk.code == 2
    assert "40 pass" in disk.out
    assert "exit 0" in disk.out
    assert disk.told.count("the journal cannot be written: No space left on device") == 1
    assert "run.json: not written: No space left on device (free space there); what is there is older" in disk.told
    assert "report.html: not written: No space left on device" in disk.told
    assert "nothing of this run is on disk" in disk.told
    assert "exit 2 instead of 0" in disk.told
    assert disk.files["out/run.json"].read_text() == "former\n"
    assert set(disk.files) == {"out/run.json", "filler"}, "no litter"


def test_a_failing_run_on_a_full_disk_is_exit_1(config, tmp_path):
    config.write_text(
        config.read_text().replace("[limits]", '[[dependency]]\nname = "x"\nurl = "tcp://127.0.0.1:1"\n[limits]')
    )
    script = f"cat /dev/zero > {tmp_path}/disk/filler 2>/dev/null\n"
    disk = Disk(tmp_path, script + run(config, tmp_path / "disk"), options="size=256k")
    assert disk.code == 1
    assert "1 fail" in disk.out


def test_a_disk_that_fills_in_mid_run_keeps_what_was_written_until_then(config, tmp_path):
    """The first line fits and some observations; everything after the first refusal is said once and goes on."""
    head = _first_line_size(config, tmp_path)
    pages = -(-head // 4096) + 4  # the folder's own and a few for observations
    (tmp_path / "half").mkdir()
    out = tmp_path / "half" / "disk" / "out"
    disk = Disk(tmp_path / "half", run(config, out), options=f"size={pages * 4}k")
    assert disk.code == 2
    assert "40 pass" in disk.out
    assert disk.told.count("the journal cannot be written: No space left on device") == 1
    (journal,) = [path for name, path in disk.files.items() if name.endswith(".journal.jsonl")]
    assert set(disk.files) == {f"out/{journal.name}"}, "no litter"
    command = re.search(r"the run is kept: preflight (judge .*?), or with", disk.told)[1]
    assert journal.name in command
    code, judged = half.judged(journal, tmp_path / "judged")
    assert code == 130
    seen = len(half.observed(journal))
    assert 0 < seen < 40
    assert judged["counts"]["pass"] in (seen, seen + 1)
    assert judged["counts"]["unknown"] == 40 - judged["counts"]["pass"]


def _first_line_size(config: Path, folder: Path) -> int:
    """Of the journal that such a run begins with: killed as soon as it is there."""
    out = folder / "sized"
    child = half.start(*half.run_arguments(config, out))
    journal = half.until(lambda: half.journal_in(out), child)
    half.kill(child, half.signal.SIGKILL)
    assert journal is not None
    return journal.read_bytes().index(b"\n") + 1


def test_a_read_only_disk_is_known_before_anything_is_sent(config, tmp_path):
    disk = Disk(tmp_path, run(config, tmp_path / "disk/out"), options="ro")
    assert disk.code == 2
    assert "Read-only file system (that file system is read-only)" in disk.told
    assert "give a folder that can, with --out DIR" in disk.told
    assert "looking at" not in disk.told


def test_a_disk_that_turns_read_only_in_mid_run_leaves_the_verdict(tmp_path):
    """Another, read-only file system is mounted over the folder while the run waits for a target."""
    out = tmp_path / "disk" / "out"
    with half.environment(tmp_path, answering=5, silent=1) as config:
        script = (
            f"{run(config, out)} &\npid=$!\n"
            f'until [ "$(grep -c \'"line":"observation"\' {out}/run-*.jsonl 2>/dev/null)" = 5 ]; do sleep 0.05; done\n'
            f"mount -t tmpfs -o ro tmpfs {out}\nkill -TERM $pid; wait $pid"
        )
        disk = Disk(tmp_path, script, options="size=16m")
    assert disk.code == 130
    assert "5 pass" in disk.out
    assert "run.json: not written: Read-only file system" in disk.told
    assert "Traceback" not in disk.told


def test_a_user_without_the_right_to_write_is_told(config, tmp_path):
    """Root without the capability that overrides permissions is such a user."""
    out = tmp_path / "disk" / "out"
    script = f"mkdir -m 555 {out}\nsetpriv --bounding-set=-dac_override {run(config, out)}"
    disk = Disk(tmp_path, script, options="size=16m")
    assert disk.code == 2
    assert f"--out {out}: cannot be written: Permission denied (you have no right to write there)" in disk.told
    assert not [name for name in disk.files if name.startswith("out/")]


def test_a_demo_on_a_small_disk_keeps_the_beginning_of_its_journal(tmp_path):
    out = tmp_path / "disk" / "out"
    disk = Disk(tmp_path, f"{PREFLIGHT} demo --out {out}", options="size=192k")
    assert disk.code == 2
    assert "exit 0" in disk.out
    assert disk.told.count("the journal cannot be written") == 1
    assert "run.json: not written: No space left on device" in disk.told
    (journal,) = disk.files.values()
    code, judged = half.judged(journal, tmp_path / "judged")
    assert code == 130
    assert len(judged["observations"]) in (len(half.observed(journal)), len(half.observed(journal)) + 1)
    assert judged["counts"]["fail"] == 0
