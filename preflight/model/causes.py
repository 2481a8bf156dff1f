"""The closed vocabulary of causes. One page each under docs/causes/; a test keeps table and pages equal.

`owner` is who can change it (for `network`, the finding ranks candidates); `ambiguous` causes get a second attempt;
`meaning` is one sentence in the present tense, printed under the failing line; `remedy` the first thing to do.
"""

import msgspec

from preflight.model.vocabulary import Owner

DNS, NETWORK, PLATFORM, IDENTITY, APPLICATION = (
    Owner.DNS,
    Owner.NETWORK,
    Owner.PLATFORM,
    Owner.IDENTITY,
    Owner.APPLICATION,
)


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the vocabulary."""

    id: str  # [a-z]+\.[a-z0-9-]+
    owner: Owner
    meaning: str
    remedy: str
    ambiguous: bool = False


def _c(cause: str, owner: Owner, meaning: str, remedy: str, *, ambiguous: bool = False) -> Cause:
    return Cause(id=cause, owner=owner, meaning=meaning, remedy=remedy, ambiguous=ambiguous)


_ALL = (
    # -- dns
    _c("dns.nxdomain", DNS, "The resolver says that the name does not exist.", "Add the record, or forward the zone to a server that has it."),
    _c("dns.nodata", DNS, "The name exists but has no address record.", "Add the A record (or AAAA) to the zone that answers."),
    _c("dns.servfail", DNS, "The resolver could not get an answer (SERVFAIL).", "Check the resolver's forwarder for this zone and its path to the authoritative servers.", ambiguous=True),
    _c("dns.refused", DNS, "The resolver refuses to answer (REFUSED).", "Allow this client, or recursion for this zone, on the resolver."),
    _c("dns.timeout", DNS, "The resolver does not answer.", "Open UDP and TCP 53 to the resolver, or configure one that is reachable.", ambiguous=True),
    _c("dns.tcp-blocked", NETWORK, "The answer does not fit UDP and the resolver cannot be reached over TCP 53.", "Open TCP 53 to the resolver."),
    _c("dns.malformed", DNS, "What came back from the resolver is not a DNS answer to the question.", "Find what answers on port 53: a device may be rewriting DNS."),
    _c("dns.no-resolver", PLATFORM, "No DNS server is configured here.", "Configure a DNS server (resolv.conf, VNet DNS servers, dnsPolicy)."),
    _c("dns.unresolved", DNS, "The system's own lookup gives no address, and nothing here could ask its DNS servers why.", "Ask the servers of resolv.conf for the name from here, with dig or nslookup."),
    _c("dns.sinkhole", DNS, "The resolver answers with a block address instead of the service's.", "Take the name off the DNS filter's block list."),
    _c("dns.catch-all", DNS, "The resolver answers every name with one and the same address, and no service is there.", "Log in to the captive portal, or ask a resolver that gives the services' own addresses."),
    _c("dns.search-domain", DNS, "A search domain answers for names outside it, so programs here get another address than the name has.", "Remove the wildcard record from the search domain, or lower ndots in resolv.conf."),
    _c("dns.inconsistent", DNS, "The configured resolvers give different answers, so connections fail some of the time.", "Make all configured resolvers answer alike; usually one lacks a forwarder or a zone link."),
    _c("dns.server-dead", DNS, "One of the configured resolvers does not answer; the others do.", "Repair the resolver or take it off the list; each lookup that meets it waits."),
    _c("dns.cluster-names", PLATFORM, "Cluster DNS answers, but not for the cluster's own names.", "Look at CoreDNS: its kubernetes plugin, its rights at the API server, and coredns-custom."),
    _c("dns.replica-failing", PLATFORM, "Some of the replicas behind cluster DNS fail, so lookups fail now and then.", "Repair the replica that is named, or the way from its node to the DNS servers it forwards to."),
    _c("dns.local-cache-differs", PLATFORM, "The DNS cache on the node answers otherwise than the DNS behind it.", "Wait for the time that the cache may serve stale answers, or restart it."),
    _c("dns.aaaa-failing", DNS, "IPv6 lookups (AAAA) fail while IPv4 lookups work.", "Let AAAA queries through and answer them, if only with no data; dual-stack clients wait for them."),
    _c("dns.hosts-override", PLATFORM, "The hosts file overrides what DNS answers.", "Remove the line from the hosts file, or correct it."),
    _c("dns.privatelink-public-answer", DNS, "A private link name resolves to a public address.", "Link the private DNS zone to the network of the resolver, or forward the public zone to a resolver that sees it."),
    _c("dns.privatelink-record-missing", DNS, "A private DNS zone is linked here but has no record for this name.", "Add the record to the private zone, or set the zone link's resolution policy to NxDomainRedirect."),
    _c("dns.rebind-filtered", DNS, "The resolver strips private addresses from answers (DNS rebinding protection).", "Exempt the zone from rebinding protection on the resolver."),
    _c("dns.public-when-private-expected", DNS, "The name resolves to a public address although a private one is expected, and no private endpoint shows in the chain.", "Create the private endpoint with its DNS zone group, or correct the expectation in preflight.toml."),
    _c("dns.private-when-public-expected", DNS, "The name resolves to a private address although a public one is expected.", "Remove the private record or zone link, or correct the expectation in preflight.toml."),
    # -- clock
    _c("clock.wrong", PLATFORM, "The clock here is wrong, so valid certificates look expired or not yet valid.", "Set the clock of this machine, then run again: tokens and signatures depend on it too."),
    # -- route
    _c("route.unreachable", NETWORK, "There is no route to the address.", "Add the route (route table, peering, gateway) for the address."),
    _c("route.prohibited", NETWORK, "A router or a local firewall says that the traffic is administratively prohibited.", "Allow the traffic on the device that answered, or in the local firewall."),
    # -- tcp
    _c("tcp.refused", NETWORK, "The connection is refused: something answered with a reset at once.", "Find what answers for the address: a firewall that rejects, or a service that does not listen."),
    _c("tcp.timeout", NETWORK, "Nothing answers the connection attempt; packets are dropped silently.", "Allow TCP to the address and port on the way, and check the way back.", ambiguous=True),
    _c("snat.exhaustion-suspected", NETWORK, "Connects to several public destinations got no answer now and then, and came about alone: outbound (SNAT) ports may be used up.", "Compare the SNAT metrics of the load balancer, NAT gateway or firewall; give the way out more ports or addresses."),
    _c("tcp.lossy", NETWORK, "Connections come about only at the second try: packets are lost on the way.", "Find the device or link that loses packets: overload, exhausted SNAT ports, one dead path of several."),
    _c("tcp.reset", NETWORK, "The connection was reset while it was being made.", "Look for a device that resets connections on the way.", ambiguous=True),
    # -- proxy
    _c("proxy.unresolved", DNS, "The proxy's own name does not resolve.", "Correct the proxy's name or its DNS record."),
    _c("proxy.unreachable", NETWORK, "The proxy cannot be connected to.", "Open the way to the proxy's port, or correct its address.", ambiguous=True),
    _c("proxy.auth-required", NETWORK, "The proxy demands authentication (407).", "Give credentials.proxy, or exempt these clients from proxy authentication."),
    _c("proxy.denied", NETWORK, "The proxy refuses to connect to the target.", "Allow the host on the proxy, or add it to NO_PROXY if it is reachable directly."),
    _c("proxy.failed", NETWORK, "The proxy tried and could not reach the target, or broke off.", "Check the proxy's own DNS and way out to the target."),
    # -- tls
    _c("tls.reset-after-hello", NETWORK, "A device cut the connection (reset) when it saw the server name.", "Allow the server name on the firewall that filters by SNI.", ambiguous=True),
    _c("tls.closed", NETWORK, "A device closed the connection when it saw the server name.", "Allow the server name on the firewall or proxy that filters by SNI.", ambiguous=True),
    _c("tls.timeout", NETWORK, "TCP connects but the TLS handshake gets no answer.", "Look for a firewall that answers TCP itself and drops TLS, or for a path MTU problem.", ambiguous=True),
    _c("tls.not-tls", NETWORK, "What answers on this port does not speak TLS.", "Find what answers for the address: a block page, a captive portal, or the wrong port."),
    _c("tls.alert", NETWORK, "The server, or a device in its place, refused the handshake with a TLS alert.", "Check server name and TLS versions; the alert's name is in the evidence."),
    _c("tls.intercepted", NETWORK, "The certificate was issued by an inspection device, not by the service's own authority.", "Exempt the host from TLS inspection, or make nodes and images trust the inspecting authority."),
    _c("tls.untrusted", PLATFORM, "The certificate's authority is not trusted here.", "Add the authority to the trust store (environment.ca_file), or correct the server's certificate."),
    _c("tls.incomplete-chain", APPLICATION, "The server does not send the intermediate certificate, so the chain cannot be built.", "Configure the server to send its whole chain."),
    _c("tls.expired", APPLICATION, "The certificate has expired.", "Renew the certificate; check the clock if several services look expired."),
    _c("tls.not-yet-valid", PLATFORM, "The certificate is not valid yet.", "Check the clock here; otherwise correct the certificate."),
    _c("tls.expiring", APPLICATION, "The certificate expires within seven days.", "Renew the certificate."),
    _c("tls.wrong-name", NETWORK, "The certificate is for another name.", "Find what answers for the address: DNS may point to the wrong host, or a device presents its own certificate."),
    _c("tls.version", APPLICATION, "No TLS version is accepted by both sides.", "Enable TLS 1.2 or 1.3 on the server, or on the device in between."),
    _c("tls.alpn-stripped", NETWORK, "A device removed or rewrote the ALPN extension.", "Exempt the host from TLS inspection: konnectivity and HTTP/2 need ALPN."),
    # -- http
    _c("http.timeout", NETWORK, "The connection works but no HTTP answer arrives in time.", "Look at the service's health, and at devices that inspect content.", ambiguous=True),
    _c("http.reset", NETWORK, "The connection was cut before a complete HTTP answer.", "Look for a device that inspects content and cuts, or at the service's health.", ambiguous=True),
    _c("http.block-page", NETWORK, "A device answered in place of the service, with a deny or login page.", "Allow the host on the device that names itself in the page."),
    _c("http.unexpected-status", APPLICATION, "The service answered with a status that is not among the expected ones.", "Read the answer in the evidence; correct the request, the service, or the expectation."),
    _c("http.malformed", NETWORK, "What came back is not HTTP.", "Find what answers on this port."),
    _c("http.redirect-loop", APPLICATION, "Redirects lead in a circle or are too many.", "Correct the redirects of the service, or the device that adds them."),
    _c("http.stalled", NETWORK, "Small packets pass but large ones vanish: a path MTU black hole.", "Allow ICMP 'fragmentation needed', or lower the MTU (or clamp the MSS) on the tunnel in between."),
    # -- path
    _c("path.firewall-resolved-public", DNS, "The client resolves a private address, yet the service saw a public source: a firewall on the way resolved the name again.", "Correct the DNS of the firewall or proxy so that it resolves the private endpoint."),
    # -- registry
    _c("registry.denied-by-network", PLATFORM, "The registry's own network rules deny this source address.", "Add the source address to the registry's rules, or reach it over its private endpoint."),
    _c("registry.unauthorized", IDENTITY, "The registry refuses these credentials.", "Grant AcrPull to the identity, or correct the credentials."),
    _c("registry.needs-credentials", IDENTITY, "Without credentials the registry shows nothing more, so this could not be tested.", "Give credentials.registry_user and credentials.registry_password (a pull token is enough)."),
    _c("registry.not-found", APPLICATION, "The registry has no such repository, tag or layer.", "Correct registry.repository and registry.reference, or push the image."),
    _c("registry.throttled", PLATFORM, "The registry throttles requests (429).", "Wait and repeat; raise the registry's tier if it happens in production."),
    _c("registry.unavailable", PLATFORM, "The registry answers with a server error.", "Check the registry's health (az acr check-health) and Azure status."),
    _c("registry.no-challenge", PLATFORM, "The registry did not issue the expected authentication challenge.", "Check that the address is the registry's: public access disabled and wrong DNS look like this."),
    _c("registry.digest-mismatch", NETWORK, "The layer's content does not match its digest: something on the way changed it.", "Exempt the data host from content inspection."),
    _c("registry.unexpected-data-host", NETWORK, "The registry sent the layer download to a data host of another region than configured.", "Allow the data hosts of all geo-replicas, or correct registry.region and registry.replicas."),
    # -- storage
    _c("storage.denied-by-network", PLATFORM, "The storage account's network rules probably deny this source (AuthorizationFailure).", "Add this network to the account's rules, or reach it over its private endpoint."),
    _c("storage.unauthorized", IDENTITY, "The storage account refuses these credentials.", "Renew the SAS or token; check its signature, start and expiry."),
    _c("storage.permission-mismatch", IDENTITY, "The identity is known but lacks the right (AuthorizationPermissionMismatch).", "Assign Storage Blob Data Reader (or Table) to the identity; the network is fine."),
    _c("storage.source-ip-mismatch", IDENTITY, "The SAS does not allow this source address.", "Issue a SAS whose IP range contains the address named in the evidence."),
    _c("storage.key-auth-not-permitted", IDENTITY, "The account does not permit key based authentication.", "Use a bearer token or a user delegation SAS instead of an account SAS."),
    _c("storage.admission-unknown", PLATFORM, "The account answered, but without credentials its network rules and the blob's existence stay unproven.", "Give credentials.storage_sas or credentials.storage_token, and a container and blob to read."),
    _c("storage.not-found", APPLICATION, "The container, blob or table does not exist.", "Correct storage.container and storage.blob."),
    _c("storage.throttled", PLATFORM, "The storage account throttles requests.", "Wait and repeat; spread the load if it happens in production."),
    _c("storage.unavailable", PLATFORM, "The storage account answers with a server error.", "Check Azure status and repeat."),
    # -- entra
    _c("entra.unauthorized", IDENTITY, "Entra refuses these credentials.", "Renew the client secret or certificate; the AADSTS code is in the evidence."),
    _c("entra.tenant-not-found", IDENTITY, "Entra does not know the tenant.", "Correct workspace.tenant, or the cloud."),
    _c("entra.application-not-found", IDENTITY, "Entra does not know the application in this tenant.", "Correct workspace.client_id, or register the application in this tenant."),
    _c("entra.conditional-access", IDENTITY, "A conditional access policy refuses the sign-in from here.", "Exempt the workload identity or this network in the policy."),
    _c("entra.needs-credentials", IDENTITY, "Without credentials no token could be asked for, so this could not be tested.", "Give workspace.tenant, workspace.client_id and credentials.entra_client_secret."),
    _c("entra.throttled", IDENTITY, "Entra throttles requests.", "Wait and repeat."),
    _c("entra.unavailable", IDENTITY, "Entra answers with a server error.", "Check Azure status and repeat."),
    # -- workspace
    _c("workspace.private-link-only", DNS, "The workspace refuses the public path: it is reachable over its private endpoint only.", "Resolve the workspace's names to its private endpoint from here."),
    _c("workspace.unauthorized", IDENTITY, "The workspace API refuses these credentials.", "Grant the identity a role in the workspace."),
    _c("workspace.not-found", APPLICATION, "The workspace API does not know this workspace.", "Correct workspace.id and workspace.region."),
    _c("workspace.unavailable", PLATFORM, "The workspace API answers with a server error.", "Check Azure status and repeat."),
    # -- telemetry
    _c("telemetry.name-undocumented", PLATFORM, "The telemetry host's name follows a pattern that is not documented for every region, and it does not exist here.", "Ignore it unless Microsoft support asks for telemetry; nothing but telemetry depends on it."),
    _c("telemetry.unavailable", PLATFORM, "The telemetry service answers with a server error.", "Ignore it unless it lasts; nothing but telemetry depends on it."),
    # -- kube
    _c("kube.ca-not-given", PLATFORM, "The API server's certificate comes from the cluster's own CA, which was not given.", "Give api_server.ca_file (certificate-authority-data of the kubeconfig, decoded)."),
    _c("kube.unexpected-answer", NETWORK, "What answers for the API server is not a Kubernetes API server.", "Find what answers for the address; the beginning of its answer is in the evidence."),
    _c("kube.sni-missing", NETWORK, "A firewall denied the connection because it carried no server name (SNI).", "Allow the API server's address in a network rule, or set kubernetes.azure.com/set-kube-service-host-fqdn."),
    _c("kube.not-ready", PLATFORM, "The API server answers but says that it is not ready.", "Check the control plane's health."),
    _c("kube.unauthorized", IDENTITY, "The API server is reached but refuses this token.", "Renew credentials.api_server_token; the network is fine."),
    _c("kube.router-forbidden", IDENTITY, "The router's service account is refused what it looks for at the API server.", "Restore the ClusterRole of the router (azureml-fe-role) and its binding; the network is fine."),
    _c("kube.rights-unknown", PLATFORM, "What the router's service account may do could not be asked.", "Grant create on subjectaccessreviews (preflight rbac), or look at the router's log."),
    _c("kube.throttled", PLATFORM, "The API server throttles requests (429).", "Wait and repeat; look for clients that flood the API server."),
    _c("kube.unavailable", PLATFORM, "The API server answers with a server error.", "Check the control plane's health."),
    # -- pull: an image at a node, a probe's own or one that is pulled for proof; pod, kube: a probe and the cluster it runs in
    _c("pull.name-unknown", DNS, "The node cannot pull an image: its DNS says that the registry's name does not exist.", "Correct the image's registry name, or make it resolve on the nodes."),
    _c("pull.dns-failing", DNS, "The node cannot pull an image: its DNS server fails or does not answer.", "Repair the nodes' DNS server, or the way to it."),
    _c("pull.proxy-failing", NETWORK, "The node cannot pull an image: the proxy that containerd uses refuses or cannot be reached.", "Allow the registry on the nodes' proxy, or add it to the nodes' noProxy list."),
    _c("pull.certificate-expired", APPLICATION, "The node cannot pull an image: the registry's certificate has expired or is not valid yet.", "Renew the registry's certificate; check the node's clock."),
    _c("pull.wrong-name", NETWORK, "The node cannot pull an image: the certificate that answers is for another name.", "Find what answers for the registry's address on the nodes."),
    _c("pull.untrusted", PLATFORM, "The node cannot pull an image: it does not trust the authority of the registry's certificate.", "Add the authority to the nodes (AKS: custom certificate authority), or exempt the registry from TLS inspection."),
    _c("pull.not-tls", NETWORK, "The node cannot pull an image: what answers does not speak TLS.", "Use the registry's HTTPS address, or find the device that answers in plain HTTP."),
    _c("pull.tls-refused", NETWORK, "The node cannot pull an image: the TLS handshake is refused with an alert.", "Find the device or registry that refuses the handshake."),
    _c("pull.tls-timeout", NETWORK, "The node cannot pull an image: TCP connects, and the TLS handshake gets no answer.", "Look for a firewall that answers TCP itself, or for a path MTU problem."),
    _c("pull.refused", NETWORK, "The node cannot pull an image: the connection to the registry is refused.", "Find what refuses the connection, or correct the image's host and port."),
    _c("pull.unreachable", NETWORK, "The node cannot pull an image: there is no route to the registry, or a device prohibits it.", "Add the route to the registry, or lift the prohibition."),
    _c("pull.timeout", NETWORK, "The node cannot pull an image: nothing answers at the registry's address.", "Allow TCP 443 from the nodes to the registry's login and data hosts."),
    _c("pull.reset", NETWORK, "The node cannot pull an image: the connection is cut.", "Look for the device that cuts connections between nodes and registry."),
    _c("pull.wrong-platform", APPLICATION, "The node cannot pull an image: it does not exist for the node's architecture.", "Push a multi-architecture image, or one for this pool's architecture."),
    _c("pull.unauthorized", IDENTITY, "The node cannot pull an image: the registry demands other credentials.", "Attach the registry to the cluster (AcrPull for the kubelet identity), or name a pull secret with --pull-secret."),
    _c("pull.denied", PLATFORM, "The node cannot pull an image: the registry denies it (403).", "Admit the nodes in the registry's network rules, or give their identity AcrPull."),
    _c("pull.throttled", PLATFORM, "The node cannot pull an image: the registry throttles requests (429).", "Wait and repeat, or use a registry of a higher tier."),
    _c("pull.server-error", PLATFORM, "The node cannot pull an image: the registry answers with a server error.", "Check the registry's health and repeat."),
    _c("pull.not-found", APPLICATION, "The node cannot pull an image: the registry has no such repository, tag or digest.", "Push the image, or correct its name."),
    _c("pull.bad-name", APPLICATION, "The image's name is not valid.", "Correct --probe-image: lower-case repository, tag or digest."),
    _c("pull.not-on-node", PLATFORM, "The image is a local one, and this node does not have it.", "Import the image on every node, or use a registry."),
    _c("pull.no-space", PLATFORM, "The node cannot pull an image: its disk is full.", "Free space on the node, or replace it."),
    _c("pull.layer-broken", NETWORK, "The node gets an image's manifest, but its layers fail.", "Allow the registry's data host without content inspection."),
    _c("pull.no-answer", NETWORK, "The node is still pulling an image when its time is over: the registry does not answer.", "Find why the registry, or a device in its place, accepts connections and stays silent."),
    _c("pull.kubelet-busy", PLATFORM, "The node did not pull an image: the kubelet limits its own pulls.", "Repeat when fewer pods start at once."),
    _c("pull.cached", PLATFORM, "The kubelet resolved the image, but layers that the node has already are not downloaded again, so no download is proven.", "Let preflight push a tiny image with a fresh layer: --push-nonce REPOSITORY."),
    _c("pull.not-pushed", IDENTITY, "The image with a fresh layer could not be pushed to the registry, so no download of layers is proven.", "Give credentials that may push to the repository, from a workstation that reaches the registry."),
    _c("pull.runtime-differs", PLATFORM, "A probe in the node's own network reads manifest and layer, and the node's container runtime cannot pull: its settings differ.", "Compare containerd's proxy settings and mirrors (hosts.toml) on the node with the probe's way."),
    _c("pull.unclassified", PLATFORM, "The node cannot pull an image, with an error that preflight does not know.", "Read the kubelet's text in the evidence, and send it to us."),
    _c("pod.unschedulable", PLATFORM, "The scheduler has no node for the probe.", "Read the scheduler's reasons; make room in the pool, or choose another with --pool."),
    _c("pod.quota-exceeded", PLATFORM, "The namespace's quota does not admit the probe.", "Raise the quota, or run in another namespace (--namespace)."),
    _c("pod.admission-denied", PLATFORM, "A policy of the cluster does not admit the probe.", "Exempt the run's namespace from the policy, or leave the node vantage out."),
    _c("pod.evicted", PLATFORM, "The probe was evicted from its node.", "Look at the node's pressure or drain, and run again."),
    _c("pod.out-of-memory", PLATFORM, "The probe was killed for passing its memory limit.", "Run again with fewer checks at once (--concurrency), and report it."),
    _c("pod.deadline", PLATFORM, "The probe did not finish within the run's deadline.", "Run again with a longer deadline (--deadline)."),
    _c("pod.wrong-architecture", APPLICATION, "The probe image is for another processor architecture than the node's.", "Push a multi-architecture image, or one for this pool."),
    _c("pod.agent-failed", APPLICATION, "The probe's program ended without its closing line.", "Check that the image is preflight's probe image of this version."),
    _c("pod.not-started", PLATFORM, "The probe's container could not be started.", "Read the kubelet's reason; usually a volume, the network plug-in or the runtime."),
    _c("pod.gone", PLATFORM, "The probe's pod was deleted by somebody else.", "Find who deletes pods in this namespace, and run again."),
    _c("pod.not-found", APPLICATION, "The pod or container that --via names does not exist.", "Correct --via existing-pod NAMESPACE/POD[/CONTAINER]."),
    _c("pod.not-running", APPLICATION, "The pod that --via names does not run, so nothing can be run in it.", "Name a pod that runs."),
    _c("pod.no-shell", APPLICATION, "The container that --via names has no shell, so nothing can be run in it.", "Name a container that has sh: another one of the pod, or another pod of the pool."),
    _c("kube.no-usable-node", PLATFORM, "The pool has no node that can run a probe: none at all, not ready, or cordoned.", "Start the pool or uncordon a node, or leave the pool out with --pool."),
    _c("kube.forbidden", IDENTITY, "The user of the kubeconfig lacks a right that the run needs.", "Grant the rights that preflight rbac prints, or run in a given namespace (--namespace)."),
    _c("kube.login-refused", IDENTITY, "The API server does not accept the credentials of the kubeconfig.", "Sign in again (az aks get-credentials, kubelogin), or name another context."),
    _c("kube.unreachable", NETWORK, "The API server cannot be reached from the workstation, so nothing can be started in the cluster.", "Run from a host that reaches the API server, or open the way to it."),
    _c("kube.api-lost", NETWORK, "The API server was lost while probes were starting or running, and did not come back in time.", "Run again; look at the API server's health and at the way to it."),
    _c("kube.log-channel-broken", NETWORK, "The API server's way to the kubelet is broken: it cannot read the log of a probe, or run a command in a pod.", "Open the way between API server and nodes: konnectivity's tunnel out of the nodes, or TCP 10250 to them."),
    _c("kube.rejected", PLATFORM, "The API server rejected an object of the run as invalid.", "Read its message; report it, since it is probably our bug."),
    _c("kube.namespace-gone", PLATFORM, "The namespace of the run is being deleted, or is not there.", "Create the namespace, or choose another one."),
    # -- policy: network policies that tell the probe and the real pods apart
    _c("policy.probe-differs", PLATFORM, "Network policies select the real pods and not the probe, so what the probe reached proves nothing about them.", "Let the pod probes stand beside the real pods: --pod-as router, --pod-as model."),
    _c("policy.may-deny", PLATFORM, "A network policy that selects the real pods and not the probe does not obviously allow what the probe reached.", "Read the policy's egress rules, or let the pod probes stand beside the real pods: --pod-as router, --pod-as model."),
    # -- peers
    _c("peers.no-listener", PLATFORM, "The pod that should answer others did not start, so connections to its pool could not be tested.", "Read why it did not start, and run again."),
    _c("peers.other-answer", NETWORK, "A connection between two pods is accepted by something that is not the pod that was asked.", "Find the service mesh, proxy or device between pods, and exempt these ports from it."),
    # -- router
    _c("router.restart-needed", PLATFORM, "The router's pods have other proxy settings than a pod that starts now, so they were started before the proxy was changed.", "Restart the router: kubectl rollout restart deployment azureml-fe (v1, in default) or azureml-fe-v2 (extension, in azureml)."),
    # -- azure: what a run asks of Azure Resource Manager for itself (--via command-invoke)
    _c("azure.login-refused", IDENTITY, "Nobody is signed in to Azure here, or Azure Resource Manager does not accept the token.", "Sign in: az login, or the variables of a service principal or federated identity."),
    _c("azure.forbidden", IDENTITY, "The identity may not run commands in the cluster through Azure.", "Grant Microsoft.ContainerService/managedClusters/runcommand/action and commandResults/read on the cluster."),
    _c("azure.not-found", APPLICATION, "Azure Resource Manager does not know the cluster that --via names.", "Correct --via command-invoke SUBSCRIPTION/GROUP/CLUSTER, or sign in to the right tenant."),
    _c("azure.throttled", PLATFORM, "Azure Resource Manager throttles requests (429).", "Wait and repeat; look for what uses up the subscription's requests."),
    _c("azure.unreachable", NETWORK, "Azure Resource Manager cannot be reached from the workstation, so nothing can be started through it.", "Allow the cloud's Resource Manager host (management.azure.com), TCP 443, from the workstation."),
    _c("azure.unavailable", PLATFORM, "Azure Resource Manager answers with a server error.", "Check Azure status and repeat."),
    _c("azure.rejected", PLATFORM, "Azure Resource Manager rejects the request to run a command.", "Read its code and message in the evidence."),
    _c("azure.unexpected-answer", NETWORK, "What answers for Azure Resource Manager does not answer as it does.", "Find what answers for the address: a proxy, or a stand-in."),
    _c("azure.command-disabled", PLATFORM, "The cluster has run command disabled.", "Enable it (az aks update --enable-run-command), or run from a network that reaches the API server."),
    _c("azure.command-failed", PLATFORM, "AKS accepted the command and could not run it in the cluster.", "Look at the pod in the namespace aks-command: scheduling, image pull, policies."),
    # -- endpoint
    _c("endpoint.wrong-address", DNS, "The endpoint domain resolves to another address than the router's.", "Correct the record: after a switch to an internal load balancer the old one stays behind."),
    _c("endpoint.no-replicas", APPLICATION, "The router answers, but no replica of the model is ready.", "Look at the model's pods; the network is fine."),
    _c("endpoint.unavailable", APPLICATION, "The router answers with a server error.", "Look at the router's and the model's pods; the network is fine."),
    # -- vantage, check, preflight: could not test
    _c("vantage.not-run", PLATFORM, "This vantage decides but could not run, so nothing is proven for it.", "Make the vantage available, or leave it out by choice with --vantage."),
    _c("vantage.version-skew", APPLICATION, "The probe image holds another version of preflight, and the two do not understand each other.", "Use the probe image of this version: preflight image names it, --probe-image chooses it."),
    _c("vantage.incomplete", PLATFORM, "The vantage stopped before this check was finished.", "Run again; look at why the vantage stopped."),
    _c("vantage.limited", PLATFORM, "The probe at this place has fewer means than preflight's own image, and could not test this.", "Run with the probe image when it can be pulled, or name a container that has what is missing."),
    _c("check.deadline", PLATFORM, "The check's deadline passed before anything could be said.", "Run again with a longer deadline ([limits] in preflight.toml)."),
    _c("check.load-induced", PLATFORM, "It failed while many places asked at once, and held when one of them tried again alone.", "Repeat with fewer places or a lower limits.connects_per_s, and find what gives way under load."),
    _c("check.interrupted", PLATFORM, "The run was interrupted before this check was finished.", "Run again."),
    _c("preflight.internal", PLATFORM, "preflight itself broke here; this says nothing about the network.", "Report it with the run file: this is our bug."),
)  # fmt: skip

CAUSES: dict[str, Cause] = {cause.id: cause for cause in _ALL}
