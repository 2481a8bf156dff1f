"""Whatever stands in the file or in az output: a clear failure or a valid environment, never another exception."""

import contextlib
import json
import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from preflight import catalogue, environment, plan
from preflight.environment import azure_output, read, template
from preflight.environment.shape import File
from preflight.failures import UsageFailure

CLOUDS, CATALOGUE = catalogue.load_clouds(), catalogue.load()
WHOLE = tomllib.loads((Path(__file__).parent / "whole.toml").read_text())
SETTINGS = settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])

TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["", "https://[", "tcp://a:99999999999999999999", "http://@:0", "::1", "a..b", "\x1b[2J", "%00", "[fd00::1]:x"]
    ),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=True), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)
TABLES = [field.name for field in msgspec.structs.fields(File) if field.name != "schema_version"]


@st.composite
def spoilt_files(draw):
    """The whole file with some of its values replaced by anything."""
    data = json.loads(json.dumps(WHOLE))
    for _ in range(draw(st.integers(1, 4))):
        table = draw(st.sampled_from(TABLES))
        place = data.get(table)
        place = place[0] if isinstance(place, list) and place else place
        if isinstance(place, dict) and place and draw(st.booleans()):
            place[draw(st.sampled_from(sorted(place, key=str)))] = draw(VALUES)
        else:
            data[table] = draw(VALUES)
    return data


@SETTINGS
@given(spoilt_files())
def test_a_spoilt_file_is_refused_clearly_or_can_be_planned(data):
    try:
        env = environment.resolve(
            Path("preflight.toml"), data, environ={"PREFLIGHT_API_SERVER_ACCESS": "private"}, clouds=CLOUDS
        )
    except UsageFailure as failure:
        unprintable = [char for char in str(failure) if char != "\n" and not char.isprintable()]
    else:
        unprintable = []
        _can_be_planned(env)
    assert unprintable == []


def _can_be_planned(env):
    built = plan.build(CATALOGUE, env, vantages=("workstation", "node", "pod"))
    msgspec.json.encode([plan.vantage_plan(built, env, name, run_id="r") for name in built.vantages])
    json.dumps(environment.describe(env))


KEYS = st.sampled_from(
    [
        "type", "name", "location", "fqdn", "privateFqdn", "networkProfile", "networkPlugin", "outboundType",
        "agentPoolProfiles", "vnetSubnetId", "apiServerAccessProfile", "httpProxyConfig",
        "httpsProxy", "noProxy", "trustedCa",
        "bootstrapProfile", "artifactSource", "containerRegistryId", "loginServer", "dataEndpointHostNames",
        "privateEndpointConnections", "publicNetworkAccess", "primaryEndpoints", "networkRuleSet", "discovery_url",
        "storage_account", "container_registry", "workspaceId", "identity", "tenantId", "clusters", "cluster", "server",
        "certificate-authority-data", "extensionType",
    ]
)  # fmt: skip
DOCUMENTS = st.recursive(
    st.one_of(VALUES, st.sampled_from(["/virtualNetworks", "/subnets/virtualNetworks/", "http://[", "Cache"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=6)),
    max_leaves=25,
)


@SETTINGS
@given(document=st.dictionaries(KEYS, DOCUMENTS, min_size=1, max_size=8))
def test_spoilt_az_output_is_refused_clearly_or_written_as_toml(tmp_path_factory, document):
    path = tmp_path_factory.mktemp("az") / "x.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    with contextlib.suppress(UsageFailure):
        draft = azure_output.understand([path])
        assert tomllib.loads(template.render(draft.tables))["schema_version"] == 1


def test_megabytes_that_begin_a_thing_again_and_again_are_read_once(tmp_path):
    """A pattern that tries anew at each beginning would need hours for the largest file that is read."""
    whole = ("://" * 400_000, "a@" * 600_000, "?sig" * 300_000, "\x1b" * 1_000_000)
    for value in whole:
        with pytest.raises(UsageFailure):
            environment.resolve(
                Path("x"), {"schema_version": 1, "environment": {"cloud": value}}, environ={}, clouds=CLOUDS
            )
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(b"-----BEGIN CERTIFICATE-----\n" * 130_000)
    assert isinstance(read.read_certificates(bundle, "ca.pem"), tuple)
