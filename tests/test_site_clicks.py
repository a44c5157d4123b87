"""Search, sorting, filters, evidence and comparison, clicked through: static files and `site serve` alike.

Each once with the mouse's way and once with the keyboard alone: what is used is reached by the tab key, which
also tells that it can be seen where the focus is.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from site_support import Seen, chromium, served, watch

EDITION = "venues/ALPHA/2022/"
PAPER = "papers/ALPHA-2022/plain/"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    program = chromium()
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        started = playwright.chromium.launch(executable_path=program, args=flags)
        yield started
        started.close()


@pytest.fixture(scope="module", params=["static", "served"])
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "static":
        with served(request.getfixturevalue("site")) as url:
            yield url
    else:
        with served_on_demand(request.getfixturevalue("site_store")) as url:
            yield url


@contextmanager
def served_on_demand(store: Path) -> Iterator[str]:
    """`site serve` in a process of its own; its address, once search knows every edition."""
    command = [sys.executable, "-m", "reprocensus", "site", "serve", "--port", "0", "--workers", "1"]
    with subprocess.Popen([*command, "--store", str(store)], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().split()[0]
            until(lambda: "are missing yet" not in httpx.get(f"{address}search/?q=x", timeout=60).text)
            yield address
        finally:
            server.terminate()


def until(holds: Any) -> None:
    """Waits until something holds, a minute at most."""
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, "does not come to hold"
        time.sleep(0.05)


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


@pytest.fixture
def seen(tab: Any) -> Iterator[Seen]:
    found = watch(tab)
    yield found
    assert found.said == []


def go(tab: Any, selector: str) -> Any:
    """Presses the tab key until the focus is on what is wanted; it must be seen there."""
    for _ in range(400):
        tab.keyboard.press("Tab")
        if tab.evaluate("(wanted) => document.activeElement.matches(wanted)", selector):
            focused = tab.locator(":focus")
            outline = focused.evaluate("(e) => getComputedStyle(e).outlineStyle")
            assert outline not in ("none", ""), f"{selector} does not show that it has the focus"
            return focused
    raise AssertionError(f"the tab key does not lead to {selector}")


def titles(tab: Any) -> list[str]:
    return [text.strip() for text in tab.locator("ol.hits h3").all_inner_texts()]


def column(tab: Any, number: int) -> list[str]:
    cells = tab.locator(f"table.papers tbody tr > :nth-child({number})")
    return [text.strip() for text in cells.all_inner_texts()]


def test_search_from_any_page(tab: Any, address: str, seen: Seen) -> None:
    tab.goto(address + PAPER)
    tab.fill("#find", "diffusion integ")
    tab.click("header button[type=submit]")
    tab.locator("ol.hits h3").first.wait_for()
    assert titles(tab) == ["Numbers Revisited: Diffusion of Integers"]
    tab.fill("#query", "nvidia v100")
    tab.select_option("#year", "2023")
    tab.click("form.search button")
    tab.locator("ol.hits mark:has-text('V100')").first.wait_for()
    assert "Hardware Specification: Yes" in tab.locator("ol.hits .snippet").first.inner_text()
    tab.locator("ol.hits h3 a").first.click()
    assert tab.locator("table.verdicts").is_visible()
    assert all(url.startswith(address) for url in seen.requests)


def test_search_with_the_keyboard(tab: Any, address: str, seen: Seen) -> None:
    tab.goto(address)
    go(tab, "#find")
    tab.keyboard.type("diffusion integ")
    tab.keyboard.press("Enter")
    tab.locator("ol.hits h3").first.wait_for()
    go(tab, "ol.hits h3 a")
    tab.keyboard.press("Enter")
    tab.locator("table.verdicts").wait_for()
    assert tab.locator("h1").inner_text() == "Numbers Revisited: Diffusion of Integers"


def test_sort_with_the_keyboard(tab: Any, address: str, seen: Seen) -> None:
    tab.goto(address + EDITION)
    before = column(tab, 1)
    go(tab, "table.papers th:first-child button.sort")
    tab.keyboard.press("Enter")
    tab.locator("table.papers th[aria-sort=ascending]").wait_for()
    tab.keyboard.press("Space")
    tab.locator("table.papers th[aria-sort=descending]").wait_for()
    until(lambda: column(tab, 1) != before)
    assert sorted(column(tab, 1)) == sorted(before)


def test_filter_with_the_keyboard(tab: Any, address: str, seen: Seen) -> None:
    tab.goto(address + EDITION)
    go(tab, "#filter-title")
    tab.keyboard.type("small study")
    until(lambda: column(tab, 1) == ["A Small Study of Numbers"])
    tab.keyboard.press("Control+a")
    tab.keyboard.press("Delete")
    until(lambda: len(column(tab, 1)) > 1)
    go(tab, "#filter-variable")
    tab.keyboard.type("Open data")
    until(lambda: tab.locator("#filter-label").is_enabled())
    go(tab, "#filter-label")
    tab.keyboard.type("No")
    until(lambda: set(column(tab, 6)) == {"No"})


def test_evidence_with_the_keyboard(tab: Any, address: str, seen: Seen) -> None:
    tab.goto(address + PAPER)
    go(tab, "#hardware_specification details.passage summary")
    tab.keyboard.press("Enter")
    picture = tab.locator("#hardware_specification details.passage img").first
    until(lambda: picture.evaluate("(e) => e.complete && e.naturalWidth > 200"))
    tab.goto(address + PAPER)
    go(tab, "#hardware_specification .where a:nth-of-type(2)")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/text/#hardware_specification-1")
    target = tab.locator("#hardware_specification-1 + mark")
    assert "V100" in target.inner_text()
    assert tab.evaluate("(e) => e.getBoundingClientRect().top < innerHeight", target.element_handle())


def test_the_marked_pdf_and_the_archived_one(tab: Any, address: str) -> None:
    tab.goto(address + PAPER)
    for name in ("PDF with all quotes marked", "Archive PDF"):
        link = tab.get_by_role("link", name=name).get_attribute("href")
        got = tab.request.get(tab.evaluate("(link) => new URL(link, location.href).href", link))
        assert got.headers["content-type"] == "application/pdf" and got.body().startswith(b"%PDF-")


def test_compare_with_the_keyboard(tab: Any, address: str, seen: Seen) -> None:
    tab.goto(address)
    go(tab, "header a[href$='compare/']")
    tab.keyboard.press("Enter")
    tab.locator("h1:has-text('Compare')").wait_for()
    go(tab, "main a[href$='compare/ALPHA-2022/']")
    tab.keyboard.press("Enter")
    tab.locator("h1:has-text('Compare ALPHA 2022')").wait_for()
    go(tab, "main a[href$='compare/ALPHA-2022/ALPHA-2023/']")
    tab.keyboard.press("Enter")
    tab.locator("h1:has-text('ALPHA 2022 and ALPHA 2023')").wait_for()
    assert tab.locator("table").count() >= 2
    tab.goto(f"{address}compare/")
    go(tab, "main a[href*='compare/runs/']")
    tab.keyboard.press("Enter")
    tab.locator("h1:has-text('Two runs')").wait_for()
