"""Files are whole or not there; what a dead process left is swept, what a living one writes is not. Signals in turn."""

import asyncio
import fcntl
import os
import signal

import pytest

from preflight.cli import files, signals


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path):
    path = tmp_path / "x"
    path.write_text("old")
    files.replace(path, "new\n")
    assert path.read_text() == "new\n"
    assert [one.name for one in tmp_path.iterdir()] == ["x"]


def test_the_umask_decides_who_may_read_a_report(tmp_path):
    before = os.umask(0o027)
    try:
        files.replace(tmp_path / "x", "")
    finally:
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640


def test_a_link_is_replaced_not_followed(tmp_path):
    (tmp_path / "target").write_text("precious")
    (tmp_path / "x").symlink_to(tmp_path / "target")
    files.replace(tmp_path / "x", "new")
    assert (tmp_path / "target").read_text() == "precious"
    assert not (tmp_path / "x").is_symlink()


def test_a_failure_leaves_the_former_file_and_no_litter(tmp_path):
    (tmp_path / "x").mkdir()
    with pytest.raises(IsADirectoryError):
        files.replace(tmp_path / "x", "new")
    assert [one.name for one in tmp_path.iterdir()] == ["x"]


def test_only_what_nobody_is_writing_is_swept(tmp_path):
    living, path = files.create(tmp_path)
    dead, left = files.create(tmp_path)
    os.close(dead)
    (tmp_path / ".preflight-notes").write_text("somebody's")
    (tmp_path / ".preflight-x.tmp").mkdir()
    files.sweep(tmp_path)
    assert path.exists()
    assert not left.exists()
    assert (tmp_path / ".preflight-notes").exists()
    assert (tmp_path / ".preflight-x.tmp").is_dir()
    os.close(living)


def test_a_lock_tells_the_living_from_the_dead(tmp_path):
    path = tmp_path / "x"
    path.write_text("")
    assert not files.in_use(path)
    with path.open() as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        assert files.in_use(path)
    assert not files.in_use(path)
    assert not files.in_use(tmp_path / "absent")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_is_an_interrupt_and_the_former_handlers_come_back(number: signal.Signals):
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    with pytest.raises(KeyboardInterrupt), signals.translated():
        signal.raise_signal(number)
    assert {one: signal.getsignal(one) for one in before} == before


def test_the_first_signal_lets_the_reports_finish_and_the_second_does_not(capfd):
    done = []
    with signals.deferred():
        signal.raise_signal(signal.SIGTERM)
        done.append("the reports")
    with signals.deferred():
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert done == ["the reports"]
    assert capfd.readouterr().err.count("finishing the reports") == 2


async def test_work_ends_at_a_signal_and_says_so():
    async def work() -> None:
        signal.raise_signal(signal.SIGTERM)
        await asyncio.sleep(3600)

    assert await signals.until_signalled(work()) is True
    assert await signals.until_signalled(asyncio.sleep(0)) is False


def test_a_second_signal_ends_work_that_does_not_end():
    async def stubborn() -> None:
        signal.raise_signal(signal.SIGTERM)
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            signal.raise_signal(signal.SIGTERM)
            await asyncio.sleep(3600)

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(signals.until_signalled(stubborn()))
