"""Runs inside mitmproxy, in its own Python: lets exempted hosts pass untouched and changes the bodies of others."""

import json
from pathlib import Path

from mitmproxy import ctx, http, tls  # type: ignore[import-not-found]
from mitmproxy.addonmanager import Loader  # type: ignore[import-not-found]


def load(loader: Loader) -> None:
    """The option that names the file of orders."""
    loader.add_option("orders", str, "", "JSON file: exempt and tamper, lists of host names")


def _ordered(what: str, host: str) -> bool:
    orders = json.loads(Path(ctx.options.orders).read_text())
    return any(host == name or (name.startswith(".") and host.endswith(name)) for name in orders[what])


def tls_clienthello(data: tls.ClientHelloData) -> None:
    """Before the handshake: pass the connection on as it is."""
    if _ordered("exempt", data.client_hello.sni or ""):
        data.ignore_connection = True


def response(flow: http.HTTPFlow) -> None:
    """After the answer: content inspection that rewrites."""
    if flow.response is not None and flow.response.raw_content and _ordered("tamper", flow.request.pretty_host):
        flow.response.raw_content = bytes(byte ^ 1 for byte in flow.response.raw_content)
