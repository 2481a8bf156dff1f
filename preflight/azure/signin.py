"""A token for Azure, from whoever is signed in here: variables, a federated token, or the Azure CLI."""

import asyncio
import os
from typing import Any

from preflight.failures import ClusterFailure, MissingExtra
from preflight.model.secret import Secret

_CLI_S = 30  # seconds; `az` takes about one


async def token(resource: str, authority: str) -> Secret:
    """For `resource` (a host or an application's id), from the authority's host. Raises `ClusterFailure`."""
    scope = f"https://{resource}/.default" if "." in resource else f"{resource}/.default"
    return await asyncio.to_thread(_token, scope, authority)


def _token(scope: str, authority: str) -> Secret:
    try:
        from azure.core.exceptions import AzureError  # noqa: PLC0415 - slow to import
    except ModuleNotFoundError as error:
        raise MissingExtra("azure", "--via command-invoke") from error
    try:
        with _credential(authority) as credential:
            return Secret(credential.get_token(scope).token)
    except AzureError as error:
        said = " ".join(str(error).split())[:500]
        raise ClusterFailure("azure.login-refused", f"no token for Azure Resource Manager: {said}") from error


def _credential(authority: str) -> Any:
    """The first that is there. Managed identities are not asked: a look for one is a request of its own."""
    from azure import identity  # noqa: PLC0415 - slow to import

    if os.environ.get("AZURE_FEDERATED_TOKEN_FILE"):
        return identity.WorkloadIdentityCredential(authority=authority)
    if os.environ.get("AZURE_CLIENT_ID") and os.environ.get("AZURE_TENANT_ID"):
        return identity.EnvironmentCredential(authority=authority)
    return identity.AzureCliCredential(process_timeout=_CLI_S)
