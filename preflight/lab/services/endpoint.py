"""The router (azureml-fe) behind the endpoint domain.

Sources: headers of MachineLearningNotebooks#450 (server Cowboy, x-ms-request-id); texts of #450, #647, #1004. What the
router says to a GET without a key is in no public source: a 401 in its style is this lab's assumption, and nothing is
judged but that the router answers.
"""

from preflight.lab.http import Handler, Request, Response, page

_HEADERS = {
    "Server": "Cowboy",
    "Cache-Control": "max-age=0, private, must-revalidate",
    "x-ms-request-id": "ae21c07c-26b7-401e-858b-1d63c59605af",
}


def router(request: Request) -> Response:
    """The root says that the router lives; scoring wants a key."""
    if request.path in ("", "/"):
        return page(200, "Healthy", _HEADERS)
    return page(401, "Authorization header is missing", {**_HEADERS, "WWW-Authenticate": "Bearer"})


ERRORS: dict[str, Handler] = {
    "endpoint.no-replicas": lambda _request: page(503, "No ready replicas for service sentiment", _HEADERS),
    "endpoint.unavailable": lambda _request: page(502, "Replica closed connection before replying", _HEADERS),
}
