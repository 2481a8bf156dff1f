"""Reads what `az ... show` printed and turns it into tables of `preflight.toml`.

No Azure rights, no request, no guess.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from preflight import files
from preflight.environment.azure_cluster import cluster, extension, kubeconfig
from preflight.environment.azure_services import registry, replication, storage, workspace
from preflight.environment.draft import Draft
from preflight.failures import Problems

LARGEST: Final = 20_000_000  # bytes


class Kind(msgspec.Struct, frozen=True):
    """One kind of document: its ARM type, keys that give it away without one, and who reads it."""

    command: str
    arm_type: str
    marks: tuple[str, ...]
    read: Callable[[Draft, Mapping[str, Any]], None]


_ACR: Final = "microsoft.containerregistry/registries"
_WORKSPACE: Final = ("mlflow_tracking_uri", "discovery_url", "discoveryUrl", "workspaceId")

# The order is the order of understanding: what the cluster says of its region comes before the others' regions.
KINDS: Final = (
    Kind("az aks show", "microsoft.containerservice/managedclusters", ("agentPoolProfiles",), cluster),
    Kind("kubectl config view --raw -o json", "", ("clusters", "contexts"), kubeconfig),
    Kind("az k8s-extension show", "microsoft.kubernetesconfiguration/extensions", ("extensionType",), extension),
    Kind("az ml workspace show", "microsoft.machinelearningservices/workspaces", _WORKSPACE, workspace),
    Kind("az acr show", _ACR, ("loginServer",), registry),
    Kind("az acr replication list", f"{_ACR}/replications", ("regionEndpointEnabled",), replication),
    Kind("az storage account show", "microsoft.storage/storageaccounts", ("primaryEndpoints",), storage),
)  # fmt: skip


def understand(paths: Sequence[Path]) -> Draft:
    """Everything the files say, as a draft. Raises `Problems` for files that are none of the known outputs."""
    problems: list[str] = []
    found: list[tuple[Kind, Mapping[str, Any]]] = []
    for path in paths:
        for document in _documents(path, problems):
            kind = kind_of(document)
            if kind is None:
                known = ", ".join(f"`{one.command}`" for one in KINDS)
                problems.append(f"{path}: is not an output that is known\n  give the JSON output of {known}")
            else:
                found.append((kind, document))
    if problems:
        raise Problems(problems)
    draft = Draft()
    for kind, document in sorted(found, key=lambda pair: KINDS.index(pair[0])):
        kind.read(draft, document)
    return draft


def kind_of(document: Mapping[str, Any]) -> Kind | None:
    """Which output it is: by its ARM type, else by keys that only it has."""
    arm_type = str(document.get("type") or "").lower()
    by_type = next((kind for kind in KINDS if kind.arm_type and kind.arm_type == arm_type), None)
    return by_type or next((kind for kind in KINDS if any(mark in document for mark in kind.marks)), None)


def _documents(path: Path, problems: list[str]) -> Iterator[Mapping[str, Any]]:
    """The objects of one file: `show` prints one, `list` prints several."""
    try:
        content = json.loads(_text(files.read(path, LARGEST)))
    except files.TooLarge:
        problems.append(f"{path}: is larger than {LARGEST:,} bytes\n  give the output of one `az ... show`")
        return
    except OSError as error:
        problems.append(
            f"{path}: cannot be read: {error.strerror}\n  write it with: az aks show ... -o json > {path.name}"
        )
        return
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        place = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        problems.append(f"{path}: is not JSON{place}\n  az prints JSON with: -o json")
        return
    documents = content if isinstance(content, list) else [content]
    if not documents or not all(isinstance(document, dict) for document in documents):
        problems.append(f"{path}: holds no object\n  give the output of `az ... show -o json`")
        return
    yield from documents


def _text(content: bytes) -> str:
    """PowerShell's `>` writes UTF-16 or a byte order mark."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16")
    return content.decode("utf-8-sig")
