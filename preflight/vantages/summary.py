"""The second channel: what an agent saw, small enough for a termination message. Packs and unpacks, nothing else.

A termination message has 4,096 bytes and reaches the API server without its tunnel to the node, which logs need. So
texts that no verdict reads are left out, the rest is compressed against the plan, which both ends hold, and what does
not fit is counted, never guessed at.
"""

import base64
import zlib
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from preflight import __version__
from preflight.model.observation import Observation, VantageFacts
from preflight.model.plan import VantagePlan

MAX_BYTES: Final = 4096
MARK: Final = "preflight1:"
MAX_UNPACKED: Final = 4 * 1024 * 1024
_WINDOW: Final = 32 * 1024  # of zlib
# No verdict reads these: moments within an observation, fingerprints, descriptions for people.
_ZEROED: Final = frozenset(("at_ms", "duration_ms", "cap_ms", "body_bytes", "sent_bytes"))
_LEFT_OUT: Final = frozenset(
    ("cipher", "serial", "sha256", "source", "chain_source", "detail", "reason", "task", "vantage", "ttl")
)
_HEADERS: Final = frozenset(
    ("content-type", "location", "server", "via", "www-authenticate", "x-ms-error-code", "audit-id")
)
_NOT_OF_PLACE: Final = ("trust", "node_trust", "node_roots", "notices", "tool_version")
_MOST_BODY: Final = 160

# Never change these: an agent of one version compresses against them, and a command line of another reads it. Most
# frequent last. A name that is missing costs a few bytes, and nothing else.
_WORDS: Final = (
    '"deadline_ms":0,"probe":"registry","target":","started":"20","families":["ipv4"],"resolver":{"consumer":"glibc",'
    '"service":{"digest":"verified"},"clamped":{,"proxy":{"url":"http://,"reused":true,"headers":[["content-type",'
    '"application/json"],["www-authenticate","Bearer realm=\\"https://,"errno":"ECONNREFUSED","result":"timeout",'
    '"result":"error","verify_code":20,"verify_message":"unable to get local issuer certificate","result":"unverified",'
    '"rcode":"NXDOMAIN","truncated":true,"attempt":2,"hosts_file":["role":"compared","status":401,"status":403,'
    '"trust":"cluster-ca","trust":"system+ca_file","version":"TLSv1.3","alpn_offered":["h2","http/1.1"],"alpn":"h2",'
    '"bytes_received":"chain":[{"subject":"CN=,"issuer":"CN=,"sans":["not_before":"20","not_after":"20'
    '"method":"GET","result":"ok","status":200,"version":"HTTP/1.1","body_bytes":0,"body_complete":true,"sent_bytes":0,'
    '"dns":{"name":","answers":[{"server":","rtype":"A","transport":"udp","result":"answer","rcode":"NOERROR","chain":['
    '"addresses":["at_ms":0,"duration_ms":0},{"rtype":"AAAA","system":{"result":"answer","addresses":["duration_ms":0},'
    '"connections":[{"address":"tcp":{"address":"port":443,"result":"connected","cap_ms":0,"at_ms":0,"duration_ms":0},'
    '"tls":{"server_name":"http":{"at_ms":0,"duration_ms":0}},{"role":"origin","url":"https://,"hops":[{"task":'
)


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What arrived that way; `observed` counts what the agent saw, whether or not it fitted in."""

    facts: VantageFacts
    observed: int
    observations: tuple[Observation, ...]


class _Packed(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    run_id: str
    version: str
    facts: dict[str, Any]
    observed: int
    observations: list[dict[str, Any]]


def pack(plan: VantagePlan, facts: VantageFacts, observations: Sequence[Observation]) -> bytes:
    """As many observations as fit, the small ones first; at most `MAX_BYTES`."""
    keys = [task.key for task in plan.tasks]
    small = sorted(
        ({**_observation(one), "task": keys.index(one.task)} for one in observations if one.task in keys),
        key=lambda one: len(msgspec.json.encode(one)),
    )
    low, high = 0, len(small)
    while low < high:  # the largest number that fits
        middle = (low + high + 1) // 2
        low, high = (
            (middle, high)
            if len(_encoded(plan, facts, observations, small[:middle])) <= MAX_BYTES
            else (low, middle - 1)
        )
    return _encoded(plan, facts, observations, small[:low])


def unpack(plan: VantagePlan, text: str) -> Summary | None:
    """None when it is no summary of this run: foreign, cut short, or another version's."""
    if not text.startswith(MARK):
        return None
    inflate = zlib.decompressobj(-15, _dictionary(plan))
    try:
        raw = inflate.decompress(base64.b85decode(text[len(MARK) :].strip()), MAX_UNPACKED)
        if inflate.unconsumed_tail or not inflate.eof:
            return None
        packed = msgspec.json.decode(raw, type=_Packed)
        if packed.run_id != plan.run_id:
            return None
        restored = tuple(_restored(one, plan) for one in packed.observations)
        facts = msgspec.convert({**packed.facts, "vantage": plan.vantage, "tool_version": packed.version}, VantageFacts)
    except (ValueError, zlib.error, IndexError, KeyError, TypeError, RecursionError):  # msgspec's are ValueErrors
        return None
    return Summary(facts=facts, observed=packed.observed, observations=restored)


def _encoded(
    plan: VantagePlan, facts: VantageFacts, observations: Sequence[Observation], kept: list[dict[str, Any]]
) -> bytes:
    place = {key: value for key, value in _reduced(facts).items() if key not in _NOT_OF_PLACE}
    packed = _Packed(
        run_id=plan.run_id, version=__version__, facts=place, observed=len(observations), observations=kept
    )
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, _dictionary(plan))
    return MARK.encode() + base64.b85encode(deflate.compress(msgspec.json.encode(packed)) + deflate.flush())


def _dictionary(plan: VantagePlan) -> bytes:
    """What both ends know, whatever their versions: the plan's targets, and words that are written down here."""
    hosts = sorted({task.target.host for task in plan.tasks})
    known = ",".join((*hosts, *plan.compare_resolvers, _WORDS))
    return known.encode()[-_WINDOW:]


def _observation(observation: Observation) -> dict[str, Any]:
    reduced: dict[str, Any] = _reduced(observation)
    for hop in reduced.get("hops", ()):
        hop["started"] = ""
    return reduced


def _reduced(value: Any) -> Any:
    """Builtins without defaults, and without what no verdict reads."""
    if isinstance(value, msgspec.Struct):
        kept = {}
        for field in msgspec.structs.fields(value):
            given = getattr(value, field.name)
            if field.name in _ZEROED:
                kept[field.name] = 0
            elif given is not msgspec.UNSET and given != _default(field) and field.name not in _LEFT_OUT:
                kept[field.name] = _shortened(field.name, _reduced(given))
        return kept
    if isinstance(value, tuple | list):
        return [_reduced(one) for one in value]
    return value


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return field.default


def _shortened(name: str, value: Any) -> Any:
    if name == "body":
        return value[:_MOST_BODY]
    if name == "headers":
        return [pair for pair in value if pair[0] in _HEADERS]
    return value[:2] if name == "sans" else value


def _restored(value: dict[str, Any], plan: VantagePlan) -> Observation:
    for hop in value.get("hops", ()):
        hop["started"] = value["started"]
    task = plan.tasks[value["task"]]
    return msgspec.convert({**value, "task": task.key, "vantage": plan.vantage}, Observation)
