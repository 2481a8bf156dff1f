"""What a report says of the environment: all that matters, nothing secret."""

import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from preflight import catalogue, environment
from preflight.strict import masked

CLOUDS = catalogue.load_clouds()
WHOLE = Path(__file__).parent / "whole.toml"


def test_the_description_has_the_tables_of_the_file():
    told = environment.describe(environment.load(WHOLE, environ={}, clouds=CLOUDS))
    assert told["source"] == "whole.toml"
    assert told["environment"]["network_model"] == "overlay"
    assert told["cloud"]["name"] == "AzureCloud"
    assert told["storage"][1] == {
        "account": "stmlcfg",
        "blob_link": "any",
        "table_link": "any",
        "public_access_denied": False,
        "table": False,
    }
    assert told["mapping"]["nameservers"] == ["127.0.0.1:5353"]
    json.dumps(told)


def test_credentials_are_described_by_where_they_come_from():
    told = environment.describe(environment.load(WHOLE, environ={"ACR_USER": "hunter2"}, clouds=CLOUDS))
    assert told["credentials"]["registry_user"] == "environment variable ACR_USER"
    assert told["credentials"]["registry_password"] == "file secrets/acr"
    assert "hunter2" not in json.dumps(told)


def test_certificates_are_counted_and_not_repeated(tmp_path):
    pem = (WHOLE.parent / "ca.pem").read_text()
    (tmp_path / "ca.pem").write_text(pem + pem)
    path = tmp_path / "preflight.toml"
    path.write_text('schema_version = 1\n[environment]\nca_file = "ca.pem"\n')
    told = environment.describe(environment.load(path, environ={}, clouds=CLOUDS))
    assert told["certificates"] == {"ca_file": 2, "api_server_ca_file": 0}
    assert "BEGIN CERTIFICATE" not in json.dumps(told)


@settings(deadline=None)
@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=4, max_size=40))
def test_whatever_a_password_looks_like_a_url_with_it_is_masked(password):
    assert masked(f"http://user:{password}@proxy:3128") == "http://***@proxy:3128"
