"""The environment as plain data for reports: the tables of `preflight.toml`, without anything secret. Pure."""

from pathlib import Path
from typing import Any

import msgspec

from preflight.model.environment import Credentials, Environment, SecretSource
from preflight.strict import masked


def describe(env: Environment) -> dict[str, Any]:
    """Tables and keys as in the file, defaults included, keys that are not given left out."""
    data = {
        "schema_version": env.schema_version,
        "source": Path(env.source).name,
        "environment": _plain(env.main),
        "issuers": list(env.issuers),
        "cloud": _plain(env.cloud),
        "api_server": _plain(env.api_server),
        "registry": _plain(env.registry),
        "storage": [_plain(one) for one in env.storage],
        "workspace": _plain(env.workspace),
        "endpoint": _plain(env.endpoint),
        "proxy": _plain(env.proxy),
        "credentials": _credentials(env.credentials),
        "pods": _plain(env.pods),
        "pool": [_plain(one) for one in env.pools],
        "dependency": [_plain(one) for one in env.dependencies],
        "limits": _plain(env.limits),
        "mapping": _plain(env.mapping),
        "certificates": {
            "ca_file": env.ca_pem.count("-----BEGIN CERTIFICATE-----"),
            "api_server_ca_file": env.api_server_ca_pem.count("-----BEGIN CERTIFICATE-----"),
        },
    }
    return {key: _redacted(value) for key, value in data.items()}


def _plain(value: msgspec.Struct) -> dict[str, Any]:
    table = msgspec.to_builtins(value)
    return {key: one for key, one in table.items() if one is not None}


def _credentials(credentials: Credentials) -> dict[str, str]:
    """Where each secret comes from; the secrets themselves were never here."""
    sources = {name: getattr(credentials, name) for name in credentials.__struct_fields__}
    return {name: _source(source) for name, source in sources.items() if source is not None}


def _source(source: SecretSource) -> str:
    return f"environment variable {source.env}" if source.env else f"file {source.file}"


def _redacted(value: Any) -> Any:
    """A second line of defence: loading refuses secrets in URLs, and what passed is masked here all the same."""
    match value:
        case str():
            return masked(value)
        case dict():
            return {key: _redacted(one) for key, one in value.items()}
        case list() | tuple():
            return [_redacted(one) for one in value]
        case _:
            return value
