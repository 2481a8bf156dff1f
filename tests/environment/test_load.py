"""preflight.toml: what is complete, what is wrong and how it is said, who overrides whom."""

# ruff: noqa: E501 - the tables hold one mistake a line

from pathlib import Path

import pytest

from preflight import catalogue, environment
from preflight.failures import Problems, UsageFailure
from preflight.model.environment import ApiAccess, Layout, Link
from preflight.model.vocabulary import Severity, VantageKind

CLOUDS = catalogue.load_clouds()
CERTIFICATE = (Path(__file__).parent / "ca.pem").read_text()


def load(folder: Path, text: str, *, environ=None, overrides=None):
    path = folder / "preflight.toml"
    path.write_text(text if text.startswith("schema_version") else f"schema_version = 1\n{text}", encoding="utf-8")
    return environment.load(path, environ=environ or {}, overrides=overrides or {}, clouds=CLOUDS)


def problems(folder: Path, text: str, **others) -> list[str]:
    with pytest.raises(Problems) as failure:
        load(folder, text, **others)
    return [problem.replace(f"{folder}/", "") for problem in failure.value.problems]


def test_a_file_of_cloud_ca_file_and_dependencies_is_complete(tmp_path):
    (tmp_path / "ca.pem").write_text(CERTIFICATE)
    env = load(
        tmp_path,
        '[environment]\ncloud = "AzureCloud"\nca_file = "ca.pem"\n[[dependency]]\nname = "a"\nurl = "https://a.test/"\n',
    )
    assert env.ca_pem == CERTIFICATE
    assert env.dependencies[0].severity is Severity.REQUIRED
    assert env.dependencies[0].vantages == ()
    assert env.registry.name is None


def test_everything_that_can_be_said_is_read(tmp_path):
    env = load(tmp_path, (Path(__file__).parent / "whole.toml").read_text())
    assert env.main.layout is Layout.EXTENSION
    assert env.api_server.access is ApiAccess.PRIVATE
    assert env.registry.link is Link.PRIVATE
    assert [one.account for one in env.storage] == ["stmlprod", "stmlcfg"]
    assert env.endpoint.domain == "scores.westeurope.cloudapp.azure.com"
    assert env.dependencies[0].expect == ("200-299", "401")
    assert env.dependencies[1].vantages == (VantageKind.POD,)
    assert env.proxy.vantages == (VantageKind.NODE, VantageKind.POD)
    assert env.credentials.registry_password.file == "secrets/acr"
    assert env.limits.connect_cap_s == 2.0
    assert env.mapping.connect_to == {"203.0.113.20:443": "127.0.0.1:18443"}
    assert env.issuers == ("Lab CA",)


WRONG = [
    ('[environment]\nregion = "West Europe"', "environment.region", '"West Europe" has a space in it', '"westeurope"'),
    ('[environment]\nregion = "west-europe!"', "environment.region", "not a region's short name", "westeurope"),
    ('[environment]\ncloud = "azurecloud"', "environment.cloud", "is not a cloud", 'did you mean "AzureCloud"?'),
    ('[environment]\ncloud = "Moon"', "environment.cloud", "is not a cloud", "[clouds.NAME]"),
    ("[environment]\nregoin = 1", "environment.regoin", "is not a key", "did you mean region?"),
    ("[environment]\nqqq = 1", "environment.qqq", "is not a key", "known here: cloud, region"),
    ('[environment]\nregistry = "https://acr.azurecr.io"', "environment.registry", "is not a key", "registry.name"),
    ('[environment]\nlayout = "V1"', "environment.layout", "not one of the values", 'did you mean "v1"?'),
    ('[environment]\nnetwork_model = "cilium"', "environment.network_model", "not one of", "allowed: kubenet, overlay"),
    ('[environment]\ntoken_authentication = "yes"', "environment.token_authentication", "is text, not true or false", "without quotes"),
    ('[environment]\nresolvers = "10.0.0.4"', "environment.resolvers", "is text, not a list", "give a list"),
    ('[environment]\nresolvers = ["dns.contoso.com"]', "environment.resolvers", "not the address of a DNS server", "10.0.0.4:53"),
    ('[environment]\nresolvers = ["10.0.0.4:99999"]', "environment.resolvers", "not the address of a DNS server", "10.0.0.4"),
    ('[environment]\nca_file = "missing.pem"', "environment.ca_file", "no such file", "looked for"),
    ('[environment]\nca_file = "."', "environment.ca_file", "cannot be read", "looked for"),
    ('[api_server]\nfqdn = "https://a.hcp.westeurope.azmk8s.io"', "api_server.fqdn", "is a URL", '"a.hcp.westeurope.azmk8s.io"'),
    ('[api_server]\nfqdn = "a.hcp.westeurope.azmk8s.io:443"', "api_server.fqdn", "more than a host name", '"a.hcp.westeurope.azmk8s.io"'),
    ('[api_server]\nfqdn = "aks-prod"', "api_server.fqdn", "not a whole name", "az aks show"),
    ('[api_server]\nfqdn = "a b.example"', "api_server.fqdn", "not a host name", "API server's FQDN"),
    ('[api_server]\nfqdn = "ä.example.com"', "api_server.fqdn", "not ASCII", "punycode"),
    ('[api_server]\nfqdn = "a.example.com."', "api_server.fqdn", "ends with a dot", '"a.example.com"'),
    ('[api_server]\naccess = "publik"', "api_server.access", "not one of the values", 'did you mean "public"?'),
    ('[api_server]\naccess = "public"\nfqdn = "a.privatelink.westeurope.azmk8s.io"', "api_server.access", "contradicts the name", 'access = "private"'),
    ('[registry]\nname = "https://acrprod.azurecr.io"', "registry.name", '"https://acrprod.azurecr.io" is a URL', '"acrprod" or "acrprod.azurecr.io"'),
    ('[registry]\nname = "acrprod.azurecr.io/ml/model"', "registry.name", "holds a path", "registry.repository"),
    ('[registry]\nname = "acrprod.azurecr.us"', "registry.name", "not a registry of AzureCloud", ".azurecr.io"),
    ('[registry]\nname = "a_!"', "registry.name", "not the name of a registry", '"acrprod"'),
    ('[registry]\nrepository = "ml/model:3"', "registry.repository", "holds a tag", 'reference = "3"'),
    ('[registry]\nrepository = "acrprod.azurecr.io/ml/model"', "registry.repository", "names a host", '"ml/model"'),
    ('[registry]\nreference = "a tag"', "registry.reference", "neither a tag nor a digest", "sha256:"),
    ('[registry]\nreplicas = ["North Europe"]', "registry.replicas", "has a space", '"northeurope"'),
    ('[registry]\nlink = "privat"', "registry.link", "not one of", 'did you mean "private"?'),
    ('[[storage]]\naccount = "https://st.blob.core.windows.net"', "storage[#1].account", "is a URL", '"st"'),
    ('[[storage]]\naccount = "st.blob.core.windows.net"', "storage[st.blob.core.windows.net].account", "is a host name", '"st"'),
    ('[[storage]]\naccount = "St-ML"', "storage[St-ML].account", "not the name of a storage account", "lower-case"),
    ("[[storage]]\ntable = true", "storage[#1].account", "is missing", "stmlprod"),
    ('[storage]\naccount = "st1"', "storage", "is a table, not a list", "a list"),
    ('[[storage]]\naccount = "st1"\ncontainer = "models"', "storage[st1].blob", "is missing", "container and blob"),
    ('[[storage]]\naccount = "st1"\ncontainer = "M!"\nblob = "b"', "storage[st1].container", "not the name of a container", "lower-case"),
    ('[[storage]]\naccount = "st1"\ncontainer = "models"\nblob = "b?sig=abc"', "storage[st1].blob", "not the name of a blob", "without"),
    ('[[storage]]\naccount = "st1"\n[[storage]]\naccount = "st1"', "storage[st1].account", "stands there twice", "of its own"),
    ('[workspace]\nid = "1234"', "workspace.id", "is not a GUID", "8-4-4-4-12"),
    ('[workspace]\ntenant = "contoso"', "workspace.tenant", "is not a tenant", "contoso.onmicrosoft.com"),
    ('[workspace]\nclient_id = "x"', "workspace.client_id", "is not a GUID", "hexadecimal"),
    ('[endpoint]\ndomain = "scores.contoso.com"', "endpoint.domain", "does not end with", "custom_domain = true"),
    ('[endpoint]\ndomain = "scores"', "endpoint.domain", "not a whole name", "<region>"),
    ('[endpoint]\naddress = "router"', "endpoint.address", "not an IP address", "load balancer"),
    ('[endpoint]\npath = "score"', "endpoint.path", "is not a path", '"/score"'),
    ('[proxy]\nhttps = "proxy:3128"', "proxy.https", "is not a URL", "http://proxy:3128"),
    ('[proxy]\nhttps = "socks5://proxy:1080"', "proxy.https", "scheme that cannot be checked", "http://, https://"),
    ('[proxy]\nhttps = "http://proxy:99999"', "proxy.https", "port that is not one", "1 to 65535"),
    ('[proxy]\nhttps = "http://proxy:3128/path"', "proxy.https", "has a path", "host and port"),
    ('[proxy]\nvantages = ["nodes"]', "proxy.vantages", "not one of", 'did you mean "node"?'),
    ('[credentials]\nregistry_user = "admin"', "credentials.registry_user", "is text, not a table", "a table"),
    ("[credentials]\nstorage_sas = { }", "credentials.storage_sas", "needs one source", "env"),
    ('[credentials]\nstorage_sas = { env = "A", file = "b" }', "credentials.storage_sas", "needs one source", "not both"),
    ('[credentials]\nstorage_sas = { env = "?sv=2024&sig=abcdef" }', "credentials.storage_sas.env", "not the name of an environment variable", "ACR_PASSWORD"),
    ('[credentials]\nregistry_user = { env = "A" }', "credentials.registry_password", "is missing", "go together"),
    ('[[dependency]]\nurl = "https://a.test/"', "dependency[#1].name", "is missing", "name ="),
    ('[[dependency]]\nname = "a"', "dependency[a].url", "is missing", "url ="),
    ('[[dependency]]\nname = "My API"\nurl = "https://a.test/"', "dependency[#1].name", "is not a name", '"my-api"'),
    ('[[dependency]]\nname = "a"\nurl = "a.test"', "dependency[a].url", "is not a URL", "https://a.test"),
    ('[[dependency]]\nname = "a"\nurl = "ftp://a.test"', "dependency[a].url", "scheme that cannot be checked", "tcp://"),
    ('[[dependency]]\nname = "a"\nurl = "https://"', "dependency[a].url", "names no host", "https://scores"),
    ('[[dependency]]\nname = "a"\nurl = "https://a.test:0/"', "dependency[a].url", "port that is not one", "1 to 65535"),
    ('[[dependency]]\nname = "a"\nurl = "tcp://a.test"', "dependency[a].url", "names no port", "tcp://a.test:5432"),
    ('[[dependency]]\nname = "a"\nurl = "tcp://a.test:1/x"', "dependency[a].url", "has a path", "tcp://a.test:1"),
    ('[[dependency]]\nname = "a"\nurl = "https://[::1/"', "dependency[a].url", "port that is not one", "1 to 65535"),
    ('[[dependency]]\nname = "a"\nurl = "https://a.test/"\nexpect = ["2xx"]', "dependency[a].expect", "neither an HTTP status", '"200-399"'),
    ('[[dependency]]\nname = "a"\nurl = "https://a.test/"\nexpect = ["399-200"]', "dependency[a].expect", "neither an HTTP status", '"401"'),
    ('[[dependency]]\nname = "a"\nurl = "https://a.test/"\nseverity = "high"', "dependency[a].severity", "not one of", "required, recommended"),
    ('[[dependency]]\nname = "a"\nurl = "https://a.test/"\nvantages = ["node/user1"]', "dependency[a].vantages", "not one of", "workstation, node, pod"),
    ('[[dependency]]\nname = "a"\nurl = "https://a.test/"\n[[dependency]]\nname = "a"\nurl = "https://b.test/"', "dependency[a].name", "stands there twice", "of its own"),
    ("[limits]\nconcurrency = 0", "limits.concurrency", "out of range", "1 to 1024"),
    ("[limits]\nconcurrency = 1.5", "limits.concurrency", "is a number, not a whole number", "whole number"),
    ("[limits]\nconnect_cap_s = 20\nanswer_cap_s = 5\ncheck_deadline_s = 10", "limits.connect_cap_s", "longer than check_deadline_s", "at most"),
    ('[mapping]\nnameservers = ["localhost:53"]', "mapping.nameservers", "not address:port", "127.0.0.1:5353"),
    ('[mapping.connect_to]\n"203.0.113.1" = "127.0.0.1:1"', "mapping.connect_to", "not address:port", "203.0.113.20:443"),
    ('[pods]\nstand_as = "routers"', "pods.stand_as", "not one of", 'did you mean "router"?'),
    ('[pods]\nmodel_namespace = "Azure ML"', "pods.model_namespace", "not the name of a namespace", "lower-case"),
    ('[pods]\nrouter_labels = { "a b" = "c" }', "pods.router_labels", "is not a label", "azuremlappname"),
    ('[pods]\nmodel_labels = { a = "-" }', "pods.model_labels", "is not a label", "azuremlappname"),
    ('[[pool]]\nname = "a"\n[[pool]]\nname = "a"', "pool[a].name", "stands there twice", "[[pool]]"),
    ("dependencies = []", "dependencies", "is not a key", "did you mean [[dependency]]?"),
    ('[clouds.Own]\nacrr = "x"', "clouds.Own.acrr", "is not a key", "did you mean acr?"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "key", "found", "right"), WRONG, ids=[f"{key}: {found}" for _, key, found, _ in WRONG]
)
def test_every_wrong_value_names_file_key_what_was_found_and_what_is_right(tmp_path, text, key, found, right):
    (problem,) = problems(tmp_path, text)
    first, second = problem.split("\n")
    assert first.startswith(f"preflight.toml: {key}: ")
    assert found in first
    assert second.startswith("  ")
    assert right in second


def test_all_mistakes_are_reported_together(tmp_path):
    found = problems(
        tmp_path,
        '[environment]\nregion = "West Europe"\ncloud = "Moon"\nca_file = "no.pem"\n[registry]\nname = "https://a.azurecr.io"\n'
        '[[dependency]]\nname = "a"\nurl = "x"\n[limits]\nper_host = "many"\n',
    )
    keys = {problem.split(": ")[1] for problem in found}
    assert keys == {
        "environment.region",
        "environment.cloud",
        "environment.ca_file",
        "registry.name",
        "dependency[a].url",
        "limits.per_host",
    }


@pytest.mark.parametrize(
    "text",
    [
        '[proxy]\nhttps = "http://user:hunter2@proxy:3128"',
        '[proxy]\nhttps = "user:hunter2@proxy:3128"',
        '[proxy]\nhttps = "http://user:hun/ter2@proxy:3128"',
        '[proxy]\nhttps = "socks5://user:hunter2@proxy:3128"',
        '[[dependency]]\nname = "a"\nurl = "https://user:hunter2@a.test/"',
        '[[dependency]]\nname = "a"\nurl = "user:hunter2@a.test"',
        '[[dependency]]\nname = "a"\nurl = "https://user:hun/ter2@a.test/"',
        '[[dependency]]\nname = "a"\nurl = "https://a.test/?sv=1&sig=hunter2"',
        '[[dependency]]\nname = "a"\nurl = "https://a.test/?code=hunter2"',
        '[registry]\nname = "https://user:hunter2@a.azurecr.io"',
        '[api_server]\nfqdn = "https://user:hunter2@a.example.com"',
        '[endpoint]\npath = "x?sig=hunter2"',
        '[environment]\nregion = "http://user:hunter2@x"',
    ],
)
def test_a_password_in_the_file_is_refused_and_never_repeated(tmp_path, text):
    assert not any("hunter2" in one or "ter2" in one for one in problems(tmp_path, text))


def test_a_proxy_with_a_password_is_told_where_it_belongs(tmp_path):
    (problem,) = problems(tmp_path, '[proxy]\nhttps = "http://user:hunter2@proxy:3128"')
    assert "holds credentials" in problem
    assert "credentials.proxy" in problem


def test_a_variable_that_is_no_text_is_refused(tmp_path):
    (problem,) = problems(tmp_path, "", environ={"PREFLIGHT_ENVIRONMENT_CLUSTER": "aks\udcff"})
    assert "cannot be printed" in problem
    assert problem.isascii()


def test_control_characters_in_values_and_keys_do_not_reach_the_terminal(tmp_path):
    found = problems(tmp_path, '[environment]\nregion = "\\u001b[31mred"\n"\\u001b[2Jkey" = 1\n')
    assert len(found) == 2
    assert not any("\x1b" in problem for problem in found)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"schema_version = ", "is not valid TOML"),
        (b"schema_version = 1\n[environment\n", "line 2"),
        (b"[environment]\n", "schema_version: is missing"),
        (b"schema_version = 2\nnew_table = 1\n", "newer than this preflight understands (1)"),
        (b'schema_version = "1"\n', "schema_version = 1"),
        (b"schema_version = true\n", "is not a version"),
        (b"\xff\xfe\x00", "is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path, content, said):
    path = tmp_path / "preflight.toml"
    path.write_bytes(content)
    with pytest.raises(UsageFailure) as failure:
        environment.load(path, environ={}, clouds=CLOUDS)
    assert str(failure.value).startswith(str(path))
    assert said in str(failure.value)


def test_a_missing_file_points_to_init(tmp_path):
    with pytest.raises(UsageFailure, match="preflight init"):
        environment.load(tmp_path / "preflight.toml", environ={}, clouds=CLOUDS)


def test_a_folder_in_place_of_the_file_says_so(tmp_path):
    with pytest.raises(UsageFailure, match="is a folder"):
        environment.load(tmp_path, environ={}, clouds=CLOUDS)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"hello", "is not PEM"),
        (b"\x30\x82\x03\x00", "is DER, not PEM"),
        (b"-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----", "holds a private key"),
        (b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----", "damaged certificate"),
    ],
)
def test_a_ca_file_that_is_no_pem_says_what_it_is(tmp_path, content, said):
    (tmp_path / "ca.pem").write_bytes(content)
    (problem,) = problems(tmp_path, '[environment]\nca_file = "ca.pem"')
    assert said in problem


def test_a_private_key_beside_the_certificate_is_never_taken_over(tmp_path):
    (tmp_path / "ca.pem").write_text(f"-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n{CERTIFICATE}")
    assert load(tmp_path, '[environment]\nca_file = "ca.pem"').ca_pem == CERTIFICATE


@pytest.mark.parametrize("given", ['["200-399", "401"]', '[401, "200-399"]', '"200-399,401"'])
def test_expected_statuses_are_understood_as_texts_numbers_and_lists(tmp_path, given):
    env = load(tmp_path, f'[[dependency]]\nname = "a"\nurl = "https://a.test/"\nexpect = {given}')
    assert set(env.dependencies[0].expect) == {"200-399", "401"}


def test_a_private_name_says_how_the_api_server_is_published(tmp_path):
    env = load(tmp_path, '[api_server]\nfqdn = "A.guid.privatelink.westeurope.azmk8s.io"')
    assert env.api_server.access is ApiAccess.PRIVATE
    assert env.api_server.fqdn == "a.guid.privatelink.westeurope.azmk8s.io"


def test_flags_win_over_variables_and_variables_over_the_file(tmp_path):
    text = '[environment]\nregion = "one"\ncluster = "one"\nlayout = "v1"'
    env = load(
        tmp_path,
        text,
        environ={"PREFLIGHT_ENVIRONMENT_REGION": "two", "PREFLIGHT_ENVIRONMENT_CLUSTER": "two"},
        overrides={"environment.region": "three"},
    )
    assert (env.main.region, env.main.cluster, env.main.layout) == ("three", "two", Layout.V1)


def test_overrides_are_converted_to_the_type_of_their_key(tmp_path):
    env = load(
        tmp_path,
        "",
        overrides={
            "environment.token_authentication": "true",
            "environment.resolvers": "10.0.0.4, 10.0.0.5:53",
            "limits.connect_cap_s": "1.5",
            "credentials.storage_sas.env": "SAS",
        },
    )
    assert env.main.token_authentication is True
    assert env.main.resolvers == ("10.0.0.4", "10.0.0.5:53")
    assert env.limits.connect_cap_s == 1.5
    assert env.credentials.storage_sas.env == "SAS"


@pytest.mark.parametrize(
    ("environ", "overrides", "start", "right"),
    [
        ({"PREFLIGHT_ENVIRONMENT_REGION": "West Europe"}, {}, "environment variable PREFLIGHT_ENVIRONMENT_REGION: ", "westeurope"),
        ({"PREFLIGHT_ENVIRONMENT_REGOIN": "x"}, {}, "environment variable PREFLIGHT_ENVIRONMENT_REGOIN: ", "PREFLIGHT_ENVIRONMENT_REGION"),
        ({}, {"environment.token_authentication": "perhaps"}, "--set environment.token_authentication: ", "true or false"),
        ({}, {"environment.regoin": "x"}, "--set environment.regoin: ", "environment.region"),
        ({}, {"enviroment.region": "x"}, "--set enviroment.region: ", "environment.region"),
        ({}, {"limits.concurrency": "many"}, "--set limits.concurrency: ", "whole number"),
        ({}, {"storage.account": "x"}, "--set storage.account: ", "tables:"),
    ],
)  # fmt: skip
def test_a_wrong_override_names_its_source(tmp_path, environ, overrides, start, right):
    (problem,) = problems(tmp_path, "", environ=environ, overrides=overrides)
    assert problem.startswith(start)
    assert right in problem


def test_a_variable_that_holds_a_credential_is_no_override(tmp_path):
    text = (
        '[credentials]\nregistry_user = { env = "PREFLIGHT_REGISTRY_USER" }\n'
        'registry_password = { env = "PREFLIGHT_REGISTRY_PASSWORD" }'
    )
    environ = {"PREFLIGHT_REGISTRY_USER": "u", "PREFLIGHT_REGISTRY_PASSWORD": "hunter2"}
    env = load(tmp_path, text, environ=environ)
    assert environment.read_secrets(env, environ)["registry_password"].reveal() == "hunter2"


def test_an_own_cloud_brings_its_own_suffixes(tmp_path):
    env = load(
        tmp_path, '[environment]\ncloud = "Moon"\n[clouds.Moon]\nacr = "azurecr.moon"\n[registry]\nname = "acrprod"'
    )
    assert env.cloud.name == "Moon"
    assert env.cloud.acr == "azurecr.moon"
    assert env.cloud.arm == ""


def test_a_short_bound_shortens_the_defaults_inside_it(tmp_path):
    limits = load(tmp_path, "", overrides={"limits.run_deadline_s": "2"}).limits
    assert (limits.run_deadline_s, limits.check_deadline_s, limits.answer_cap_s, limits.connect_cap_s) == (2, 2, 2, 2)
    assert limits.second_attempt_s == 1.0


def test_missing_secrets_name_their_key_and_all_are_named(tmp_path):
    env = load(
        tmp_path,
        '[credentials]\nstorage_sas = { env = "NO_SUCH" }\nworkspace_token = { file = "none" }\nproxy = { env = "LOGIN" }',
    )
    with pytest.raises(Problems) as failure:
        environment.read_secrets(env, {"LOGIN": "hunter2"})
    text = str(failure.value)
    assert "credentials.storage_sas: the environment variable NO_SUCH is not set" in text
    assert 'credentials.workspace_token: the file "none" cannot be read' in text
    assert "credentials.proxy: holds no colon" in text
    assert "hunter2" not in text


def test_secrets_come_from_variables_and_from_files_beside_the_file(tmp_path):
    (tmp_path / "token").write_text("abc\n")
    env = load(tmp_path, '[credentials]\nstorage_sas = { env = "SAS" }\nworkspace_token = { file = "token" }')
    secrets = environment.read_secrets(env, {"SAS": "?sig=x"})
    assert {name: secret.reveal() for name, secret in secrets.items()} == {
        "storage_sas": "?sig=x",
        "workspace_token": "abc",
    }


def test_a_file_without_an_end_is_read_up_to_its_limit():
    """`/dev/zero` tells a size of 0; the file may also grow while it is read."""
    with pytest.raises(UsageFailure, match="larger than"):
        environment.load(Path("/dev/zero"), environ={}, clouds=CLOUDS)
