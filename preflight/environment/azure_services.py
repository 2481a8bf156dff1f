"""What `az acr show`, `az storage account show` and `az ml workspace show` say. Pure."""

import re
from collections.abc import Mapping
from typing import Any, Final

from preflight.environment.azure_cluster import cloud_of, region_of
from preflight.environment.draft import Draft, denied, last, table, tables, text
from preflight.strict import url_host

_GUID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


def _link(document: Mapping[str, Any]) -> str:
    """Private only when public access is off: beside it, a private endpoint may serve other networks than this one."""
    return "private" if denied(dict(document)) else "any"


def _endpoints(document: Mapping[str, Any]) -> int:
    """Approved private endpoint connections."""
    connections = [
        {**one, **table(one.get("properties"))} for one in tables(document.get("privateEndpointConnections"))
    ]
    states = [table(one.get("privateLinkServiceConnectionState")) for one in connections]
    return sum(state.get("status") == "Approved" for state in states)


def _hint(draft: Draft, document: Mapping[str, Any], what: str, key: str) -> None:
    if _endpoints(document) and not denied(dict(document)):
        draft.note(f'{what} has a private endpoint and public access: write {key} = "private" if this network uses it')


def registry(draft: Draft, document: Mapping[str, Any]) -> None:
    """`az acr show`. Replicas show in the data endpoints' names, or in `az acr replication list`."""
    server, home = text(document.get("loginServer")), region_of(document.get("location"))
    if not server:
        draft.note("the registry has no loginServer: it was left out")
        return
    hosts = document.get("dataEndpointHostNames") or []
    regions = [str(host).split(".")[1] for host in hosts if str(host).count(".") > 2] if isinstance(hosts, list) else []
    existing = draft.tables.get("registry", {}).get("replicas", [])
    draft.put(
        "registry",
        name=server.lower(),
        region=home,
        replicas=sorted({*existing, *regions} - {home or ""}),
        data_endpoints=document.get("dataEndpointEnabled") is True or None,
        public_access_denied=denied(dict(document)) or None,
        link=_link(document),
    )
    draft.put_absent("environment", cloud=cloud_of(home), region=home)
    _hint(draft, document, "the registry", "registry.link")
    draft.note(
        "name an image to pull in registry.repository, and a pull token in credentials, to prove that layers arrive"
    )
    draft.say(f"registry {server}: {home or 'no region'}, link {_link(document)}, {len(regions)} data endpoints")


def replication(draft: Draft, document: Mapping[str, Any]) -> None:
    """One element of `az acr replication list`."""
    region = region_of(document.get("location")) or region_of(document.get("name"))
    given = draft.tables.get("registry", {})
    if region and region != given.get("region"):
        draft.put("registry", replicas=sorted({*given.get("replicas", []), region}))
        draft.say(f"registry replica in {region}")


def storage(draft: Draft, document: Mapping[str, Any]) -> None:
    """`az storage account show`."""
    name = text(document.get("name"))
    if not name:
        draft.note("a storage account has no name: it was left out")
        return
    has_table = bool(table(document.get("primaryEndpoints")).get("table"))
    link = _link(document)
    draft.element(
        "storage",
        "account",
        account=name,
        blob_link=link,
        table_link=link if has_table else None,
        public_access_denied=denied(dict(document)) or None,
        table=has_table,
    )
    draft.put_absent(
        "environment", region=region_of(document.get("location")), cloud=cloud_of(region_of(document.get("location")))
    )
    _hint(draft, document, f"storage account {name}", "blob_link")
    rules = table(document.get("networkRuleSet") or document.get("networkAcls"))
    if text(rules.get("defaultAction")) == "Deny" and not denied(dict(document)):
        draft.note(f"storage account {name} admits chosen networks only: a blob to read and a SAS prove the admission")
    draft.say(f"storage account {name}: link {link}{'' if has_table else ', no tables'}")


def workspace(draft: Draft, document: Mapping[str, Any]) -> None:
    """`az ml workspace show`, of the CLI's version 1 or 2, or the ARM resource."""
    properties = {**table(document.get("properties")), **document}
    region = region_of(properties.get("location")) or _discovery_region(properties)
    name = text(properties.get("name")) or text(properties.get("workspaceName"))
    guid = _first(properties, "workspaceId", "workspaceid", "workspace_id")
    identity = table(properties.get("identity"))
    tenant = _first(identity, "tenantId", "tenant_id")
    draft.put(
        "workspace",
        name=name,
        id=guid if guid and _GUID.fullmatch(guid) else None,
        region=region,
        tenant=tenant if tenant and _GUID.fullmatch(tenant) else None,
        link=_link(properties),
        public_access_denied=denied(properties) or None,
    )
    draft.put_absent("environment", region=region, cloud=cloud_of(region))
    _belongings(draft, properties)
    if not guid:
        draft.note("the output has no workspaceId: take it from the portal's JSON view into workspace.id")
    draft.say(f"workspace {name or '(no name)'}: {region or 'no region'}, link {_link(properties)}")


def _belongings(draft: Draft, properties: Mapping[str, Any]) -> None:
    """Registry and storage account of the workspace, unless their own outputs were given as well."""
    account = last(_first(properties, "storage_account", "storageAccount"))
    if account and account not in [one["account"] for one in draft.tables.get("storage", [])]:
        draft.element("storage", "account", account=account)
    acr = last(_first(properties, "container_registry", "containerRegistry"))
    if acr:
        draft.put_absent("registry", name=acr.lower())


def _discovery_region(properties: Mapping[str, Any]) -> str | None:
    """`https://westeurope.api.azureml.ms/discovery` -> `westeurope`."""
    host = url_host(_first(properties, "discovery_url", "discoveryUrl") or "")
    return host.partition(".")[0] if ".api." in f".{host.partition('.')[2]}" else None


def _first(properties: Mapping[str, Any], *names: str) -> str | None:
    return next((found for name in names if (found := text(properties.get(name)))), None)
