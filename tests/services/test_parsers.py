"""What is read out of hostile answers: the right things, bounded, and never an exception."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.probes.services import answers, manifests
from preflight.probes.services.challenge import of_scheme, parse

ACR = 'Bearer realm="https://acrprod.azurecr.io/oauth2/token",service="acrprod.azurecr.io"'
DIGEST = "sha256:" + "a" * 64
XML = (
    b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?><Error><Code>AuthorizationFailure</Code>'
    b"<Message>This request is not authorized to perform this operation.\nRequestId:6f1c\nTime:2026</Message></Error>"
)
ATOM = (
    b'<?xml version="1.0"?><m:error xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata">'
    b'<m:code>TableNotFound</m:code><m:message xml:lang="en-US">The table does not exist.</m:message></m:error>'
)


@pytest.mark.parametrize(
    ("header", "scheme", "parameters"),
    [
        (ACR, "bearer", {"realm": "https://acrprod.azurecr.io/oauth2/token", "service": "acrprod.azurecr.io"}),
        ("Bearer realm=https://a/t, scope=x", "bearer", {"realm": "https://a/t", "scope": "x"}),
        ('bearer   REALM = "a\\"b,c"', "bearer", {"realm": 'a"b,c'}),
        (f'Basic realm="registry", {ACR}', "bearer", {"service": "acrprod.azurecr.io"}),
        (f"Negotiate, NTLM TlRMTVNTUA==, {ACR}", "bearer", {"service": "acrprod.azurecr.io"}),
        ('Bearer realm="first",realm="second"', "bearer", {"realm": "first"}),
        ('Basic realm="a"', "basic", {"realm": "a"}),
    ],
)
def test_challenges_are_read_as_rfc_9110_writes_them(header, scheme, parameters):
    found = of_scheme(parse([header]), scheme)
    assert found is not None
    assert parameters.items() <= found.parameters.items()


def test_several_headers_are_one_list_of_challenges():
    assert [challenge.scheme for challenge in parse(["Basic realm=x", ACR])] == ["basic", "bearer"]


@given(st.lists(st.text(max_size=6000), max_size=3))
def test_no_header_breaks_or_floods_the_reader_of_challenges(values):
    found = parse(values)
    assert len(found) <= 16
    assert all(len(challenge.parameters) <= 32 for challenge in found)


@given(st.text(alphabet='Bearer=",\\ \ta\x00é', max_size=4096))
def test_texts_that_look_like_challenges_break_nothing(value):
    for challenge in parse([value]):
        assert challenge.scheme == challenge.scheme.lower()


@pytest.mark.parametrize("value", ['a="' * 1400, "\\" * 4096, "," * 4096, 'Bearer a="' + "\\" * 4000, "=" * 4096])
def test_worst_cases_for_the_reader_end(value):
    assert len(parse([value])) <= 16


@pytest.mark.parametrize(
    ("headers", "body", "code", "message"),
    [
        ({}, XML, "AuthorizationFailure", "This request is not authorized to perform this operation."),
        ({}, ATOM, "TableNotFound", "The table does not exist."),
        ({"x-ms-error-code": "BlobNotFound"}, b"", "BlobNotFound", ""),
        (
            {"x-ms-error-code": "FromHeader"},
            XML,
            "FromHeader",
            "This request is not authorized to perform this operation.",
        ),
        (
            {},
            b'{"odata.error":{"code":"ServerBusy","message":{"lang":"en-US","value":"Busy.\\nRequestId:1"}}}',
            "ServerBusy",
            "Busy.",
        ),
        ({}, b'{"error":{"code":"AuthenticationFailed","message":"No."}}', "AuthenticationFailed", "No."),
        ({}, b"<html><body>code</body></html>", "", ""),
    ],
)
def test_storage_errors_are_read_from_header_xml_and_json(headers, body, code, message):
    facts = answers.storage_error(headers, body)
    assert (facts.get("error", ""), facts.get("error_message", "")) == (code, message)


def test_a_document_that_declares_entities_is_not_read():
    bomb = b'<!DOCTYPE x [<!ENTITY a "AuthorizationFailure">]>' + XML
    assert answers.storage_error({}, bomb) == {}
    assert answers.storage_error({"x-ms-error-code": "Header"}, bomb) == {"error": "Header"}


def test_the_source_address_is_taken_from_the_code_that_names_it():
    text = "This request is not authorized to perform this operation using this source IP 20.1.2.3."
    facts = answers.storage_error(
        {"x-ms-error-code": "AuthorizationSourceIPMismatch"}, f"<Message>{text}</Message>".encode()
    )
    assert facts["denied_source"] == "20.1.2.3"


@pytest.mark.parametrize(
    ("message", "address"),
    [
        ("client with IP '20.120.109.180' is not allowed", "20.120.109.180"),
        ("client with IP '2001:db8::1' is not allowed", "2001:db8::1"),
        ("version 1.2.3.4.5 from 10.0.0.300", ""),
        ("at 10:00:00 from 10.0.0.3.", "10.0.0.3"),
        ("nobody", ""),
    ],
)
def test_addresses_are_found_in_denials(message, address):
    assert answers.address_in(message) == address


@given(st.binary(max_size=4000), st.text(max_size=200))
def test_no_body_breaks_the_readers_of_errors(body, code):
    facts = answers.storage_error({"x-ms-error-code": code}, body)
    assert all(value.isprintable() and len(value) <= 240 for value in facts.values())


@given(
    st.sampled_from([b"<Error><Code>", b"<Message>", b"</Code>", b"<!ENTITY", b"x"]).flatmap(
        lambda part: st.binary().map(lambda tail: part * 50 + tail)
    )
)
def test_broken_xml_breaks_nothing(body):
    assert isinstance(answers.storage_error({}, body), dict)


@pytest.mark.parametrize("body", [b"[" * 100_000, b"1" * 10_000, b"\xff\xfe", b"", b"NaN", b'{"a":' * 50_000])
def test_json_that_would_harm_a_parser_is_no_json_or_no_object(body):
    assert answers.as_object(body) == {}


@given(st.text())
def test_lines_for_reports_are_bounded_and_printable(value):
    line = answers.text(value, 50)
    assert len(line) <= 50
    assert line.isprintable()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["manifests", "layers", "digest", "size", "platform", "os", "urls"]), inner
            )
        ),
        max_leaves=30,
    )
)
def test_no_json_breaks_the_reader_of_manifests(value):
    found = manifests.read(json.dumps(value).encode())
    assert found is None or isinstance(found, manifests.Index | manifests.Image)


def descriptor(size, **more):
    return {"digest": DIGEST[:-6] + f"{size:06x}", "size": size, **more}


def test_an_index_gives_the_child_that_a_linux_node_pulls():
    children = [
        descriptor(1, platform={"os": "unknown", "architecture": "unknown"}),
        descriptor(2, platform={"os": "windows", "architecture": "amd64"}),
        descriptor(3, platform={"os": "linux", "architecture": "amd64"}),
    ]
    found = manifests.read(json.dumps({"manifests": children}).encode())
    assert isinstance(found, manifests.Index)
    assert (found.child.size, found.platform) == (3, "linux/amd64")
    found = manifests.read(json.dumps({"manifests": children[:2]}).encode())
    assert isinstance(found, manifests.Index)
    assert found.platform == "windows/amd64"


def test_an_image_gives_its_smallest_layer_that_the_registry_itself_stores():
    layers = [
        descriptor(500),
        descriptor(90),
        descriptor(5, urls=["https://elsewhere"]),
        {"digest": "md5:1", "size": 1},
    ]
    found = manifests.read(json.dumps({"layers": layers}).encode())
    assert isinstance(found, manifests.Image)
    assert found.layers == 2
    assert found.smallest is not None
    assert found.smallest.size == 90


def test_an_index_without_a_usable_child_and_other_documents_are_no_manifests():
    assert manifests.read(b'{"manifests": []}') is None
    assert manifests.read(b'{"fsLayers": []}') is None


@given(st.binary())
def test_a_digest_matches_its_content_and_nothing_else(content):
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert manifests.is_digest(digest)
    assert manifests.matches(digest, content)
    assert not manifests.matches(digest, content + b"x")
