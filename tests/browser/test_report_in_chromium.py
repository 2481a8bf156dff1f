"""The HTML report in Debian's Chromium: no console error, no request, no accessibility violation, readable anywhere.

Fails, never skips, without /usr/bin/chromium.
"""

import os
from pathlib import Path
from typing import Self

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

EXAMPLES = Path(__file__).parents[2] / "reports" / "examples"
NAMES = ("failing", "healthy", "hostile", "partial")

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # playwright's own pipes
]


@pytest.fixture(scope="module")
def chromium():
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    quiet = ["--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=[*sandbox, *quiet])
        yield browser
        browser.close()


class Visit:
    """One page load, with everything it said and asked for."""

    def __init__(self, browser: Browser, name: str, **context) -> None:
        self.context = browser.new_context(**context)
        self.page: Page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: self.said.append(f"dialog: {dialog.message}"))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.address = (EXAMPLES / f"{name}.report.html").as_uri()
        self.page.goto(self.address)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.context.close()


@pytest.mark.parametrize("name", NAMES)
def test_the_page_loads_alone_and_says_nothing_on_the_console(chromium, name: str):
    with Visit(chromium, name) as visit:
        for summary in visit.page.query_selector_all("details:not([open]) > summary"):
            summary.evaluate("node => { node.parentElement.open = true }")
        visit.page.wait_for_timeout(100)
        assert visit.said == []
        assert [url for url in visit.asked if url != visit.address and not url.startswith("data:")] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_axe_finds_no_accessibility_violation(chromium, name: str, scheme: str):
    # The page's own policy forbids foreign scripts; axe has to get in past it.
    with Visit(chromium, name, color_scheme=scheme, bypass_csp=True) as visit:
        visit.page.evaluate("document.querySelectorAll('details').forEach(node => { node.open = true })")
        found = Axe().run(visit.page)
        told = [(one["id"], one["nodes"][0]["html"][:120]) for one in found.response["violations"]]
        assert told == []


@pytest.mark.parametrize("width", [360, 768, 1400])
@pytest.mark.parametrize("name", NAMES)
def test_the_page_never_scrolls_sideways(chromium, name: str, width: int):
    with Visit(chromium, name, viewport={"width": width, "height": 800}) as visit:
        visit.page.evaluate("document.querySelectorAll('details').forEach(node => { node.open = true })")
        overflow = visit.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0


def test_everything_is_there_without_javascript(chromium):
    with Visit(chromium, "failing", java_script_enabled=False) as visit:
        text = visit.page.inner_text("body")
        for word in ("What to change", "Requirements by vantage", "Evidence", "About this run", "Verify"):
            assert word in text
        assert visit.page.locator("summary").first.is_visible()


def test_the_verdict_comes_first_and_findings_are_headings(chromium):
    with Visit(chromium, "failing") as visit:
        headings = [node.inner_text() for node in visit.page.query_selector_all("h1, h2")]
        assert headings[0].startswith(("✗", "Not ready"))
        assert headings[1] == "What to change"


def test_a_cell_of_the_matrix_opens_in_place_and_leads_to_its_evidence_by_keyboard(chromium):
    with Visit(chromium, "failing") as visit:
        cell = visit.page.locator("table summary:visible").first
        cell.focus()
        visit.page.keyboard.press("Enter")
        link = visit.page.locator("table a[href^='#']:visible").filter(has_text="Evidence of").first
        target = link.get_attribute("href") or "nowhere"
        link.focus()
        visit.page.keyboard.press("Enter")
        visit.page.wait_for_function("wanted => location.hash === wanted", arg=target, timeout=5000)
        assert visit.page.locator(target).count() == 1


def test_it_prints_on_a4_with_its_findings(chromium, tmp_path):
    with Visit(chromium, "failing") as visit:
        paper = tmp_path / "report.pdf"
        visit.page.pdf(path=paper, format="A4")
        assert paper.read_bytes().startswith(b"%PDF-")
        assert paper.stat().st_size > 20_000


def test_hostile_text_makes_no_element_and_runs_nothing(chromium):
    with Visit(chromium, "hostile") as visit:
        assert visit.page.locator("img, iframe, object, embed, form").count() == 0
        scripts = visit.page.evaluate("document.querySelectorAll('script').length")
        assert scripts <= 1
        assert visit.said == []


def test_the_copy_button_copies_the_ticket(chromium):
    with Visit(chromium, "failing", permissions=["clipboard-read", "clipboard-write"]) as visit:
        button = visit.page.get_by_role("button", name="Copy").first
        if not button.is_visible():
            pytest.fail("the copy button is not shown where scripts run")
        button.click()
        visit.page.wait_for_timeout(200)
        assert visit.said == []
