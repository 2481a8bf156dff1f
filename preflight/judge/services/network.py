"""A service denies by a network rule and names the source it saw: is that the way this place believes it took?"""

from preflight.judge.addresses import is_internal, is_public
from preflight.judge.outcome import Outcome, fail
from preflight.judge.scene import host_of
from preflight.judge.services.reading import said, service_address
from preflight.model.observation import Hop, Observation


def denied(cause: str, hop: Hop, observation: Observation, source: str) -> Outcome:
    """`cause`, unless a private address here and a public source there prove that something resolved the name again."""
    address = service_address(hop, observation)
    if source and address and is_internal(address) and is_public(source):
        return fail(
            "path.firewall-resolved-public",
            f"from here {host_of(hop)} is {address}, a private address, yet it denied the public source {source}:"
            f" {said(hop)}",
        )
    seen = f"; it saw the source address {source}" if source else ""
    return fail(cause, f"{said(hop)}{seen}")
