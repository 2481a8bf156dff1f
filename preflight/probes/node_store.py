"""The node's own certificate store beside this place's, when `--node-trust` mounted it. Reads files, trusts nothing.

The folder is /etc/ssl/certs of the node. Bundles are plain files there on Debian, Ubuntu and Azure Linux with
ca-certificates; where they are links out of the folder, nothing can be read, and that is said.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from preflight.model.observation import VantageFacts
from preflight.probes import certificates, trust

_BUNDLES: Final = ("ca-certificates.crt", "ca-bundle.crt", "ca-bundle.trust.crt")
_MOST_BYTES: Final = 8 * 1024 * 1024
_MOST_FILES: Final = 1000
_MOST_TOLD: Final = 40


def told(facts: VantageFacts, folder: Path | None) -> VantageFacts:
    """The facts with what the node trusts; unchanged without a folder."""
    if folder is None:
        return facts
    theirs = frozenset(one for one in _certificates(folder) if certificates.read((one,))[0].not_after)
    if not theirs:
        notice = f"--node-trust: no certificate can be read in {folder}: links that lead out of it, or other names"
        return msgspec.structs.replace(facts, notices=(*facts.notices, notice))
    ours = trust.own()
    only = sorted(one.subject for one in certificates.read(theirs - ours))
    others = f"{len(only)} of them not in the probe's store, which has {len(ours - theirs)} others"
    seen = f"{len(theirs)} certificates, {others}"
    return msgspec.structs.replace(facts, node_trust=seen, node_roots=tuple(only[:_MOST_TOLD]))


def _certificates(folder: Path) -> Iterator[bytes]:
    """The bundle's, or those of single files where there is none; as DER."""
    bundles = [text for name in _BUNDLES if (text := _text(folder / name))]
    if bundles:
        yield from trust.certificates_of(bundles[0])
        return
    try:
        files = sorted(one for one in folder.iterdir() if one.suffix in (".pem", ".crt", ".0"))[:_MOST_FILES]
    except OSError:
        return
    for file in files:
        yield from trust.certificates_of(_text(file))


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(_MOST_BYTES).decode("ascii", "replace")
    except OSError:
        return ""
