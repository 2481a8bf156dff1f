"""What every service judge reads from a hop: status, headers, the facts its probe parsed. Decides nothing by itself."""

from msgspec import UNSET

from preflight.judge.scene import host_of
from preflight.model.observation import Hop, Observation


def status(hop: Hop) -> int:
    """The HTTP status, 0 without a complete answer."""
    return 0 if hop.http is UNSET or hop.http.status is None else hop.http.status


def header(hop: Hop, name: str) -> str:
    """The first header of that (lower-case) name, "" when absent."""
    if hop.http is UNSET:
        return ""
    return next((value for key, value in hop.http.headers if key.lower() == name), "")


def fact(hop: Hop, name: str) -> str:
    """What the probe parsed out of the answer under that name, "" when it parsed nothing."""
    return hop.service.get(name, "")


def step(hop: Hop) -> str:
    """The service step that a hop belongs to: `layer.redirect1` and `layer` are both the step `layer`."""
    return hop.role.partition(".")[0]


def find(observation: Observation, role: str) -> Hop | None:
    """The last hop of that step with a complete answer, else its last hop at all."""
    hops = [hop for hop in observation.hops if step(hop) == role]
    answered = [hop for hop in hops if status(hop)] or hops
    return answered[-1] if answered else None


def service_address(hop: Hop, observation: Observation) -> str:
    """What this place takes for the service's address: the one that carried the hop, or one on the same host.

    Behind a proxy, which resolves for itself, it is what the local resolver would have used; "" when that is not known.
    """
    carriers = (hop, *(other for other in reversed(observation.hops) if host_of(other) == host_of(hop)))
    for carrier in carriers:
        for connection in reversed(carrier.connections):
            if connection.tcp.result == "connected":
                return connection.address
        if carrier.proxy is not UNSET and carrier.dns is not UNSET and carrier.dns.addresses:
            return carrier.dns.addresses[0]
    return ""


def said(hop: Hop) -> str:
    """`HOST answered HTTP 403 DENIED (message)`, as far as it is known: the service's words for a reason."""
    code, message = fact(hop, "error"), fact(hop, "error_message")
    parts = [f"{host_of(hop)} answered HTTP {status(hop)}", code]
    if message and message != code:
        parts.append(f"({message})")
    return " ".join(part for part in parts if part)


def admits_nobody(hop: Hop) -> bool:
    """Storage's word for a source that its network rules do not admit, which is also Azurite's for a bad signature."""
    message = fact(hop, "error_message").lower()
    return status(hop) == 403 and fact(hop, "error") == "AuthorizationFailure" and "authenticate" not in message
