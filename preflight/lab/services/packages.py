"""Package hosts of Microsoft, and an ordinary web service that a model calls.

packages.microsoft.com shows a directory; packages.aks.azure.com is storage behind a front door and answers 400 on "/",
as its predecessor acs-mirror.azureedge.net does (hard-coded as "reached" in AgentBaker's aks-check-network.sh).
"""

from preflight.lab import deployment as at
from preflight.lab.http import Handler, Request, Response, document, page


def packages(request: Request) -> Response:
    """The roots, which is what a reachability check asks for."""
    if request.host == at.PACKAGES_AKS.name and request.path == "/":
        return page(400, "<?xml version='1.0'?><Error><Code>InvalidQueryParameterValue</Code></Error>")
    return page(200, "<html><head><title>Index of /</title></head><body><h1>Index of /</h1></body></html>")


def web(_request: Request) -> Response:
    """The feature store of the example dependency."""
    return document(200, {"status": "ok"})


ERRORS: dict[str, Handler] = {}
