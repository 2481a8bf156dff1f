"""A whole run in this process: the lab's environment with changes in, the judged run out."""

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import pytest

from preflight import catalogue as catalogues
from preflight import environment as environments
from preflight.cli.conduct import Circumstances, conducted
from preflight.cli.journal import Journal
from preflight.judge import judge
from preflight.lab.embedded import VANTAGES, Lab
from preflight.lab.faults import parse
from preflight.model.run import Run
from preflight.plan import build
from preflight.vantages.workstation import workstation

Judged = Callable[..., Awaitable[Run]]


@pytest.fixture
def judged(tmp_path: Path) -> Judged:
    """`await judged("R=C", sets={"api_server.access": "private"}, only=("acr.*",), credentials=False, ...)`."""

    async def run(
        *faults: str,
        sets: Mapping[str, str] | None = None,
        without: Sequence[str] = (),
        credentials: bool = True,
        vantages: Sequence[str] = VANTAGES,
        strict: bool = False,
        **choice: object,
    ) -> Run:
        async with Lab(faults=[parse(fault) for fault in faults]) as lab:
            path = lab.write_environment(tmp_path)
            _strip(path, (*without, *(() if credentials else ("credentials",))))
            environ = {**os.environ, **lab.secrets}
            env = environments.load(path, overrides=sets or {}, environ=environ, clouds=catalogues.load_clouds())
            plan = build(catalogues.load(), env, vantages=tuple(vantages), **choice)  # type: ignore[arg-type]
            runs = dict.fromkeys(vantages, workstation)
            how = Circumstances(quiet=True, strict=strict, detours=lab.mappings)
            return judge(
                await conducted(plan, env, runs, environments.read_secrets(env, environ), how, kept=Journal(None))
            )

    return run


def _strip(path: Path, names: Sequence[str]) -> None:
    """Take whole tables ("credentials") or single keys ("api_server.ca_file") out of the file."""
    kept, table = [], ""
    for line in path.read_text().splitlines():
        if line.startswith("["):
            table = line.strip("[]")
        key = f"{table}.{line.partition('=')[0].strip()}"
        if table not in names and key not in names:
            kept.append(line)
    path.write_text("\n".join(kept) + "\n")
