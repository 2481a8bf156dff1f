"""The same runner behind the line protocol: a plan in, JSON lines out. Exit code 0 whatever the checks say.

Secrets come in environment variables `PREFLIGHT_SECRET_<NAME>`, never in the plan or on the command line.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from preflight import __version__, runner
from preflight.failures import UsageFailure
from preflight.model.observation import Observation, VantageFacts
from preflight.model.plan import VantagePlan
from preflight.model.secret import Secret, Secrets
from preflight.vantages import protocol, summary

SECRET_PREFIX = "PREFLIGHT_SECRET_"  # noqa: S105 - the name of a variable, not a secret
MAX_PLAN = 16 * 1024 * 1024  # bytes; a plan of a thousand targets has a thirtieth of this


def read_plan(text: bytes, source: str) -> VantagePlan:
    """The plan of one vantage; a plan of another schema version is named before anything else of it is read."""
    if len(text) > MAX_PLAN:
        raise UsageFailure(f"{source}: larger than {MAX_PLAN:,} bytes; this is no plan of one vantage")
    try:
        version = msgspec.json.decode(text, type=dict[str, msgspec.Raw]).get("schema_version", msgspec.Raw(b"1"))
        if bytes(version) != b"1":
            told = bytes(version)[:20].decode(errors="replace")
            raise UsageFailure(f"{source}: plan of schema version {told}; this preflight {__version__} reads version 1")
        return msgspec.json.decode(text, type=VantagePlan)
    except RecursionError as error:
        raise UsageFailure(f"{source}: not a plan of one vantage: nested too deeply") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageFailure(f"{source}: not a plan of one vantage: {error}") from error


def secrets_from(environ: Mapping[str, str]) -> Secrets:
    """Secrets by name, out of the variables that the session set."""
    return {
        name.removeprefix(SECRET_PREFIX).lower(): Secret(value)
        for name, value in environ.items()
        if name.startswith(SECRET_PREFIX)
    }


def secrets_to(secrets: Secrets) -> dict[str, str]:
    """The variables for `secrets_from`."""
    return {SECRET_PREFIX + name.upper(): secret.reveal() for name, secret in secrets.items()}


async def speak(
    plan: VantagePlan,
    secrets: Secrets,
    write: Callable[[bytes], None],
    leave: Callable[[bytes], None] | None = None,
    node_trust: Path | None = None,
) -> None:
    """Run the plan and write one line per message; `write` flushes. `leave` takes the summary for a second channel."""
    seq = 0
    observations: list[Observation] = []

    def emit(item: VantageFacts | Observation) -> None:
        nonlocal seq
        if isinstance(item, Observation):
            observations.append(item)
            message: protocol.Hello | protocol.Seen = protocol.Seen(observation=item)
        else:
            message = protocol.Hello(facts=item)
        write(protocol.encode(plan.run_id, seq, message))
        seq += 1

    facts = await runner.run(plan, secrets, emit, node_trust=node_trust)
    write(protocol.encode(plan.run_id, seq, protocol.End(observations=len(observations), facts=facts)))
    if leave is not None:
        leave(summary.pack(plan, facts, observations))
