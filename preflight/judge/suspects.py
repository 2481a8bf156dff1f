"""The usual suspects: places that look alike on the wire, with what would settle which it is. Texts only."""

from preflight.model.run import Candidate

POLICY = Candidate(
    what="NetworkPolicy (Cilium, Calico, Azure) that applies to the pods",
    because="pods fail where their nodes do not",
    settle="kubectl get networkpolicy,ciliumnetworkpolicy -A; run once in a namespace without policies",
)


def named_policy(title: str) -> Candidate:
    """A policy that was read, and that selects the probe."""
    return Candidate(
        what=title,
        because="it selects the probe, and its rules do not obviously allow this",
        settle="the same check with an egress rule added for it, or from a namespace without policies",
    )


POD_FILTER = Candidate(
    what="policy or sidecar in the pods' own way that filters by name (Cilium toFQDNs or SNI rules, mesh egress)",
    because="pods are cut when the server name is sent and their nodes are not; only what pods alone pass can do that",
    settle="kubectl get ciliumnetworkpolicy,serviceentry,sidecar -A; containers injected into the probe's pod",
)
FORWARDING = Candidate(
    what="rules of the node for traffic that it forwards: host firewall, masquerading that misses, egress gateway",
    because="pods cross them and the node's own traffic does not; behind the node, the network cannot tell them apart",
    settle="iptables-save and nft list ruleset on the node (FORWARD); kubectl get ciliumegressgatewaypolicy",
)
CLUSTER_EGRESS = Candidate(
    what="the cluster's way out: firewall behind its default route, NAT gateway or load balancer of its network",
    because="nodes and pods fail alike while the workstation gets through, so the service is up",
    settle="effective routes of the node subnets; the firewall's log for the nodes' addresses at that time",
)
PROVIDER = Candidate(
    what="the service itself, or its own firewall: down, paused, moved, or closed to every network",
    because="the cluster and the workstation, which share no way out, fail alike",
    settle="the service's health in the portal and its own network rules",
)
STALE_NAME = Candidate(
    what="the name: an address that is no longer, or never was, the service's",
    because="all places ask for the same name, and an answer that is wrong is wrong for all",
    settle="whether the address in the evidence is the service's",
)
CLUSTER_TRUST = Candidate(
    what="trust store of nodes and images: an authority that the workstation has was not added to them",
    because="the workstation trusts what it is shown and the cluster does not",
    settle="issuer and fingerprint at both places in the evidence: the same certificate means that stores differ",
)
SINGLE_ADDRESSES = Candidate(
    what="rule that names single addresses instead of the subnet",
    because="pods and nodes share the subnet but not their addresses",
    settle="the firewall's log for the pod's source address",
)
SNI_FILTER = Candidate(
    what="firewall that filters by server name (application rule of a firewall or a next-generation firewall)",
    because="TCP connects and is cut when the server name is sent; NSGs and routes do not see server names",
    settle="the firewall's application rule log at that time for that name",
)
PROXY_IN_LINE = Candidate(
    what="transparent proxy or secure web gateway on the way",
    because="it answers TCP itself and then refuses the name",
    settle="the gateway's log at that time for that name",
)
PRIVATE_SILENCE = (
    Candidate(
        what="no route between this network and the private endpoint's (peering missing or disconnected, route table)",
        because="the destination is private and nothing answers",
        settle="effective routes of the source; state of both peerings",
    ),
    Candidate(
        what="NSG on the source's or on the private endpoint's subnet",
        because="NSGs drop silently",
        settle="flow logs for source and destination; effective NSG rules",
    ),
    Candidate(
        what="firewall between the networks without a network rule for the destination",
        because="private traffic crosses it where routes send it there",
        settle="the firewall's network rule log",
    ),
)
PUBLIC_SILENCE = (
    Candidate(
        what="firewall or appliance behind the default route without a rule for the destination",
        because="outbound traffic of the cluster usually crosses it, and it drops silently",
        settle="the firewall's network rule log; effective routes of the source",
    ),
    Candidate(
        what="NSG that denies Internet on the source's subnet",
        because="NSGs drop silently",
        settle="flow logs for source and destination; effective NSG rules",
    ),
    Candidate(
        what="no way out or no way back (outbound type, NAT gateway, asymmetric route)",
        because="nothing answers, and nothing says why",
        settle="effective routes; whether any other public destination answers from here",
    ),
)
PUBLIC_ANSWER = (
    Candidate(
        what="private DNS zone not linked to the network of the resolver",
        because="the chain names the private link zone, and the answer is the public one",
        settle="az network private-dns link vnet list for the zone: is the resolver's network among them?",
    ),
    Candidate(
        what="forwarder missing on the resolver (or it forwards the private link zone instead of the public one)",
        because="the resolver asks the Internet instead of Azure DNS",
        settle="ask 168.63.129.16 from inside the linked network; compare with environment.resolvers",
    ),
    Candidate(
        what="the private endpoint is somebody else's (another tenant or network), none exists for this network",
        because="any private endpoint anywhere puts the private link name into the chain",
        settle="the service's private endpoint connections: is one of them in a network that this place reaches?",
    ),
)
COREDNS = Candidate(
    what="CoreDNS of the cluster (coredns-custom, stub domains, LocalDNS cache)",
    because="nodes resolve the name and pods do not",
    settle="kubectl -n kube-system get configmap coredns coredns-custom -o yaml",
)
DNS_POLICY = Candidate(
    what="NetworkPolicy that keeps pods from CoreDNS",
    because="nodes resolve and pods do not; policies that forget DNS are common",
    settle="kubectl get networkpolicy -A; UDP and TCP 53 to kube-dns",
)
SERVICE_ADDRESS = Candidate(
    what="translation of the service address on the node (kube-proxy, Cilium), or a policy for that address",
    because="the replicas behind the address answer, and the address does not",
    settle="kubectl -n kube-system logs -l component=kube-proxy; iptables-save or cilium service list on the node",
)
DNS_NODES = Candidate(
    what="NSG, route or firewall between the pods' network and the nodes on which CoreDNS runs",
    because="pods of one pool reach CoreDNS in another pool's subnet only through the network between them",
    settle="flow logs for UDP and TCP 53 between the two subnets; effective NSG rules of both",
)
DNS_PODS = Candidate(
    what="the CoreDNS pods themselves, or their node",
    because="nobody gets an answer from them",
    settle="kubectl -n kube-system get pods -l k8s-app=kube-dns -o wide; their logs",
)
DNS_UPSTREAM = Candidate(
    what="the way from the node of the CoreDNS replica to the DNS servers of the virtual network",
    because="CoreDNS forwards from its own node, usually in the system pool, whichever pod asked",
    settle="from that node: ask its own DNS servers (/etc/resolv.conf) for the name; flow logs for port 53",
)
DNS_PATH = Candidate(
    what="NSG, firewall or route between this place and the DNS server",
    because="silence on port 53 looks like a dead server",
    settle="flow logs for port 53; ask the server from its own network",
)
FORWARDER = Candidate(
    what="the DNS server's own forwarder or its way to Azure DNS",
    because="a server that cannot reach its forwarder answers late or with SERVFAIL",
    settle="the same query asked at the server itself",
)
AUTHORIZED_RANGES = Candidate(
    what="the API server's authorized IP ranges, which do not contain this network's egress address",
    because="a public API server drops sources outside its ranges without a word",
    settle="az aks show --query apiServerAccessProfile.authorizedIpRanges, beside the egress address of this network",
)
IMAGE_TRUST = Candidate(
    what="the trust store of the image: an authority added to the nodes is not in it",
    because="nodes trust the certificate and pods do not; AKS custom certificate authorities reach nodes only",
    settle="the CA bundle inside a pod; whether the image adds the corporate authority",
)
POD_PROXY = Candidate(
    what="proxy settings of the pod (HTTPS_PROXY, NO_PROXY) that differ from the node's",
    because="nodes get through and pods do not",
    settle="the environment of the pod; the annotation kubernetes.azure.com/no-http-proxy-vars",
)
TUNNEL_MTU = Candidate(
    what="MTU of the pods' interface, larger than the overlay or tunnel allows",
    because="only pods lose large packets",
    settle="ip link inside a pod, beside the node's",
)
FOREIGN_ADDRESS = Candidate(
    what="stale or wrong DNS record: the address belongs to somebody else now",
    because="what answers is not the service",
    settle="whether the address is the service's",
)
IN_ITS_PLACE = Candidate(
    what="device that answers in place of the service (block page, captive portal, load balancer)",
    because="TCP connects, and what speaks is not the service",
    settle="the same from a network without that device; the first bytes of the answer are in the evidence",
)
INSPECTION = Candidate(
    what="TLS inspection on a firewall or secure web gateway",
    because="the handshake is rebuilt on the way",
    settle="the issuer of the certificate; the device's inspection policy for the host",
)
SERVICE = Candidate(
    what="the service itself (overloaded, restarting, or refusing this client)",
    because="the way there is fine as far as it was seen",
    settle="the service's own log and health at that time",
)
CONTENT = Candidate(
    what="device that inspects content and cuts",
    because="the connection and TLS were fine",
    settle="the device's threat or content log at that time",
)
KONNECTIVITY = Candidate(
    what="firewall or TLS inspection between the nodes and the API server, which breaks konnectivity's tunnel",
    because="the API server reaches kubelets through a tunnel that agents on the nodes open to it",
    settle="the log of kube-system's konnectivity-agent; does kubectl logs fail for every pod of the node?",
)
KUBELET_PORT = Candidate(
    what="rule that drops TCP 10250 towards the node (NSG, NetworkPolicy for host endpoints, local firewall)",
    because="only logs fail, and the watch, which the kubelet feeds itself, goes on",
    settle="TCP 10250 from the API server or the konnectivity server to the node",
)
PEER_POLICY = Candidate(
    what="NetworkPolicy (Cilium, Calico, Azure) at either end: egress of the pods that ask, ingress of those asked",
    because="policies select by namespace, label and port, and apply between pods of one cluster",
    settle="kubectl get networkpolicy,ciliumnetworkpolicy -A; the same run in a namespace without policies",
)
PEER_NSG = Candidate(
    what="NSG on the subnet of one of the two pools that does not allow the pods' ranges",
    because="traffic between pods of different nodes crosses the subnets with the pods' own addresses",
    settle="effective NSG rules of both pools' subnets, for both pod addresses and the port",
)
PEER_ROUTES = Candidate(
    what="route table of one of the two subnets: without the cluster's routes the pods of other nodes are not found",
    because="kubenet reaches pods of other nodes by one route for each node, in a table that the subnet must have",
    settle="az network route-table route list for both subnets: a route for each node's pod range",
)
PEER_FIREWALL = Candidate(
    what="route that sends traffic between the two subnets through a firewall, which has no rule for it",
    because="0.0.0.0/0 does not, but a route for the virtual network's own range does",
    settle="effective routes of both pools; the firewall's network rule log for both pod addresses",
)
MESH = Candidate(
    what="service mesh (sidecar or node proxy) or device that accepts connections in place of the pod",
    because="the connection is accepted, and what answers is not the pod that was asked",
    settle="containers that were injected into the probe's pod; mutual TLS mode of the mesh for the namespace",
)
RUNTIME_PROXY = Candidate(
    what="containerd's proxy settings (AKS: httpProxyConfig), or none where the network demands one",
    because="containerd takes its proxy from its own service, and probes from preflight.toml",
    settle="az aks show --query httpProxyConfig; systemctl show containerd -p Environment on the node",
)
RUNTIME_MIRROR = Candidate(
    what="a mirror for the registry (hosts.toml in containerd's certs.d), or another address in the node's hosts file",
    because="containerd asks the mirror in the registry's place",
    settle="/etc/containerd/certs.d on the node; the host that the kubelet's message names",
)
OTHERS: dict[str, tuple[Candidate, ...]] = {
    "pull.runtime-differs": (RUNTIME_PROXY, RUNTIME_MIRROR),
    "kube.log-channel-broken": (KONNECTIVITY, KUBELET_PORT),
    "peers.other-answer": (MESH, PEER_POLICY),
    "tls.timeout": (
        Candidate(
            what="firewall that answers TCP itself and drops the handshake",
            because="TCP connects and the ClientHello gets no answer",
            settle="the firewall's application rule log for the server name",
        ),
        Candidate(
            what="path MTU black hole in a tunnel (VPN, ExpressRoute, virtual WAN)",
            because="the first large packets of a connection are those of the handshake",
            settle="the same with the MSS clamped to 1200",
        ),
    ),
    "http.stalled": (
        Candidate(
            what="tunnel on the way (VPN, ExpressRoute, virtual WAN, overlay) with a smaller MTU",
            because="small segments pass where full ones vanish",
            settle="tracepath to the destination; ICMP 'fragmentation needed' in a capture",
        ),
    ),
    "tcp.refused": (
        Candidate(
            what="service that does not listen there, or an address that is stale",
            because="a reset comes at once, and NSGs never send one",
            settle="whether the address is still the service's",
        ),
        Candidate(
            what="firewall or appliance that rejects instead of dropping",
            because="a reset comes at once",
            settle="the device's log for source and destination",
        ),
    ),
    "route.unreachable": (
        Candidate(
            what="route table or peering without a route to the address",
            because="a router says so, or this place has no route",
            settle="effective routes of the source",
        ),
        Candidate(
            what="device that answers 'unreachable' instead of dropping",
            because="some firewalls reject that way",
            settle="the source of the ICMP message in a capture",
        ),
    ),
    "http.reset": (CONTENT, SERVICE),
    "http.timeout": (SERVICE, CONTENT),
    "http.malformed": (IN_ITS_PLACE, FOREIGN_ADDRESS),
    "http.block-page": (IN_ITS_PLACE, FOREIGN_ADDRESS),
    "tcp.lossy": (
        Candidate(
            what="SNAT ports of a load balancer, NAT gateway or firewall that are used up",
            because="new connections are dropped while others go on, whatever their destination",
            settle="its metrics at that time: SNAT connection count (failed), dropped packets",
        ),
        Candidate(
            what="one dead or asymmetric path of several (ECMP, two firewalls, two gateways)",
            because="each new source port is balanced anew, and a fixed share of them meets the dead one",
            settle="repeated connections from one source port each: does a port always fail or always pass?",
        ),
        Candidate(
            what="device or link that is overloaded",
            because="whoever sends then loses packets",
            settle="drop counters of the devices on the way; mtr --tcp --port 443 to the destination",
        ),
    ),
    "snat.exhaustion-suspected": (
        Candidate(
            what="outbound rule of the cluster's load balancer: ports allocated to each node",
            because="each node has a fixed number, and a destination takes one for each connection",
            settle="metric SNAT connection count of the load balancer, connection state Failed",
        ),
        Candidate(
            what="NAT gateway of the subnet, or public addresses of Azure Firewall",
            because="all nodes share their ports",
            settle="SNAT connection count and dropped packets of the gateway; SNAT port utilization of the firewall",
        ),
        Candidate(
            what="connection table or rate limit of a device on the way",
            because="it drops new connections like used-up ports do",
            settle="its session count and drop counters at that time",
        ),
    ),
    "tcp.reset": (
        Candidate(
            what="firewall or appliance that resets connections it does not allow",
            because="the connection is answered and then refused",
            settle="the device's log for source and destination",
        ),
        SERVICE,
    ),
    "route.prohibited": (
        Candidate(
            what="router or firewall that rejects with 'administratively prohibited'",
            because="only a device that was told to says so",
            settle="the source of the ICMP message in a capture",
        ),
        Candidate(
            what="local firewall of this machine (iptables, nftables, eBPF policy)",
            because="it rejects with the same error",
            settle="its rules and counters",
        ),
    ),
    "tls.not-tls": (IN_ITS_PLACE, FOREIGN_ADDRESS),
    "tls.wrong-name": (FOREIGN_ADDRESS, IN_ITS_PLACE, INSPECTION),
    "tls.alert": (SERVICE, INSPECTION),
    "tls.intercepted": (INSPECTION,),
    "tls.alpn-stripped": (INSPECTION,),
    "kube.unexpected-answer": (IN_ITS_PLACE, FOREIGN_ADDRESS),
    "azure.unexpected-answer": (IN_ITS_PLACE, FOREIGN_ADDRESS),
    "proxy.failed": (
        Candidate(
            what="the proxy's own DNS or way out to the target",
            because="the proxy took the request and could not serve it",
            settle="the proxy's log at that time",
        ),
        Candidate(
            what="firewall behind the proxy",
            because="it drops the proxy's connection as it would drop this one",
            settle="the firewall's log for the proxy's address",
        ),
    ),
}
