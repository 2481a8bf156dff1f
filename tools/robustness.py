# ruff: noqa: E501 - one limit a line
"""Writes the tables of docs/robustness.md: limits as the code has them, behaviours as tests/hostile meets them.

`--check` compares what does not depend on the machine: limits, names and results; not the memory that was measured.
"""

import argparse
import asyncio
import importlib
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
PAGE = ROOT / "docs" / "robustness.md"

# Where, the constant, its unit, what happens beyond, the test.
_HTTP, _NET, _LOCAL = "the check fails: http.malformed", "test_limits_network.py", "test_limits_local.py"
LIMITS = (
    ("HTTP: until the headers are complete", "preflight.probes.wire:HEAD_LIMIT", "bytes", _HTTP, f"{_NET}::test_bytes_before_the_headers_are_complete"),
    ("HTTP/2: header list", "preflight.probes.wire:HEAD_LIMIT", "bytes", _HTTP, f"{_NET}::test_a_header_list_of_http2"),
    ("HTTP: header fields", "preflight.probes.redact:MAX_HEADERS", "", _HTTP, f"{_NET}::test_header_fields"),
    ("HTTP: around a body", "preflight.probes.wire:OVERHEAD_LIMIT", "bytes", _HTTP, f"{_NET}::test_bytes_around_a_body"),
    ("HTTP/2: empty pieces of a body", "preflight.probes.http:MAX_EMPTY", "", _HTTP, f"{_NET}::test_empty_pieces_of_a_body"),
    ("HTTP: a body, as it came and opened", "preflight.probes.request:BODY_LIMIT", "bytes", "cut, `body_complete` false", f"{_NET}::test_a_body_that_is_opened"),
    ("registry: a manifest", "preflight.probes.services.manifests:LIMIT", "bytes", "cut, then no manifest", f"{_NET}::test_a_body"),
    ("HTTP: a Location", "preflight.probes.redirects:MAX_LOCATION", "characters", _HTTP, f"{_NET}::test_a_location"),
    ("HTTP: redirects in a row", "preflight.probes.services.asking:_REDIRECTS", "", "the check fails: http.redirect-loop", f"{_NET}::test_a_chain_of_redirects"),
    ("recorded: a header's name", "preflight.probes.redact:MAX_NAME", "characters", "cut, marked", f"{_NET}::test_a_header_that_is_recorded"),
    ("recorded: a header's value", "preflight.probes.redact:MAX_VALUE", "characters", "cut, marked", f"{_NET}::test_a_header_that_is_recorded"),
    ("recorded: a URL", "preflight.probes.redact:MAX_URL", "characters", "cut, marked", f"{_NET}::test_texts_that_are_recorded"),
    ("recorded: a body's beginning", "preflight.probes.redact:MAX_TEXT", "characters", "cut, its size beside it", f"{_NET}::test_texts_that_are_recorded"),
    ("TLS: a handshake, or records without data", "preflight.probes.tls:FLIGHT_LIMIT", "bytes", "the check fails: tls.not-tls or http.malformed", f"{_NET}::test_bytes_of_a_handshake"),
    ("certificate: names", "preflight.probes.certificates:MAX_SANS", "", "cut, the last one counts", f"{_NET}::test_names_of_a_certificate"),
    ("certificate: names together", "preflight.probes.certificates:MAX_SANS_TEXT", "characters", "cut, the last one counts", f"{_NET}::test_characters_of_a_certificates_names"),
    ("DNS: records of a message", "preflight.probes.dns:MAX_RECORDS", "", "malformed", f"{_NET}::test_records_of_a_message"),
    ("DNS: addresses of an answer", "preflight.probes.dns:MAX_ADDRESSES", "", "cut, told", f"{_NET}::test_addresses_of_an_answer"),
    ("DNS: a CNAME chain", "preflight.probes.dns:MAX_CHAIN", "", "no address, told", f"{_NET}::test_a_cname_chain"),
    ("DNS: datagrams that are no answer", "preflight.probes.dns:MAX_STRANGE", "", "malformed at once", f"{_NET}::test_datagrams_that_are_no_answer"),
    ("JSON: values", "preflight.probes.services.answers:JSON_VALUES", "commas and brackets", "not read", f"{_LOCAL}::test_values_of_a_json_document"),
    ("JSON: a document", "preflight.probes.services.answers:JSON_LIMIT", "bytes", "not read", f"{_LOCAL}::test_bytes_of_a_json_document"),
    ("storage: an error document", "preflight.probes.services.answers:XML_LIMIT", "bytes", "the rest is not looked at", f"{_LOCAL}::test_bytes_of_an_error_document"),
    ("resolv.conf: servers", "preflight.probes.resolv_conf:MAX_SERVERS", "", "cut, told", f"{_LOCAL}::test_servers_of_a_resolv_conf"),
    ("resolv.conf: the file", "preflight.probes.resolv_conf:MAX_BYTES", "characters", "cut", f"{_LOCAL}::test_bytes_of_a_resolv_conf"),
    ("hosts file: addresses of a name", "preflight.probes.system_lookup:MAX_ADDRESSES", "", "cut", f"{_LOCAL}::test_addresses_in_a_hosts_file"),
    ("one observation", "preflight.probes.size:MAX_OBSERVATION", "bytes", "without its bulk, else unknown", f"{_LOCAL}::test_the_bytes_of_an_observation"),
    ("agent: a line", "preflight.vantages.protocol:MAX_LINE", "bytes", "lost: the vantage is incomplete", f"{_LOCAL}::test_a_line_of_an_agent"),
    ("agent: all of its lines", "preflight.vantages.protocol:MAX_STREAM", "bytes", "lost: the vantage is incomplete", f"{_LOCAL}::test_the_bytes_of_an_agents_stream"),
    ("agent: messages", "preflight.vantages.protocol:MAX_MESSAGES", "", "lost: the vantage is incomplete", f"{_LOCAL}::test_messages_of_an_agent"),
    ("agent: its last words", "preflight.kube.pods:MAX_WORDS", "characters", "cut", f"{_LOCAL}::test_the_last_line_of_a_termination_message"),
    ("cluster: an answer of the API server", "preflight.kube.client:MAX_ANSWER", "bytes", "the step fails: kube.unexpected-answer", "test_limits_cluster.py::test_an_answer_of_the_api_server"),
    ("cluster: a line of a watch or log", "preflight.kube.client:MAX_LINE", "bytes", "the stream ends: kube.unexpected-answer", "test_limits_cluster.py::test_a_line_of_a_watch_or_log"),
    ("cluster: a termination message, unpacked", "preflight.vantages.summary:MAX_UNPACKED", "bytes", "no summary: kube.log-channel-broken", "test_limits_cluster.py::test_what_a_termination_message_unpacks_to"),
    ("a plan for an agent", "preflight.vantages.agent:MAX_PLAN", "bytes", "refused, exit 2", f"{_LOCAL}::test_a_plan_of_an_agent"),
    ("preflight.toml, certificates", "preflight.environment.read:LARGEST", "bytes", "refused, exit 2", f"{_LOCAL}::test_a_configuration_and_a_file_of_checks"),
    ("a file of checks", "preflight.catalogue.files:LARGEST", "bytes", "refused, exit 2", f"{_LOCAL}::test_a_configuration_and_a_file_of_checks"),
    ("output of az", "preflight.environment.azure_output:LARGEST", "bytes", "refused, exit 2", f"{_LOCAL}::test_output_of_az_and_a_secret"),
    ("a secret's file", "preflight.environment.credentials:LARGEST", "bytes", "refused, exit 2", f"{_LOCAL}::test_output_of_az_and_a_secret"),
    ("a run file", "preflight.cli.saved:MAX_RUN_FILE", "bytes", "refused, exit 2", f"{_LOCAL}::test_the_bytes_of_a_run_file_and_of_a_line"),
    ("a run file: one line", "preflight.cli.saved:MAX_LINE", "bytes", "refused, exit 2", f"{_LOCAL}::test_a_device_without_end_is_refused"),
)  # fmt: skip


def limits() -> str:
    """The table of limits."""
    lines = ["| what | limit | beyond it | test in tests/hostile |", "|---|---|---|---|"]
    for what, place, unit, beyond, test in LIMITS:
        module, _, name = place.partition(":")
        value = getattr(importlib.import_module(module), name)
        lines.append(f"| {what} | {value:,} {unit}".rstrip() + f" (`{name}`) | {beyond} | `{test}` |")
    return "\n".join(lines)


async def behaviours() -> str:
    """The table of behaviours, measured here and now."""
    from hostile_shared.behaviours import BEHAVIOURS, pleasant  # noqa: PLC0415 - needs the path above, and servers
    from servers.certs import Authority  # noqa: PLC0415

    authority = Authority()
    lines = ["| what the server does | inputs | result | the plain check | peak |", "|---|---|---|---|---|"]
    for secure in (False, True):
        async with pleasant(secure=secure)(authority) as seen:
            name = "TLS" if secure else "HTTP"
            lines.append(
                f"| a pleasant {name} server, for comparison | {seen.inputs} | ok | pass | {seen.peak_kb:,} KB |"
            )
    for one in BEHAVIOURS:
        async with one.visit(authority) as seen:
            _, status, cause = one.expect
            told = f"{status}: {cause}" if cause else status
            lines.append(f"| {one.group}: {one.name} | {seen.inputs} | {seen.met} | {told} | {seen.peak_kb:,} KB |")
    return "\n".join(lines)


def put(page: str, name: str, table: str) -> str:
    """The page with that table between its marks."""
    start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    return re.sub(
        re.escape(start) + ".*?" + re.escape(end), lambda _: f"{start}\n{table}\n{end}", page, flags=re.DOTALL
    )


def main() -> None:
    """Write the tables, or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    page = PAGE.read_text(encoding="utf-8")
    if parser.parse_args().check:
        if put(page, "limits", limits()) != page:
            sys.exit(f"{PAGE.name}: the table of limits is not what the code has; run tools/robustness.py")
        return
    page = put(put(page, "limits", limits()), "behaviours", asyncio.run(behaviours()))
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
