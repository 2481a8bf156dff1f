"""The edge: help is quick, every failure is a message and an exit code, no traceback reaches a user."""

import subprocess
import sys

import click
import pytest

from preflight import failures
from preflight.cli import main as edge


def preflight(*argv: str, stdin: bytes = b"", **environ: str) -> subprocess.CompletedProcess[str]:
    import os

    return subprocess.run(
        [sys.executable, "-P", "-m", "preflight", *argv],
        input=stdin.decode(),
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environ},
        check=False,
    )


def test_help_names_every_command_and_the_exit_codes():
    done = preflight("--help")
    assert done.returncode == 0
    for word in ("run", "plan", "init", "demo", "report", "judge", "explain", "checks", "agent", "could not test"):
        assert word in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_help_imports_nothing_heavy():
    heavy = "{'asyncio', 'rich', 'httpx', 'dns', 'kubernetes', 'azure', 'jinja2', 'cryptography', 'msgspec'}"
    code = (
        "import sys; from preflight.cli.main import main\n"
        f"try: main(['--help'])\nexcept SystemExit: print({heavy} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "set()"


@pytest.mark.parametrize("command", edge._COMMANDS)
def test_every_command_loads_and_has_help(command: str):
    done = preflight(command, "--help")
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_an_unknown_command_is_exit_2():
    done = preflight("runn")
    assert done.returncode == 2
    assert "runn" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_failure_is_its_message_and_its_exit_code(capsys: pytest.CaptureFixture[str]):
    @click.command()
    def broken() -> None:
        raise failures.UsageFailure("preflight.toml: environment.region: what is wrong\n  what is right")

    edge.cli.add_command(broken, "broken-for-test")
    edge._COMMANDS["broken-for-test"] = (__name__, "")
    globals()["broken-for-test"] = broken
    try:
        assert edge._run(["broken-for-test"]) == 2
    finally:
        del edge._COMMANDS["broken-for-test"]
    assert capsys.readouterr().err == "preflight.toml: environment.region: what is wrong\n  what is right\n"


def test_our_own_bug_is_reported_as_ours_and_says_nothing_about_the_network(capsys: pytest.CaptureFixture[str]):
    assert edge._own_bug(ZeroDivisionError("x" * 1000)) == 3
    said = capsys.readouterr().err
    assert "ZeroDivisionError" in said
    assert "bug in preflight" in said
    assert len(said) < 800


def test_an_agent_without_a_plan_says_what_is_wrong():
    done = preflight("agent", "--plan", "-", stdin=b'{"schema_version":1}')
    assert done.returncode == 2
    assert "not a plan of one vantage" in done.stderr


def test_an_agent_names_a_plan_of_another_version():
    done = preflight("agent", "--plan", "-", stdin=b'{"schema_version":7,"new":true}')
    assert done.returncode == 2
    assert "schema version 7" in done.stderr


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"schema_version":1}', b"\xff\xfe", b'{"schema_version":99}'])
@pytest.mark.parametrize("command", ["report", "judge"])
def test_a_run_file_that_is_none_is_exit_2_and_names_the_file(tmp_path, command: str, content: bytes):
    path = tmp_path / "run.json"
    path.write_bytes(content)
    done = preflight(command, str(path), "--out", str(tmp_path / "out"))
    assert done.returncode == 2, done.stderr
    assert str(path) in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out" / "run.json").exists()


def test_an_output_folder_that_cannot_be_written_is_known_before_anything_is_sent(tmp_path):
    (tmp_path / "file").write_text("x")
    done = preflight("demo", "--out", str(tmp_path / "file" / "out"))
    assert done.returncode == 2
    assert "--out" in done.stderr
    assert "looking at" not in done.stderr


def test_stdout_takes_one_format():
    done = preflight("demo", "--out", "-")
    assert done.returncode == 2
    assert "--format json --out -" in done.stderr


@pytest.mark.parametrize("argv", [(), ("--plan", "-", "--listen", "5001")])
def test_an_agent_has_a_plan_or_listens(preflight, argv: tuple[str, ...]):
    code, _, err = preflight("agent", *argv)
    assert code == 2
    assert "give --plan FILE, or --listen PORTS" in err
