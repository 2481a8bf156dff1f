"""NO_PROXY as each reader has it; every row is checked against that reader's own source or, for Python, the reader."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.probes.noproxy import applies, disagreements

READERS = ("go", "curl", "python", "dotnet")

# entry, host, port, who lets it bypass the proxy
ROWS = [
    ("example.com", "example.com", 443, {"go", "curl", "python", "dotnet"}),
    ("example.com", "a.example.com", 443, {"go", "curl", "python"}),
    ("example.com", "notexample.com", 443, set()),
    (".example.com", "example.com", 443, {"curl", "python", "dotnet"}),
    (".example.com", "a.example.com", 443, {"go", "curl", "python", "dotnet"}),
    ("*.example.com", "a.example.com", 443, {"go"}),
    ("*.example.com", "example.com", 443, set()),
    ("EXAMPLE.com", "Example.COM", 443, {"go", "curl", "python", "dotnet"}),
    ("*", "anything.example", 443, {"go", "curl", "python"}),
    ("a,*", "anything.example", 443, {"go"}),
    ("10.0.0.0/8", "10.1.2.3", 443, {"go", "curl", "python"}),
    ("10.0.0.0/8", "11.1.2.3", 443, set()),
    ("10.0.0.0/8", "ten.example", 443, set()),
    ("10.1.2.3", "10.1.2.3", 443, {"go", "curl", "python", "dotnet"}),
    ("fd00::/8", "fd00::1", 443, {"go", "curl"}),
    ("fd00::1", "fd00::1", 443, {"go", "curl", "python", "dotnet"}),
    ("fd00::1", "[fd00:0::1]", 443, {"go", "curl"}),
    ("example.com:8443", "example.com", 8443, {"go", "python"}),
    ("example.com:8443", "example.com", 443, set()),
    ("example.com:443", "example.com", 443, {"go"}),
    ("[fd00::1]:443", "fd00::1", 443, {"go"}),
    ("other, example.com", "example.com", 443, {"go", "curl", "python", "dotnet"}),
    ("other example.com", "example.com", 443, set()),
    ("", "example.com", 443, set()),
    (",,", "example.com", 443, set()),
    ("localhost", "localhost", 80, {"go", "curl", "python", "dotnet"}),
    ("", "localhost", 80, {"go"}),
    ("", "127.0.0.53", 80, {"go"}),
    ("", "::1", 80, {"go"}),
    ("example.com.", "example.com", 443, {"curl"}),
    ("example.com", "example.com.", 443, {"go", "curl", "python", "dotnet"}),
]


@pytest.mark.parametrize(("no_proxy", "host", "port", "bypass"), ROWS)
def test_each_reader_reads_it_its_own_way(no_proxy, host, port, bypass):
    assert {reader for reader in READERS if applies(no_proxy, host, port, reader)} == bypass


@pytest.mark.parametrize(("no_proxy", "host", "port", "bypass"), [row for row in ROWS if not row[1].startswith("[")])
def test_python_is_what_requests_does(no_proxy, host, port, bypass, monkeypatch):
    requests = pytest.importorskip("requests")
    monkeypatch.setenv("no_proxy", no_proxy)
    netloc = f"[{host}]" if ":" in host else host.removesuffix(".")
    url = f"https://{netloc}/" if port == 443 else f"http://{netloc}/" if port == 80 else f"https://{netloc}:{port}/"
    assert requests.utils.should_bypass_proxies(url, no_proxy=None) == ("python" in bypass)


def test_a_disagreement_names_entry_host_and_readers():
    (notice,) = disagreements("plain.example,.corp.example", ["a.corp.example", "corp.example"])
    assert notice == (
        'NO_PROXY entry ".corp.example" is read differently for corp.example: '
        "exempt for curl and Python and .NET, not for Go"
    )


@pytest.mark.parametrize(
    ("no_proxy", "hosts", "count"),
    [
        ("", ["a.example"], 0),
        ("a.example", ["a.example", "b.example"], 0),
        ("10.0.0.0/8", ["10.1.1.1"], 1),
        ("10.0.0.0/8", ["a.example"], 0),
        ("*", ["a.example"], 1),
        ("a.example,*", ["b.example"], 1),
        ("unrelated", ["127.0.0.1", "localhost"], 0),
        ("*.example", ["a.example"], 1),
    ],
)
def test_only_entries_that_matter_for_a_host_are_noticed(no_proxy, hosts, count):
    assert len(disagreements(no_proxy, hosts)) == count


@given(st.text(max_size=60), st.sampled_from(["a.example", "10.0.0.1", "fd00::1", "localhost"]))
def test_no_text_breaks_any_reader(no_proxy, host):
    for reader in READERS:
        assert applies(no_proxy, host, 443, reader) in {True, False}
    assert all(isinstance(notice, str) for notice in disagreements(no_proxy, [host]))


@given(st.ip_addresses(v=4), st.integers(0, 32))
def test_go_and_curl_agree_with_ipaddress_on_networks(address, bits):
    network = ipaddress.ip_network((address, bits), strict=False)
    if not address.is_loopback and bits:
        assert applies(str(network), str(address), 443, "go")
        assert applies(str(network), str(address), 443, "curl")
