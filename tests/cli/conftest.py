"""The command line in this process: exit code, stdout, stderr."""

import pytest

from preflight.cli.main import main


@pytest.fixture
def preflight(capsys):
    def call(*argv: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(list(argv))
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out, err

    return call
