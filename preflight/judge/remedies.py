"""The change in one line, for every cause: what goes into the subject of a ticket. Texts only."""

import msgspec

from preflight.model.causes import CAUSES


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What a title may name; never empty."""

    who: str  # "node/user1 (10.240.8.17)"
    hosts: str
    ports: str
    servers: str = "the DNS server"
    zone: str = "the zone"
    issuer: str = "the inspecting authority"
    device: str = "the device"
    proxy: str = "the proxy"


TITLES: dict[str, str] = {
    "dns.nxdomain": "Make {hosts} resolve: add the record, or forward {zone} to a server that has it",
    "dns.nodata": "Add an address record for {hosts}",
    "dns.servfail": "Repair the resolution of {hosts} on {servers}: it answers SERVFAIL",
    "dns.refused": "Let {servers} answer {who}: it refuses {hosts}",
    "dns.timeout": "Open UDP and TCP 53 from {who} to {servers}, or configure a DNS server that answers",
    "dns.tcp-blocked": "Open TCP 53 from {who} to {servers}",
    "dns.malformed": "Find what answers on port 53 at {servers}: it is not a DNS server's answer",
    "dns.no-resolver": "Configure a DNS server for {who}",
    "dns.sinkhole": "Take {hosts} off the DNS filter's block list",
    "dns.inconsistent": "Make all DNS servers of {who} answer alike for {hosts}",
    "dns.server-dead": "Repair the DNS server {servers}, or take it off the list of {who}",
    "dns.aaaa-failing": "Let {servers} answer AAAA queries, if only with no data",
    "dns.hosts-override": "Remove or correct the line for {hosts} in the hosts file of {who}",
    "dns.privatelink-public-answer": "Make {hosts} resolve to the private endpoint from {who} (zone {zone})",
    "dns.privatelink-record-missing": "Add {hosts} to the private zone {zone}, or let it fall back to public DNS",
    "dns.rebind-filtered": "Exempt {zone} from rebinding protection on {servers}",
    "dns.public-when-private-expected": "Create the private endpoint for {hosts} with its DNS zone group",
    "dns.private-when-public-expected": "Remove the private record or zone link for {hosts}, or correct preflight.toml",
    "clock.wrong": "Set the clock of {who}",
    "route.unreachable": "Add a route from {who} to {hosts} (TCP {ports})",
    "route.prohibited": "Lift the prohibition on traffic from {who} to {hosts} (TCP {ports})",
    "tcp.refused": "Find what refuses TCP {ports} from {who} to {hosts}",
    "tcp.timeout": "Allow TCP {ports} from {who} to {hosts}",
    "tcp.reset": "Find what resets connections from {who} to {hosts} (TCP {ports})",
    "proxy.unresolved": "Correct the proxy's name or its DNS record: {proxy}",
    "proxy.unreachable": "Open the way from {who} to the proxy {proxy}",
    "proxy.auth-required": "Give {who} credentials for {proxy}, or exempt them from proxy authentication",
    "proxy.denied": "Allow {hosts} (TCP {ports}) on the proxy {proxy}",
    "proxy.failed": "Give the proxy {proxy} a way to {hosts}: its DNS and its way out",
    "tls.reset-after-hello": "Allow TCP {ports} from {who} to {hosts} on the firewall that filters by server name",
    "tls.closed": "Allow TCP {ports} from {who} to {hosts} on the firewall that filters by server name",
    "tls.timeout": "Let the TLS handshake from {who} to {hosts} pass",
    "tls.not-tls": "Find what answers for {hosts} on port {ports}: it does not speak TLS",
    "tls.alert": "Find who refuses the TLS handshake with {hosts}",
    "tls.intercepted": "Exempt {hosts} from TLS inspection ({issuer})",
    "tls.untrusted": "Trust the authority of {hosts} ({issuer}), or correct its certificate",
    "tls.incomplete-chain": "Let {hosts} send its intermediate certificate ({issuer})",
    "tls.expired": "Renew the certificate of {hosts}",
    "tls.not-yet-valid": "Set the clock of {who}, or correct the certificate of {hosts}",
    "tls.expiring": "Renew the certificate of {hosts} within seven days",
    "tls.wrong-name": "Find what answers for {hosts}: its certificate is for another name",
    "tls.version": "Enable TLS 1.2 or 1.3 for {hosts}",
    "tls.alpn-stripped": "Exempt {hosts} from what removes ALPN (TLS inspection)",
    "http.timeout": "Find why {hosts} gives no answer to {who}",
    "http.reset": "Find what cuts the connection to {hosts} before its answer",
    "http.block-page": "Allow {hosts} for {who} on {device}",
    "http.unexpected-status": "Correct the request, the service or the expectation for {hosts}",
    "http.malformed": "Find what answers for {hosts} on port {ports}: it is not HTTP",
    "http.redirect-loop": "Correct the redirects of {hosts}",
    "http.stalled": "Allow ICMP 'fragmentation needed', or lower the MTU, between {who} and {hosts}",
    "path.firewall-resolved-public": "Let the firewall or proxy resolve {hosts} to the private endpoint",
    "registry.denied-by-network": "Admit {who} in the network rules of {hosts}, or use its private endpoint",
    "registry.unauthorized": "Grant AcrPull on {hosts}, or correct the credentials",
    "registry.needs-credentials": "Give credentials for {hosts}, to prove that images can be pulled",
    "registry.not-found": "Correct repository and tag for {hosts}, or push the image",
    "registry.throttled": "Repeat later: {hosts} throttles requests",
    "registry.unavailable": "Check the health of {hosts}",
    "registry.no-challenge": "Find what answers for {hosts}: it is not the registry",
    "registry.digest-mismatch": "Exempt {hosts} from content inspection",
    "registry.unexpected-data-host": "Allow the data host {hosts}, or correct registry.region and registry.replicas",
    "storage.denied-by-network": "Admit {who} in the network rules of {hosts}, or use its private endpoint",
    "storage.unauthorized": "Renew the SAS or token for {hosts}",
    "storage.permission-mismatch": "Assign the data reader role on {hosts} to the identity",
    "storage.source-ip-mismatch": "Issue a SAS for {hosts} whose address range contains {who}",
    "storage.key-auth-not-permitted": "Use a token or a user delegation SAS for {hosts}",
    "storage.admission-unknown": "Give credentials and a blob for {hosts}, to prove that it admits this network",
    "storage.not-found": "Correct container, blob or table of {hosts}",
    "storage.throttled": "Repeat later: {hosts} throttles requests",
    "storage.unavailable": "Repeat later: {hosts} answers with a server error",
    "entra.unauthorized": "Renew the client secret or certificate for {hosts}",
    "entra.tenant-not-found": "Correct workspace.tenant, or the cloud",
    "entra.application-not-found": "Correct workspace.client_id, or register the application in this tenant",
    "entra.conditional-access": "Exempt the workload identity or this network in the conditional access policy",
    "entra.needs-credentials": "Give the application's credentials, to prove that a token is issued",
    "entra.throttled": "Repeat later: {hosts} throttles requests",
    "entra.unavailable": "Repeat later: {hosts} answers with a server error",
    "workspace.private-link-only": "Resolve the workspace's names to its private endpoint from {who}",
    "workspace.unauthorized": "Grant the identity a role in the workspace",
    "workspace.not-found": "Correct workspace.id and workspace.region",
    "workspace.unavailable": "Repeat later: {hosts} answers with a server error",
    "telemetry.name-undocumented": "Nothing to change: {hosts} does not exist, only telemetry would use it",
    "telemetry.unavailable": "Nothing to change: {hosts} answers with a server error, only telemetry uses it",
    "kube.ca-not-given": "Give api_server.ca_file, to prove that {hosts} is the API server",
    "kube.unexpected-answer": "Find what answers for {hosts}: it is not an API server",
    "kube.sni-missing": "Allow {hosts} by address in a network rule: clients in the cluster send no server name",
    "kube.not-ready": "Check the health of the control plane at {hosts}",
    "kube.unauthorized": "Renew credentials.api_server_token",
    "kube.throttled": "Look for clients that flood the API server {hosts}",
    "kube.unavailable": "Check the health of the control plane at {hosts}",
    "endpoint.wrong-address": "Point the record of {hosts} to the router's address",
    "endpoint.no-replicas": "Look at the model's pods behind {hosts}: none is ready",
    "endpoint.unavailable": "Look at the router and the model behind {hosts}",
    "vantage.not-run": "Make {who} available, or leave it out by choice",
    "vantage.incomplete": "Run again: {who} stopped before everything was observed",
    "check.deadline": "Run again with a longer deadline: {hosts} took too long from {who}",
    "check.interrupted": "Run again: the run was interrupted",
    "preflight.internal": "Report a bug in preflight: it broke at {hosts}",
}


def title(cause: str, words: Words) -> str:
    """The change in one line; a cause of another version falls back to its remedy."""
    if cause not in TITLES:
        return f"{CAUSES[cause].remedy.rstrip('.')}: {words.hosts}" if cause in CAUSES else f"{cause}: {words.hosts}"
    return TITLES[cause].format(**msgspec.structs.asdict(words))
