"""The stand-ins: pure functions from request to response, one module each. They know no socket."""

from preflight.lab.deployment import Role
from preflight.lab.http import Handler
from preflight.lab.services import apiserver, arm, endpoint, entra, kusto, packages, registry, storage, workspace

HANDLERS: dict[Role, Handler] = {
    Role.MCR: registry.mcr,
    Role.MCR_DATA: registry.data,
    Role.ACR: registry.acr,
    Role.ACR_DATA: registry.data,
    Role.BLOB: storage.blob,
    Role.TABLE: storage.table,
    Role.ENTRA: entra.entra,
    Role.WORKSPACE: workspace.workspace,
    Role.KUSTO: kusto.kusto,
    Role.API_SERVER: apiserver.api_server,
    Role.ENDPOINT: endpoint.router,
    Role.ARM: arm.arm,
    Role.PACKAGES: packages.packages,
    Role.WEB: packages.web,
}

# Answers of a service that a fault replaces the right one with, by cause.
ERRORS: dict[str, Handler] = {
    **registry.ERRORS,
    **storage.ERRORS,
    **entra.ERRORS,
    **workspace.ERRORS,
    **kusto.ERRORS,
    **apiserver.ERRORS,
    **endpoint.ERRORS,
}
