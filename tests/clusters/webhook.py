"""An admission webhook of a test on the workstation, reached through a Service: it changes pods, as policy add-ons do."""

import base64
import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from clusters.world import World
from preflight.lab.pki import Authority

Json = dict[str, Any]
_OBJECTS = """\
apiVersion: v1
kind: Service
metadata: {{name: webhook, namespace: {namespace}}}
spec: {{ports: [{{port: 443, targetPort: {port}}}]}}
---
apiVersion: v1
kind: Endpoints
metadata: {{name: webhook, namespace: {namespace}}}
subsets: [{{addresses: [{{ip: {address}}}], ports: [{{port: {port}}}]}}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {{name: {namespace}}}
webhooks:
- name: pods.tests.example
  clientConfig: {{caBundle: {ca}, service: {{name: webhook, namespace: {namespace}}}}}
  rules: [{{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}}]
  namespaceSelector: {{matchLabels: {{tests.example/webhook: {namespace}}}}}
  admissionReviewVersions: [v1]
  sideEffects: None
  timeoutSeconds: 5
"""


@contextlib.contextmanager
def mutating(world: World, namespace: str, folder: Path, patch: Callable[[Json], list[Json]]) -> Iterator[None]:
    """Inside the block every new pod of the namespace goes through `patch`: pod in, JSON patch out."""
    assert world.kit is not None
    address = world.kit.settings["WORKSTATION_IP"]
    authority, context = _identity(folder, f"webhook.{namespace}.svc")
    server = ThreadingHTTPServer((address, 0), _handler(patch))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    objects = _OBJECTS.format(
        namespace=namespace,
        address=address,
        port=server.server_port,
        ca=base64.b64encode(authority.pem.encode()).decode(),
    )
    with server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            world.kubectl("label", "namespace", namespace, f"tests.example/webhook={namespace}")
            world.kubectl("apply", "-f", "-", stdin=objects)
            yield
        finally:
            world.kubectl("delete", "mutatingwebhookconfiguration", namespace, "--ignore-not-found")
            server.shutdown()
            serving.join()


def _identity(folder: Path, name: str) -> tuple[Authority, ssl.SSLContext]:
    authority, key = Authority("Contoso admission CA"), ec.generate_private_key(ec.SECP256R1())
    leaf = authority.issue(name, key, timedelta(days=-1), timedelta(days=1))
    chain = folder / "webhook.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    chain.write_bytes(secret + leaf.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return authority, context


def _handler(patch: Callable[[Json], list[Json]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            review = json.loads(self.rfile.read(int(self.headers["content-length"])))
            changes = json.dumps(patch(review["request"]["object"])).encode()
            answer = {
                "uid": review["request"]["uid"],
                "allowed": True,
                "patchType": "JSONPatch",
                "patch": base64.b64encode(changes).decode(),
            }
            body = json.dumps({"apiVersion": review["apiVersion"], "kind": review["kind"], "response": answer}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing: a test's own output is its failure."""

    return Handler
