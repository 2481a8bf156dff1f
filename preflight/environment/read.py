"""Reads what `preflight.toml` consists of: the file itself, and the certificates it names. All file access is here."""

import re
import ssl
import tomllib
from pathlib import Path
from typing import Any, Final

from preflight import files
from preflight.failures import UsageFailure
from preflight.strict import Fault, printable

LARGEST: Final = 4_000_000  # bytes; the largest CA bundles have a quarter of this
_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")


def read_config(path: Path) -> dict[str, Any]:
    """The tables of the file. Raises `UsageFailure`."""
    try:
        if path.is_dir():
            raise UsageFailure(f"{path}: is a folder\n  give the file: --config {path / 'preflight.toml'}")
        return tomllib.loads(files.read(path, LARGEST).decode("utf-8"))
    except files.TooLarge as error:
        raise UsageFailure(f"{path}: is larger than {LARGEST:,} bytes\n  this is not a preflight.toml") from error
    except FileNotFoundError as error:
        raise UsageFailure(
            f"{path}: no such file\n  write one with `preflight init`, or name another with --config FILE"
        ) from error
    except OSError as error:
        raise UsageFailure(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageFailure(f"{path}: is not UTF-8 text (byte {error.start})\n  save it as UTF-8") from error
    except RecursionError as error:
        raise UsageFailure(f"{path}: is nested too deeply\n  this is not a preflight.toml") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageFailure(f"{path}: is not valid TOML: {printable(str(error))}") from error


def read_certificates(path: Path, shown_as: str) -> str | Fault:
    """The certificates of a PEM file and nothing else of it (never a private key), or what is wrong with it."""
    try:
        content = files.read(path, LARGEST)
    except files.TooLarge:
        return f'"{shown_as}" is larger than {LARGEST:,} bytes', "give the authorities' certificates only"
    except FileNotFoundError:
        return f'"{shown_as}": no such file', f"looked for {path}"
    except OSError as error:
        return f'"{shown_as}" cannot be read: {error.strerror}', f"looked for {path}"
    return _certificates(content, shown_as)


def _certificates(content: bytes, shown_as: str) -> str | Fault:
    found = _CERTIFICATE.findall(content.decode("ascii", errors="replace"))
    if not found:
        if content[:2] == b"\x30\x82":
            return f'"{shown_as}" is DER, not PEM', "convert it: openssl x509 -inform der -in FILE -out FILE.pem"
        if b"PRIVATE KEY" in content:
            return f'"{shown_as}" holds a private key and no certificate', "give the authority's certificate (PEM)"
        return f'"{shown_as}" is not PEM', 'a PEM file holds "-----BEGIN CERTIFICATE-----"'
    pem = "\n".join(found) + "\n"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError, TypeError) as error:  # TypeError: text between the lines that is not ASCII
        reason = getattr(error, "reason", None) or str(error)
        return f'"{shown_as}" holds a damaged certificate ({reason})', "export the certificate again, as PEM"
    return pem
