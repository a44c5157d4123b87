"""The static site in Chromium: clicked through, looked at by axe-core; phone and desk, light and dark."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from site_support import PAPERS, SCRIPT, Seen, chromium, served, tool, watch

DESK = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
FIRST = "papers/ALPHA-2022/plain/"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    program = chromium()
    with sync_playwright() as playwright:
        # Without its sandbox, which containers do not let it have; it sees this site alone.
        flags = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        started = playwright.chromium.launch(executable_path=program, args=flags)
        yield started
        started.close()


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    with served(site) as url:
        yield url


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport=DESK)
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


def until(tab: Any, holds: str) -> None:
    """Waits until an expression holds. Playwright's `wait_for_function` uses eval, which is forbidden."""
    for _ in range(200):
        if tab.evaluate(holds):
            return
        tab.wait_for_timeout(100)
    raise AssertionError(f"does not come to hold: {holds}")


def kinds(site: Path) -> dict[str, str]:
    """An address of each kind of page."""
    run = next((site / "runs").glob("*/")).name
    runs = next((site / "compare" / "runs").glob("*/*/")).relative_to(site).as_posix()
    return {
        "home": "",
        "venues": "venues/",
        "venue": "venues/ALPHA/",
        "edition": "venues/ALPHA/2022/",
        "failures": "venues/ALPHA/2022/failures/",
        "paper": FIRST,
        "text": f"{FIRST}text/",
        "runs": "runs/",
        "run": f"runs/{run}/",
        "compare": "compare/",
        "compare_with": "compare/ALPHA-2022/",
        "compare_editions": "compare/ALPHA-2022/ALPHA-2023/",
        "compare_runs": f"{runs}/",
        "downloads": "downloads/",
        "table": "downloads/verdicts/",
        "data": "data/",
        "about": "about/",
        "places": "countries/",
        "places_of_a_venue": "institutions/ALPHA/",
        "search": "search/?q=numbers",
        "missing": "404.html",
    }


def test_the_kinds_are_all_kinds() -> None:
    """A new kind of page must be looked at here, too."""
    from reprocensus.site.pages import KINDS

    files = {"edition_json", "paper_json", "citation", "evidence", "download", "pdf", "static", "sitemap"}
    files |= {"robots"}
    source = Path(__file__).read_text("utf-8")
    assert [kind for kind in set(KINDS) - files if f'"{kind}": ' not in source] == []


@pytest.mark.parametrize(
    ("size", "scheme"), [(DESK, "light"), (PHONE, "dark")], ids=["desk-light", "phone-dark"]
)
def test_every_kind_of_page_is_sound(
    browser: Any, site: Path, address: str, size: dict[str, int], scheme: str
) -> None:
    """No serious fault of accessibility, nothing refused, light, of this site alone, not too wide."""
    axe = tool("axe-core/axe.min.js").read_text("utf-8")
    faults: list[str] = []
    for kind, path in kinds(site).items():
        context = browser.new_context(viewport=size, color_scheme=scheme)
        context.set_default_timeout(120_000)
        page = context.new_page()
        seen = watch(page)
        page.goto(address + path, wait_until="networkidle")
        faults += [f"{kind}: {said}" for said in seen.said]
        faults += [f"{kind}: asks {url}" for url in seen.requests if not url.startswith(address)]
        if seen.weight > 100_000:
            faults.append(f"{kind}: {seen.weight} bytes")
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > size["width"]:
            faults.append(f"{kind}: {wide} px wide")
        page.evaluate(axe)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        faults += [
            f"{kind}: {fault['id']} ({fault['impact']}): {fault['nodes'][0]['html'][:150]}"
            for fault in found["violations"]
            if fault["impact"] in ("serious", "critical")
        ]
        context.close()
    assert faults == []


def test_hostile_papers_do_nothing(tab: Any, site: Path, address: str) -> None:
    seen = watch(tab)
    found = sorted((site / "papers").rglob("index.html"))
    pages = [file for file in found if 'http-equiv="refresh"' not in file.read_text("utf-8")]
    assert len(pages) > len(PAPERS)
    for file in pages:
        tab.goto(address + file.parent.relative_to(site).as_posix() + "/", wait_until="load")
        assert tab.evaluate("document.querySelectorAll('script:not([src]), [onmouseover]').length") == 0
        assert tab.locator("main h1").count() == 1
    assert seen.said == []
    assert all(url.startswith(address) for url in seen.requests)


def open_search(tab: Any, address: str, query: str) -> Seen:
    seen = watch(tab)
    tab.goto(f"{address}search/")
    tab.fill("#query", query)
    until(tab, "document.querySelector('#found').textContent !== ''")
    return seen


def hits(tab: Any) -> list[str]:
    tab.wait_for_timeout(300)
    return [text.strip() for text in tab.locator("ol.hits h3").all_inner_texts()]


def test_search_finds_and_leads_to_the_paper(tab: Any, address: str) -> None:
    seen = open_search(tab, address, "diffusion integ")
    assert hits(tab) == ["Numbers Revisited: Diffusion of Integers"]
    assert tab.locator("ol.hits mark").all_inner_texts() == ["Diffusion", "Integers"]
    assert tab.locator("#found").inner_text() == "1 paper"
    assert tab.url.endswith("search/?q=diffusion+integ"), "can be sent to somebody"
    tab.click("ol.hits a")
    assert tab.locator("h1").inner_text() == "Numbers Revisited: Diffusion of Integers"
    tab.go_back()
    tab.wait_for_selector("ol.hits h3")
    assert tab.input_value("#query") == "diffusion integ"
    assert seen.said == []


def test_what_is_typed_before_the_index_is_there_is_found(tab: Any, address: str) -> None:
    held: list[Any] = []
    tab.route("**/index.bin", lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks it
    tab.goto(f"{address}search/", wait_until="domcontentloaded")
    tab.fill("#query", "diffusion integ")
    tab.wait_for_timeout(500)
    (index,) = held
    assert tab.locator("ol.hits h3").count() == 0
    index.continue_()
    tab.wait_for_selector("ol.hits h3")
    assert hits(tab) == ["Numbers Revisited: Diffusion of Integers"]
    assert tab.input_value("#query") == "diffusion integ"


def test_search_folds_accents_and_knows_authors_and_venues(tab: Any, address: str) -> None:
    open_search(tab, address, "emile zurn")
    assert hits(tab) == ["A Small Study of Numbers"]
    tab.fill("#query", "byron 2023")
    until(tab, "document.querySelectorAll('ol.hits h3').length == 3")
    # The third has her name in its evidence alone, which weighs less.
    assert set(hits(tab)[:2]) == {"Numbers Revisited: Diffusion of Integers", "Venue with odd marks"}
    tab.select_option("#venue", "ALPHA")
    until(tab, "document.querySelectorAll('ol.hits h3').length == 1")
    tab.fill("#query", "nosuchwordanywhere")
    until(tab, "document.querySelector('#found').textContent.startsWith('No paper')")


def test_search_shows_the_passage_that_has_the_words(tab: Any, address: str) -> None:
    open_search(tab, address, "nvidia v100")
    tab.wait_for_selector("ol.hits .snippet")
    first = tab.locator("ol.hits .snippet").first
    assert "Hardware Specification: Yes" in first.inner_text()
    assert "page 1" in first.inner_text()
    assert {"NVIDIA", "V100"} <= set(first.locator("mark").all_inner_texts())


@pytest.mark.parametrize(
    "query", [SCRIPT, "\" onmouseover='alert(1)'", "\\u0000 %00 ../../ {{7*7}}", "a" * 5000, "🦄"]
)
def test_what_is_asked_is_text_and_nothing_else(tab: Any, address: str, query: str) -> None:
    seen = watch(tab)
    tab.goto(f"{address}search/")
    tab.fill("#query", query)
    tab.wait_for_timeout(500)
    assert tab.evaluate("document.querySelectorAll('main script, main [onmouseover]').length") == 0
    assert seen.said == []


def column(tab: Any, number: int) -> list[str]:
    tab.wait_for_timeout(200)
    return [
        text.strip()
        for text in tab.locator(f"table.papers tbody tr > :nth-child({number})").all_inner_texts()
    ]


def test_papers_are_sorted_by_any_column(tab: Any, address: str) -> None:
    seen = watch(tab)
    tab.goto(f"{address}venues/ALPHA/2022/")
    before = column(tab, 1)
    tab.click("table.papers thead th:first-child button")
    tab.wait_for_selector("table.papers th[aria-sort=ascending]")
    assert sorted(column(tab, 1)) == sorted(before)
    tab.click("table.papers thead th:first-child button")
    tab.wait_for_selector("table.papers th[aria-sort=descending]")
    down = column(tab, 1)
    tab.click("table.papers thead th:first-child button")
    assert column(tab, 1) == down[::-1] != down
    last = tab.locator("table.papers thead th").count()
    tab.click("table.papers thead th:last-child button")
    scores = column(tab, last)
    known = [int(score) for score in scores if score != "–"]
    assert known in (sorted(known), sorted(known, reverse=True))
    assert scores[len(known) :] == ["–"] * (len(scores) - len(known)), "without a score comes last"
    assert seen.said == []


def test_papers_are_filtered_by_title_and_label(tab: Any, address: str) -> None:
    tab.goto(f"{address}venues/ALPHA/2022/")
    tab.fill("#filter-title", "small STUDY")
    until(tab, "document.querySelectorAll('table.papers tbody tr').length == 1")
    assert column(tab, 1) == ["A Small Study of Numbers"]
    assert re.match(r"1 of \d+ papers", tab.locator("p.count").inner_text())
    tab.fill("#filter-title", "")
    until(tab, "document.querySelectorAll('table.papers tbody tr').length > 1")
    tab.select_option("#filter-variable", index=7)
    until(tab, "!document.querySelector('#filter-label').disabled")
    tab.select_option("#filter-label", "Yes")
    tab.wait_for_timeout(200)
    shown = tab.locator("table.papers tbody tr").count()
    assert shown > 0
    assert column(tab, 8) == ["Yes"] * shown


def test_long_tables_are_shown_in_parts(tab: Any, address: str) -> None:
    """With 250 papers in place of those that are there, one of them hostile."""
    row = [None, "Yes", *["No"] * 8]
    papers = [[f"papers/x/{n}/", f"Paper {n:03}", n % 8, *row[1:]] for n in range(249)]
    papers.append(["javascript:alert(1)", SCRIPT, None, *[None] * 9])
    given = {
        "variables": [{"name": str(n), "short": str(n), "title": str(n)} for n in range(9)],
        "papers": papers,
    }
    tab.route(
        "**/papers.json", lambda route: route.fulfill(body=json.dumps(given), content_type="application/json")
    )
    seen = watch(tab)
    tab.goto(f"{address}venues/ALPHA/2022/")
    tab.click("table.papers thead th:last-child button")
    until(tab, "document.querySelectorAll('table.papers tbody tr').length == 100")
    tab.click("button.more")
    tab.click("button.more")
    assert tab.locator("table.papers tbody tr").count() == 250
    assert not tab.locator("button.more").is_visible()
    assert tab.locator("table.papers tbody tr").last.inner_text().startswith(SCRIPT)
    assert seen.said == []


def test_passages_open_one_by_one_and_all_at_once(tab: Any, address: str) -> None:
    seen = watch(tab)
    tab.goto(address + FIRST)
    first = tab.locator("#hardware_specification details.passage").first
    assert not first.locator("img").is_visible()
    first.locator("summary").click()
    until(
        tab,
        "(() => { const i = document.querySelector('#hardware_specification details.passage img');"
        " return i.complete && i.naturalWidth > 200 })()",
    )
    tab.click("button.passages")
    until(tab, "[...document.querySelectorAll('details.passage')].every((one) => one.open)")
    tab.click("button.passages")
    until(tab, "[...document.querySelectorAll('details.passage')].every((one) => !one.open)")
    assert seen.said == []


def test_evidence_leads_to_the_text_and_to_the_marked_pdf(tab: Any, address: str) -> None:
    tab.goto(address + FIRST)
    quote = tab.locator("#hardware_specification blockquote > p").first.inner_text()
    tab.click("#hardware_specification .where a:has-text('text')")
    target = tab.evaluate("document.getElementById(location.hash.slice(1))?.closest('p').innerText")
    assert quote.split()[0] in target
    tab.goto(address + FIRST)
    link = tab.get_by_role("link", name="PDF with all quotes marked").get_attribute("href")
    answer = tab.request.get(tab.evaluate("(link) => new URL(link, location.href).href", link))
    assert answer.body().startswith(b"%PDF-")


def test_two_editions_are_compared_by_clicking(tab: Any, address: str) -> None:
    seen = watch(tab)
    tab.goto(address)
    tab.get_by_role("navigation", name="Site").get_by_role("link", name="Compare").click()
    tab.locator("main").get_by_role("link", name="ALPHA 2022").first.click()
    tab.locator("main").get_by_role("link", name="ALPHA 2023").first.click()
    assert "ALPHA 2022" in tab.locator("h1").inner_text()
    assert "ALPHA 2023" in tab.locator("h1").inner_text()
    assert tab.locator("main table").count() > 0
    assert seen.said == []


def test_the_theme_is_chosen_and_stays(browser: Any, address: str) -> None:
    context = browser.new_context(viewport=DESK, color_scheme="light")
    tab = context.new_page()
    ground = "getComputedStyle(document.body).backgroundColor"
    tab.goto(address)
    light = tab.evaluate(ground)
    tab.click("button.theme")
    dark = tab.evaluate(ground)
    assert dark != light
    tab.goto(f"{address}about/")
    assert tab.evaluate(ground) == dark
    tab.click("button.theme")
    assert tab.evaluate(ground) == light
    context.close()


def test_the_keyboard_reaches_the_content(tab: Any, address: str) -> None:
    tab.goto(address + FIRST)
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    assert tab.locator("a.skip").bounding_box()["width"] > 50, "is seen once it has the focus"
    tab.keyboard.press("Enter")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_pages_are_whole_without_scripts(browser: Any, site: Path, address: str) -> None:
    context = browser.new_context(viewport=PHONE, java_script_enabled=False)
    tab = context.new_page()
    for kind, path in kinds(site).items():
        tab.goto(address + path)
        assert tab.locator("main h1").count() == 1, kind
    tab.goto(address + FIRST)
    tab.locator("details.passage summary").first.click()
    assert tab.locator("details.passage img").first.is_visible()
    tab.goto(f"{address}search/")
    assert tab.locator("noscript").count() or "JavaScript" in tab.locator("main").inner_text()
    context.close()
