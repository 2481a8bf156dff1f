"""What a client meets on the wire when something is broken: TCP, TLS, HTTP and proxy, each as in real life."""

import asyncio
import errno
import socket
import ssl
import sys

import httpcore
import pytest

from preflight.lab import deployment as at
from preflight.lab.embedded import Lab
from preflight.lab.faults import parse


def verify_code(error):
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__context__
    return error.verify_code if error else None


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        ("tls.expired", 10),
        ("tls.not-yet-valid", 9),
        ("tls.wrong-name", 62),
        ("tls.untrusted", 18),
        ("tls.incomplete-chain", 20),
    ],
)
async def test_wrong_certificates_fail_verification_with_openssl_s_own_codes(client_at, cause, code):
    async with Lab([parse(f"dependency.features={cause}")]) as lab:
        with pytest.raises(httpcore.ConnectError) as caught:
            await client_at(lab, "node/demo").get(f"https://{at.FEATURES.name}/health")
        assert verify_code(caught.value) == code


async def test_an_inspection_device_presents_a_certificate_of_its_own_authority(client_at):
    async with Lab([parse("mcr.reach=tls.intercepted")]) as lab:
        client = client_at(lab, "node/demo")
        with pytest.raises(httpcore.ConnectError) as caught:
            await client.get(f"https://{at.MCR.name}/v2/")
        assert verify_code(caught.value) == 19  # a self-signed authority that nobody here trusts closes the chain


async def hello(place, name, send=True):
    """Connect and send a real ClientHello; gives what came back and how it ended."""
    context = ssl.create_default_context()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    reader, writer = await asyncio.open_connection(*place)
    writer.write(outgoing.read())
    try:
        return await asyncio.wait_for(reader.read(100), 0.4), "closed"
    except ConnectionResetError:
        return b"", "reset"
    except TimeoutError:
        return b"", "silence"
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("cause", "answer"),
    [
        ("tls.reset-after-hello", (b"", "reset")),
        ("tls.closed", (b"", "closed")),
        ("tls.timeout", (b"", "silence")),
        ("tls.alert", (b"\x15\x03\x03\x00\x02\x02\x70", "closed")),
        ("tls.version", (b"\x15\x03\x03\x00\x02\x02\x46", "closed")),
    ],
)
async def test_cuts_after_the_client_hello(client_at, cause, answer):
    async with Lab([parse(f"mcr.layers={cause}")]) as lab:
        client = client_at(lab, "node/demo")
        assert await hello(await client.place(at.MCR_DATA.name), at.MCR_DATA.name) == answer
        content, _ = await hello(await client.place(at.MCR.name), at.MCR.name)
        assert content[0] == 22


async def test_a_page_in_clear_where_tls_is_expected(client_at):
    async with Lab([parse("mcr.reach=tls.not-tls")]) as lab:
        content, _ = await hello(await client_at(lab, "node/demo").place(at.MCR.name), at.MCR.name)
        assert content.startswith(b"HTTP/1.1 302 Found\r\n")


async def test_the_api_server_negotiates_alpn_unless_it_is_stripped(client_at):
    for faults, expected in (([], "http/1.1"), ([parse("api-server.reach=tls.alpn-stripped")], None)):
        async with Lab(faults) as lab:
            client = client_at(lab, "pod/demo")
            context = client.context()
            context.set_alpn_protocols(["h2", "http/1.1"])
            place = await client.place(at.API_SERVER.name)
            _, writer = await asyncio.open_connection(*place, ssl=context, server_hostname=at.API_SERVER.name)
            assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == expected
            writer.transport.abort()


async def connect_errno(place, wait=0.4):
    with socket.socket() as sock:
        sock.setblocking(False)
        try:
            await asyncio.wait_for(asyncio.get_running_loop().sock_connect(sock, place), wait)
        except TimeoutError:
            return "silence"
        except OSError as error:
            return error.errno
        return 0


@pytest.mark.parametrize(("cause", "expected"), [("tcp.refused", errno.ECONNREFUSED), ("tcp.timeout", "silence")])
async def test_tcp_that_is_refused_or_dropped(client_at, cause, expected):
    async with Lab([parse(f"dependency.database={cause}")]) as lab:
        client = client_at(lab, "pod/demo")
        assert await connect_errno(await client.place(at.DATABASE.name, at.DATABASE.port)) == expected
        assert await connect_errno(await client.place(at.FEATURES.name)) == 0


@pytest.mark.skipif(
    sys.platform != "linux", reason="what connecting to a multicast address gives is the kernel's choice"
)
async def test_an_address_without_a_route(client_at):
    async with Lab([parse("dependency.database=route.unreachable")]) as lab:
        place = await client_at(lab, "pod/demo").place(at.DATABASE.name, at.DATABASE.port)
        assert await connect_errno(place) == errno.ENETUNREACH


@pytest.mark.parametrize(
    ("cause", "error"),
    [
        ("http.timeout", httpcore.ReadTimeout),
        ("http.stalled", httpcore.ReadTimeout),
        ("http.reset", httpcore.ReadError),
        ("http.malformed", httpcore.RemoteProtocolError),
    ],
)
async def test_http_that_breaks_off(client_at, cause, error):
    async with Lab([parse(f"dependency.features={cause}")]) as lab:
        with pytest.raises(error):
            await client_at(lab, "node/demo").get(f"https://{at.FEATURES.name}/health", read=0.4)


async def test_a_stall_is_cured_by_small_segments(client_at):
    async with Lab([parse("dependency.features=http.stalled")]) as lab:
        client = client_at(lab, "node/demo")
        with socket.socket() as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1200)
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, await client.place(at.FEATURES.name))
            reader, writer = await asyncio.open_connection(
                sock=sock, ssl=client.context(), server_hostname=at.FEATURES.name
            )
            writer.write(f"GET /health HTTP/1.1\r\nHost: {at.FEATURES.name}\r\n\r\n".encode())
            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
            writer.transport.abort()


async def test_a_block_page_has_the_text_of_azure_firewall(client_at):
    async with Lab([parse("dependency.features=http.block-page")]) as lab:
        answer = await client_at(lab, "node/demo").get(f"https://{at.FEATURES.name}/health")
        assert answer.status == 470
        assert b"Action: Deny. Reason: No rule matched. Proceeding with default action." in answer.content


async def test_a_redirect_loop_leads_back_to_where_it_began(client_at):
    url = f"https://{at.FEATURES.name}/health"
    async with Lab([parse("dependency.features=http.redirect-loop")]) as lab:
        answer = await client_at(lab, "node/demo").get(url)
        assert (answer.status, dict(answer.headers)[b"Location"]) == (302, url.encode())


async def through_proxy(client, name):
    """Status line of the answer to CONNECT."""
    reader, writer = await asyncio.open_connection(*await client.place(at.PROXY.name, at.PROXY.port))
    writer.write(f"CONNECT {name}:443 HTTP/1.1\r\nHost: {name}:443\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), head


@pytest.mark.parametrize(
    ("faults", "status"),
    [
        ([], 200),
        (["mcr.reach=proxy.auth-required"], 407),
        (["mcr.reach=proxy.denied"], 403),
        (["mcr.reach=proxy.failed"], 503),
        (["acr.reach=proxy.denied"], 200),
    ],
)
async def test_the_proxy_tunnels_or_refuses(client_at, faults, status):
    async with Lab([parse(text) for text in faults]) as lab:
        answered, head = await through_proxy(client_at(lab, "node/demo"), at.MCR.name)
        assert answered == status
        assert (b"Proxy-Authenticate: Basic" in head) is (status == 407)


async def test_the_proxy_tunnels_tls_to_the_stand_in(node):
    reader, writer = await asyncio.open_connection(*await node.place(at.PROXY.name, at.PROXY.port))
    writer.write(f"CONNECT {at.FEATURES.name}:443 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    await writer.start_tls(node.context(), server_hostname=at.FEATURES.name)
    writer.write(f"GET /health HTTP/1.1\r\nHost: {at.FEATURES.name}\r\n\r\n".encode())
    assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
    writer.transport.abort()


async def test_faults_can_be_switched_while_the_lab_runs(node):
    url = f"https://{at.FEATURES.name}/health"
    assert (await node.get(url)).status == 200
    await node.lab.replace([parse("dependency.features=http.block-page")])
    assert (await node.get(url)).status == 470
    await node.lab.replace([parse("dependency.features=tcp.refused")])
    assert await connect_errno(await node.place(at.FEATURES.name)) == errno.ECONNREFUSED
    await node.lab.replace([])
    assert (await node.get(url)).status == 200
