"""Takes small facts out of answers' bodies: bounded, printable, never raising, whatever the bytes are."""

import ipaddress
import json
import re
from collections.abc import Mapping
from typing import Any

_CODE = re.compile(rb"<(?:[A-Za-z]+:)?[Cc]ode>\s*([A-Za-z0-9]{1,80})\s*</")
_MESSAGE = re.compile(rb"<(?:[A-Za-z]+:)?[Mm]essage[^<>]{0,100}>([^<]{1,600})</")
_DECLARATION = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_ADDRESS = re.compile(
    r"(?<![\w.:])((?:[0-9]{1,3}\.){3}[0-9]{1,3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7})(?!\.?[\w:])"
)
XML_LIMIT = 16_384  # bytes of an error document that are looked at
JSON_LIMIT = 8 * 1024 * 1024  # bytes
JSON_VALUES = 100_000  # commas and brackets: 4 MiB of "{}," would take 100 MB of memory
MESSAGE_LIMIT = 240  # characters of a message that is quoted


def as_json(body: bytes) -> Any:
    """The JSON value, None when the body is not JSON (or too large, of too many values, or nested to harm)."""
    if len(body) > JSON_LIMIT or sum(map(body.count, (b",", b"{", b"["))) > JSON_VALUES:
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def as_object(body: bytes) -> dict[str, Any]:
    """The JSON object, empty when the body is anything else."""
    value = as_json(body)
    return value if isinstance(value, dict) else {}


def text(value: object, limit: int = MESSAGE_LIMIT) -> str:
    """A bounded line of printable characters; "" for what is not text."""
    if not isinstance(value, str):
        return ""
    line = " ".join("".join(char if char.isprintable() else " " for char in value[: 4 * limit]).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def address_in(message: str) -> str:
    """The first IP address that a message names, "" without one."""
    for found in _ADDRESS.findall(message[:2000]):
        try:
            return str(ipaddress.ip_address(found))
        except ValueError:
            continue
    return ""


def storage_error(headers: Mapping[str, str], body: bytes) -> dict[str, str]:
    """Code and message of an Azure Storage error: x-ms-error-code, XML of blobs, XML or JSON of tables.

    Entities are not expanded because nothing here is an XML parser; a document that declares any is not read at all.
    """
    code, message = text(headers.get("x-ms-error-code"), 80), ""
    if not _DECLARATION.search(body[:XML_LIMIT]):
        from_xml, from_json = _xml_error(body[:XML_LIMIT]), _json_error(body)
        code, message = code or from_xml[0] or from_json[0], from_xml[1] or from_json[1]
    facts = {"error": code, "error_message": message, "denied_source": _denied_source(code, message)}
    return {name: value for name, value in facts.items() if value}


def _xml_error(body: bytes) -> tuple[str, str]:
    code, message = _CODE.search(body), _MESSAGE.search(body)
    return (
        code[1].decode("ascii") if code else "",
        text(message[1].decode("utf-8", "replace").partition("RequestId:")[0]) if message else "",
    )


def _json_error(body: bytes) -> tuple[str, str]:
    document = as_object(body[:XML_LIMIT])
    error = document.get("odata.error") or document.get("error")
    if not isinstance(error, dict):
        return "", ""
    message = error.get("message")
    message = message.get("value") if isinstance(message, dict) else message
    words = message.partition("RequestId:")[0] if isinstance(message, str) else ""
    return text(error.get("code"), 80), text(words)


def _denied_source(code: str, message: str) -> str:
    return address_in(message) if code == "AuthorizationSourceIPMismatch" else ""
