"""Every behaviour of the table, on real sockets, against the agent: what it says, and that its memory stays flat."""

import pytest
from hostile_shared import PROBES
from hostile_shared.behaviours import BEHAVIOURS, pleasant

from preflight.model.vocabulary import ProbeName, Status

# Bytes that any of these servers may make the agent need beyond what a pleasant one does; five probes run at once, two
# of which may read 4 MiB.
MORE_KB = 32 * 1024


@pytest.fixture(scope="module")
def usual_kb(authority) -> dict[str, int]:
    """Peak of a visit to a pleasant server, by scheme; filled when first needed."""
    return {}


@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=lambda one: f"{one.group}: {one.name}")
async def test_it_ends_is_told_and_takes_little_memory(behaviour, authority, usual_kb):
    secure = behaviour.group in {"TLS", "HTTP/2"}
    if secure not in usual_kb:
        async with pleasant(secure=secure)(authority) as seen:
            usual_kb[secure] = seen.peak_kb
            assert seen.verdicts[ProbeName.HTTP].status is Status.PASS
    async with behaviour.visit(authority) as seen:
        verdict = seen.verdicts[ProbeName.HTTP]
        assert (seen.met, str(verdict.status), verdict.cause) == behaviour.expect
        assert seen.peak_kb <= usual_kb[secure] + MORE_KB
        assert [one.tool_error for one in seen.observations.values()] == [None] * len(seen.observations)
        assert not any(one.deadline_hit for one in seen.observations.values())
        services = [seen.verdicts[probe] for probe in PROBES if probe in seen.verdicts and probe is not ProbeName.HTTP]
        assert all(verdict.status is not Status.PASS for verdict in services)
        assert all(len(verdict.reason) <= 1_000 for verdict in seen.verdicts.values())
