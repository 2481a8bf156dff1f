"""Ready-made searches for network teams: KQL with sources, destinations, names and times filled in.

Tables: learn.microsoft.com/azure/azure-monitor/reference/tables/azfwapplicationrule, azfwnetworkrule, azfwdnsquery,
ntanetanalytics. What came over the network is let in only if it looks like a host name or an address.
"""

import re
from datetime import datetime, timedelta

import msgspec

from preflight.judge.scene import moment
from preflight.model.run import Query

_SAFE = re.compile(r"[A-Za-z0-9_.:-]{1,253}")
_MARGIN = timedelta(minutes=5)  # logs carry the firewall's clock
_MOST = 20
_MOST_SOURCES = 5


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent, as the network may have seen it."""

    times: tuple[str, ...]  # UTC, ISO 8601
    sources: tuple[str, ...] = ()  # addresses
    sent: tuple[str, ...] = ()  # the same with ports
    destinations: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    names: tuple[str, ...] = ()  # server names, or names asked for
    hidden: bool = False  # the source may be translated to the node's address on the way


def for_names(traffic: Traffic) -> tuple[Query, ...]:
    """DNS failures: what the firewall's DNS proxy saw."""
    where = [_between(traffic), _among("QueryName", _dotted(traffic.names), "has_any")]
    columns = "TimeGenerated, SourceIp, QueryName, QueryType, ResponseCode, ErrorMessage"
    text = _kql("AZFWDnsQuery", where, columns, _note(traffic))
    return (Query(tool="Azure Firewall DNS proxy log (KQL)", text=text),)


def for_server_names(traffic: Traffic) -> tuple[Query, ...]:
    """Cut or inspected by server name: application rules first, then the flow beneath."""
    where = [_between(traffic), _among("Fqdn", traffic.names, "in~"), _among("SourceIp", _sources(traffic), "in")]
    columns = "TimeGenerated, SourceIp, SourcePort, Fqdn, DestinationPort, Action, ActionReason, RuleCollection, Rule"
    text = _kql("AZFWApplicationRule", where, columns, _note(traffic))
    return (Query(tool="Azure Firewall application rule log (KQL)", text=text),)


def for_packets(traffic: Traffic) -> tuple[Query, ...]:
    """Dropped or refused: network rules, then the flow logs of the virtual network."""
    firewall = [
        _between(traffic),
        _among("DestinationIp", traffic.destinations, "in"),
        _ports("DestinationPort", traffic),
        _among("SourceIp", _sources(traffic), "in"),
    ]
    flows = [
        'SubType == "FlowLog"',
        _between(traffic, "FlowStartTime"),
        _among("DestIp", traffic.destinations, "in"),
        _ports("DestPort", traffic),
        _among("SrcIp", _sources(traffic), "in"),
    ]
    columns = "TimeGenerated, SourceIp, SourcePort, DestinationIp, DestinationPort, Action, RuleCollection, Rule"
    flow_columns = "FlowStartTime, SrcIp, DestIp, DestPort, FlowDirection, FlowStatus, AclGroup, AclRule"
    note = _note(traffic)
    return (
        Query(tool="Azure Firewall network rule log (KQL)", text=_kql("AZFWNetworkRule", firewall, columns, note)),
        Query(tool="VNet flow logs, traffic analytics (KQL)", text=_kql("NTANetAnalytics", flows, flow_columns, note)),
    )


def _kql(table: str, where: list[str], columns: str, note: str) -> str:
    conditions = [f"| where {condition}" for condition in where if condition]
    time = columns.partition(",")[0]
    return "\n".join([*([note] if note else []), table, *conditions, f"| project {columns}", f"| order by {time} asc"])


def _note(traffic: Traffic) -> str:
    """What narrows the search further, as comments: translation on the way changes source addresses and ports."""
    seen = [source for source in traffic.sent if _SAFE.fullmatch(source.strip("[").replace("]", ""))][:_MOST_SOURCES]
    times = [moment(time) for time in traffic.times if time]
    when = f" at {min(times).isoformat(timespec='milliseconds').replace('+00:00', 'Z')}" if times else ""
    lines = [
        f"// sent from {', '.join(seen)}{when}" if seen else "",
        "// add the node's address: the network translates the pod's" if traffic.hidden else "",
    ]
    return "\n".join(line for line in lines if line)


def _between(traffic: Traffic, column: str = "TimeGenerated") -> str:
    moments = [moment(time) for time in traffic.times if time]
    if not moments:
        return ""
    begin, end = _moved(min(moments), -_MARGIN), _moved(max(moments), _MARGIN)
    return f"{column} between (datetime({_utc(begin)}) .. datetime({_utc(end)}))"


def _moved(time: datetime, by: timedelta) -> datetime:
    """The time itself at the ends of the calendar."""
    try:
        return time + by
    except OverflowError:
        return time


def _utc(time: datetime) -> str:
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")


def _among(column: str, values: tuple[str, ...], operator: str) -> str:
    safe = [value for value in dict.fromkeys(values) if _SAFE.fullmatch(value)][:_MOST]
    quoted = ", ".join('"' + value + '"' for value in safe)
    return f"{column} {operator} ({quoted})" if safe else ""


def _ports(column: str, traffic: Traffic) -> str:
    ports = sorted(set(traffic.ports))
    return f"{column} in ({', '.join(map(str, ports))})" if ports else ""


def _sources(traffic: Traffic) -> tuple[str, ...]:
    """Where the network translates, the address seen here is not the one in the log."""
    return () if traffic.hidden else traffic.sources


def _dotted(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name.rstrip(".") for name in names)
