"""What the page does in a real browser beside loading: its policy, its panels, its script, its size on a phone."""

import os
import socket
from pathlib import Path

import pytest
from builders import crowd
from builders.example_runs import EXAMPLES
from builders.extreme_runs import large

from preflight.render import html

pytestmark = pytest.mark.e2e
CHROMIUM = Path(os.environ.get("PREFLIGHT_CHROMIUM", "/usr/bin/chromium"))


def many(names):
    """A few of so many places in trouble."""
    return crowd.run(EXAMPLES["healthy"](), names, {names[2]: EXAMPLES["failing"](), names[-3]: EXAMPLES["failing"]()})


PAGES = {
    "failing": EXAMPLES["failing"],
    "healthy": EXAMPLES["healthy"],
    "large": lambda: large(200, 6),
    "pools": lambda: many(crowd.pools(20)),
    "nodes": lambda: many(crowd.nodes(1000)),
}


@pytest.fixture(scope="module")
def browser():
    from playwright import sync_api

    if not CHROMIUM.exists():
        pytest.fail(f"{CHROMIUM} is missing: apt-get install chromium")
    with sync_api.sync_playwright() as play:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        started = play.chromium.launch(executable_path=str(CHROMIUM), args=arguments)
        yield started
        started.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    for name, make in PAGES.items():
        (folder / f"{name}.html").write_text(html.render(make()), encoding="utf-8")
    return folder


@pytest.fixture
def visit(browser, files):
    """Opens a page; whatever it complains of or asks for is a failure of the test."""
    contexts, wrong = [], []

    def opened(name, **options):
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: wrong.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: wrong.append(f"dialog: {dialog.message}"))
        page.on(
            "request",
            lambda request: wrong.append(request.url) if not request.url.startswith(("file:", "data:")) else None,
        )
        page.goto((files / f"{name}.html").as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []


def violations(page):
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [(one["id"], [node["html"][:160] for node in one["nodes"][:3]]) for one in found]


def test_it_has_no_accessibility_violation_on_a_phone(visit):
    page = visit("failing", viewport={"width": 360, "height": 800}, bypass_csp=True)
    assert violations(page) == []


@pytest.mark.parametrize("name", PAGES)
def test_it_never_scrolls_sideways(visit, name):
    page = visit(name, viewport={"width": 360, "height": 800})
    page.evaluate("for (const one of document.querySelectorAll('.target, #about details, .queries')) one.open = true")
    for width in (360, 768, 1200):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("name", ["pools", "nodes"])
def test_many_places_have_few_columns(visit, files, name):
    page = visit(name, viewport={"width": 1200, "height": 900})
    assert 4 <= page.locator("table.matrix thead th").count() <= 9
    assert (files / f"{name}.html").stat().st_size < 8_000_000


def test_folded_columns_have_no_accessibility_violation(visit):
    assert violations(visit("pools", viewport={"width": 1200, "height": 900}, bypass_csp=True)) == []


def test_the_members_of_a_folded_column_open_below_the_table(visit):
    page = visit("pools", viewport={"width": 1200, "height": 900})
    listed = page.locator(".folded details", has_text="node: 19 pools alike")
    listed.locator("summary").click()
    assert listed.locator(".members").is_visible()
    assert listed.locator(".members").inner_text().count("node/") == 19


def test_a_panel_opens_under_its_row_and_covers_no_other(visit):
    page = visit("failing", viewport={"width": 1200, "height": 900})
    row = page.locator("tr.row", has=page.locator("td.fail", has_text="tls.reset-after-hello"))
    row.locator("td.fail summary").click()
    box, panel = row.bounding_box(), row.locator("details[open] .panel").bounding_box()
    assert panel["y"] >= box["y"] + 20
    assert panel["y"] + panel["height"] <= box["y"] + box["height"] + 1


def test_the_script_filters_copies_and_opens(visit):
    page = visit("failing", permissions=["clipboard-read", "clipboard-write"])
    before = page.locator("tr.row:visible").count()
    page.locator("[data-filter]").check()
    assert 0 < page.locator("tr.row:visible").count() < before
    page.locator("[data-copy]").first.click()
    page.get_by_role("button", name="Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("Make stmlprod.blob.core.windows.net resolve")
    assert "For: DNS team" in copied
    page.locator("[data-close]").click()
    assert page.locator("details.target[open]").count() == 0
    page.locator("[data-open]").click()
    assert page.locator("details.target:not([open])").count() == 0


def test_the_policy_stops_what_is_not_ours(browser, files):
    """The policy is alive: an injected handler does not run and an injected picture is not asked for."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        picture = f"<img src='http://127.0.0.1:{listening.getsockname()[1]}/x.png' onerror='window.owned=1'>"
        document = (files / "healthy.html").read_text(encoding="utf-8")
        injected = files / "injected.html"
        script = "<script>window.owned=1</script>"
        injected.write_text(document.replace("<body>", f"<body>{picture}{script}"), encoding="utf-8")
        page = browser.new_page()
        with page.expect_event("requestfailed") as stopped:
            page.goto(injected.as_uri())
        assert stopped.value.failure == "csp"
        assert page.evaluate("window.owned") is None
        with pytest.raises(BlockingIOError):
            listening.accept()
        page.close()


def test_dark_and_light_differ_and_both_are_set(visit):
    colours = {
        visit("healthy", color_scheme=one).evaluate("getComputedStyle(document.body).backgroundColor")
        for one in ("light", "dark")
    }
    assert len(colours) == 2
