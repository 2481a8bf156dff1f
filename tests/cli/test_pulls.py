"""What the command line and the file make of pulls: which image, with which secret, what is told afterwards."""

from pathlib import Path

import pytest
from builders.facts import evidence, plan, vantage

from preflight import catalogue, environment
from preflight.cli import pulls
from preflight.cli.cluster_options import Options
from preflight.failures import UsageFailure
from preflight.vantages.pulling import Pulling, Terms

CLOUDS = catalogue.load_clouds()
PROBE = "acrprod.azurecr.io/tools/preflight-probe:1.0"


@pytest.fixture
def env(tmp_path: Path):
    def load(text: str = ""):
        path = tmp_path / "preflight.toml"
        path.write_text(f'schema_version = 1\n[registry]\nname = "acrprod"\n{text}')
        return environment.load(path, environ={}, clouds=CLOUDS)

    return load


def chosen(env, images=(), **options) -> str | None:
    return pulls.planned(env, Options(**options), images, "run1").registry.pull_image


def test_the_image_is_the_file_s_else_the_probe_s_when_it_is_in_that_registry(env):
    assert chosen(env('pull_image = "ml/small:1"'), (PROBE,)) == "ml/small:1"
    assert chosen(env('repository = "ml/model"'), ("other.io/p:1",)) is None  # repository and reference
    assert chosen(env('repository = "ml/model"'), (PROBE,)) == "tools/preflight-probe:1.0"  # nodes pull it anyway
    assert chosen(env(), ("other.io/p:1", PROBE)) == "tools/preflight-probe:1.0"
    assert chosen(env(), ("other.io/p:1",)) is None


def test_a_fresh_image_has_the_run_s_id_and_falls_back_to_the_file_s(env):
    given = env('repository = "ml/model"\nreference = "v3"')
    assert chosen(given, push_nonce="preflight/nonce") == "preflight/nonce:run1"
    assert pulls.terms(given, Options(), ()).fallback == "acrprod.azurecr.io/ml/model:v3"
    assert pulls.terms(env(), Options(), ()).fallback == ""
    assert pulls.terms(given, Options(), (PROBE,)).fallback == PROBE


def test_a_push_needs_a_registry(tmp_path: Path):
    path = tmp_path / "preflight.toml"
    path.write_text("schema_version = 1\n")
    bare = environment.load(path, environ={}, clouds=CLOUDS)
    with pytest.raises(UsageFailure, match=r"--push-nonce: registry\.name is not given"):
        pulls.planned(bare, Options(push_nonce="preflight/nonce"), (), "run1")


def test_nothing_is_pushed_unless_a_repository_is_named(env):
    assert pulls.wish(plan(), env(), Options(), "run1") is None
    wish = pulls.wish(plan(), env(), Options(push_nonce="preflight/nonce"), "run1")
    assert wish is not None
    assert wish.image == "acrprod.azurecr.io/preflight/nonce:run1"


def test_what_stays_on_nodes_is_a_notice_and_a_secret_in_the_wrong_namespace_another(env):
    seen = evidence(plan(), facts=(vantage(place=f"node aks-0, pool user1, image {PROBE}", finished="2026-11-25"),))
    pulling = Pulling(Terms())
    notices = pulls.notices(pulling, seen, env('pull_secret = "acr"'), Options(), (PROBE,))
    assert notices == (
        f"left on nodes, until the kubelet collects unused images: {PROBE} on aks-0",
        "registry.pull_secret: acr is not in the namespace that this run makes; give --namespace",
    )
    assert pulls.notices(pulling, seen, env('pull_secret = "-"'), Options(pulls=False), (PROBE,)) == ()


@pytest.mark.parametrize(
    ("key", "value", "right"),
    [
        ("pull_image", "acrprod.azurecr.io/ml/model:1", "repository and tag alone"),
        ("pull_image", "ml/model", "give repository and tag"),
        ("pull_secret", "Not A Name", "name of a pull secret"),
    ],
)
def test_what_is_no_image_or_secret_is_named_with_what_would_be(env, key: str, value: str, right: str):
    with pytest.raises(UsageFailure, match=right):
        env(f'{key} = "{value}"')


def test_a_registry_may_have_a_port(env, tmp_path: Path):
    path = tmp_path / "preflight.toml"
    path.write_text('schema_version = 1\n[registry]\nname = "registry.corp:5000"\nrepository = "ml/model"\n')
    given = environment.load(path, environ={}, clouds=CLOUDS)
    assert pulls.terms(given, Options(), ()).registry == "registry.corp:5000"
    assert pulls.terms(env(), Options(), ()).registry == "acrprod.azurecr.io:443"
