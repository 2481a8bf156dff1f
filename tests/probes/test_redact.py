"""No secret survives on its way into a fact."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.model.secret import Secret
from preflight.probes.redact import MAX_HEADERS, Redactor, without_credentials

SECRET = "Xy7-secret-value"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://u:p@host/path?sig=abc%3D&sv=1#frag", "https://host/path?sig=***&sv=1"),
        ("https://host/a?P1=1&P4=abc~&x=2", "https://host/a?P1=1&P4=***&x=2"),
        ("https://host/api?code=abcdef", "https://host/api?code=***"),
        ("https://host/api?statuscode=200", "https://host/api?statuscode=200"),
        ("/relative?x-amz-signature=ff", "/relative?x-amz-signature=***"),
    ],
)
def test_urls(text, expected):
    assert Redactor({}).url(text) == expected


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ('{"access_token":"aaaa.bbbb","x":1}', "aaaa"),
        ('{"refresh_token" : "aa\\"aa"}', "aa"),
        ('{"access_token":"cut in the midd', "midd"),
        ("The MAC signature found in the HTTP request 'AbCd==' is not the same", "AbCd"),
        ("token eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl end", "c2lnb"),
        ("Authorization: Bearer abcdefghijklmnop", "abcdefgh"),
        ("see http://bob:hunter2@proxy/ for more", "hunter2"),
        (f"you said {SECRET}", SECRET),
        ("client_secret=zzz&grant_type=x", "zzz"),
    ],
)
def test_texts(text, gone):
    clean = Redactor({"registry_password": Secret(SECRET)}).text(text)
    assert gone not in clean
    assert "***" in clean


@pytest.mark.parametrize(
    "text", ["Reason: No rule matched. code=470", "HTTP 470 status code 470", "token expired", '{"token_type":"x"}']
)
def test_evidence_stays(text):
    assert Redactor({}).text(text) == text


@pytest.mark.parametrize("piece", ["eyJ", "a.", "a://", '"', '"token', "sig=", "Bearer ", "eyJaaaaaa.", '\\"'])
def test_hostile_repetition_is_bounded_and_not_slow(piece):
    assert len(Redactor({"storage_token": Secret(SECRET)}).text(piece * 16_000)) <= 4096


def test_a_registrys_user_is_no_secret_but_its_password_is():
    redactor = Redactor({"registry_user": Secret("acrprod"), "registry_password": Secret("hunter2-hunter2")})
    assert redactor.text("acrprod.azurecr.io says hunter2-hunter2") == "acrprod.azurecr.io says ***"


def test_of_a_sas_only_the_signature_is_secret():
    redactor = Redactor({"storage_sas": Secret("sv=2024-01-01&sp=r&sig=AbC%2BdEf%3D")})
    assert redactor.text("signed AbC+dEf= with sv=2024-01-01") == "signed *** with sv=2024-01-01"


def test_headers_are_lower_case_bounded_and_clean():
    headers = [("Set-Cookie", "a=b"), ("LOCATION", "https://h/?sig=x"), ("X", "y" * 9999)] + [("n", "v")] * 300
    clean = Redactor({}).headers(headers)
    assert clean[:2] == (("set-cookie", "***"), ("location", "https://h/?sig=***"))
    assert len(clean[2][1]) == 2048
    assert len(clean) == MAX_HEADERS


@given(st.text(max_size=200), st.text(max_size=200))
def test_a_given_secret_never_gets_through(before, after):
    assert SECRET not in Redactor({"storage_token": Secret(SECRET)}).text(before + SECRET + after)


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("http://u:p@proxy:1", "http://proxy:1"),
        ("u:p@proxy:1", "proxy:1"),
        ("proxy:1", "proxy:1"),
        ("http://u:p@ss@proxy:1/x@y", "http://proxy:1/x@y"),
    ],
)
def test_proxy_urls_lose_their_credentials(url, clean):
    assert without_credentials(url) == clean
