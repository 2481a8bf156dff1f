"""Network policies of a cluster and the pods that they are about: what was read before a run was planned. No verdicts.

Parsed from the API server's objects by `preflight.kube.policies`, bounded and in one form for every kind of policy, so
that judging again needs nothing but this. Texts are hostile until they are escaped.
"""

from enum import StrEnum

import msgspec


class Role(StrEnum):
    """Which of the real pods; the probe itself is none of them."""

    ROUTER = "router"
    MODEL = "model"


class Operator(StrEnum):
    """How a term of a selector reads one label."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    ABSENT = "DoesNotExist"


class Term(msgspec.Struct, frozen=True, kw_only=True):
    """One condition on one label."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()


class Selector(msgspec.Struct, frozen=True, kw_only=True):
    """All terms must hold; none at all selects everything."""

    terms: tuple[Term, ...] = ()


class Peer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whom a rule speaks of; exactly one kind of field is filled."""

    pods: Selector | None = None
    namespaces: Selector | None = None  # beside `pods` or alone; None beside `pods`: the policy's own namespace
    cidr: str = ""
    but: tuple[str, ...] = ()  # parts of the cidr that are left out
    name: str = ""  # Cilium toFQDNs: "mcr.microsoft.com" or "*.data.mcr.microsoft.com"
    entity: str = ""  # Cilium toEntities: "world", "kube-apiserver", ...
    other: str = ""  # a kind of peer that is not evaluated: "toServices"


class Port(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Ports that a rule speaks of. `first` is 0 for every port; `name` is a port that the destination's pod names."""

    protocol: str = "TCP"  # or "UDP", "SCTP", "ICMP", "ANY"
    first: int = 0
    last: int = 0
    name: str = ""


class Rule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One egress rule: any of the peers on any of the ports."""

    peers: tuple[Peer, ...] | None = None  # None: everybody
    ports: tuple[Port, ...] | None = None  # None: every port
    denies: bool = False  # Cilium egressDeny: comes before every rule that allows
    narrowed: bool = False  # more conditions than these: rules of layer 7, or parts that were left out


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """One policy, whatever its kind."""

    kind: str  # "NetworkPolicy", "CiliumNetworkPolicy" or "CiliumClusterwideNetworkPolicy"
    namespace: str = ""  # empty for one of the whole cluster
    name: str
    selector: Selector = Selector()
    isolates_egress: bool = False  # what it selects may send only what rules allow
    isolates_ingress: bool = False
    egress: tuple[Rule, ...] = ()
    clipped: bool = False  # not all of it was kept

    @property
    def title(self) -> str:
        """`NetworkPolicy default/lock`."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class Stand(msgspec.Struct, frozen=True, kw_only=True):
    """Pods that policies see alike: a namespace and labels."""

    namespace: str  # empty: the run's own, whose name nobody knows yet
    labels: dict[str, str] = {}
    service_account: str = "default"
    role: Role | None = None  # None for the probe
    known_from: str = ""  # "pod azureml/azureml-fe-v2-5868d64648-6jk9c", "documented"

    @property
    def title(self) -> str:
        """For a sentence."""
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.role.value if self.role is not None else 'probe'} pods{where}"


class PolicyFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of policies. `read` says whether that is all that there are."""

    read: bool = False  # the policies that could matter could all be listed
    policies: tuple[Policy, ...] = ()  # by kind, namespace, name; only those that select real pods or the probe
    real: tuple[Stand, ...] = ()  # the router's and the models' pods, alike ones once
    probe: Stand | None = None  # where the pod vantage stands; None when none runs
    namespaces: dict[str, dict[str, str]] = {}  # labels of the namespaces that selectors can mean
    cilium: bool = False  # the cluster knows Cilium's policies: its rules by address do not mean pods
    notices: tuple[str, ...] = ()  # what could not be read or is not evaluated, and what is therefore not known
