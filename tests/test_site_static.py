"""The static site as a whole: no dead link, valid HTML, nothing inline, nothing hostile that works."""

import json
import subprocess
from pathlib import Path

import pytest

from site_support import BIDI, PAPERS, SCRIPT, dead_links, read_page, tool


def pages_of(site: Path) -> list[Path]:
    return sorted(site.rglob("*.html"))


def test_no_link_leads_nowhere(site: Path) -> None:
    assert len(pages_of(site)) > len(PAPERS)
    assert dead_links(site) == []


def test_a_dead_link_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "index.html").write_text('<a href="a/#x">a</a><a href="b/">b</a><img src="c.webp">')
    (tmp_path / "a" / "index.html").write_text(
        '<p id="y"><a href="../">up</a> <a href="https://other.example/">o</a>'
    )
    assert dead_links(tmp_path) == [
        "index.html: a/#x (no such anchor)", "index.html: b/", "index.html: c.webp",
    ]  # fmt: skip


def test_every_page_is_valid_html(site: Path, tmp_path: Path) -> None:
    """html-validate, with what it recommends but for taste: tests/browser/.htmlvalidate.json."""
    program = tool("html-validate/bin/html-validate.mjs")
    config = program.parents[3] / ".htmlvalidate.json"
    # To a file: node cuts off what a pipe does not take at once.
    with (tmp_path / "found.json").open("w+") as out:
        command = ["node", str(program), "-c", str(config), "-f", "json", str(site)]
        done = subprocess.run(
            command, stdout=out, stderr=subprocess.PIPE, text=True, check=False, timeout=300
        )
    found = [
        f"{Path(file['filePath']).relative_to(site)}:{fault['line']}: {fault['ruleId']}: {fault['message']}"
        for file in json.loads((tmp_path / "found.json").read_text() or "[]")
        for fault in file["messages"]
    ]
    assert found == []
    assert done.returncode == 0, done.stderr


def test_nothing_is_written_into_pages_and_ids_are_unique(site: Path) -> None:
    for file in pages_of(site):
        page = read_page(file)
        assert page.inline == [], file
        assert len(set(page.ids)) == len(page.ids), file


def test_links_lead_to_the_web_or_the_site(site: Path) -> None:
    schemes = ("javascript:", "data:", "vbscript:", "file:", "//", "ftp:")
    for file in pages_of(site):
        page = read_page(file)
        for link in [*page.links, *page.loaded]:
            assert not link.lower().strip().startswith(schemes), f"{file}: {link}"
            assert "evil.example" not in link, f"{file}: {link}"
        assert not any("://" in loaded for loaded in page.loaded), "nothing is loaded from elsewhere"


@pytest.mark.parametrize(
    "hostile", [SCRIPT, "</textarea></title>", "\u202e", "\u2066", '" onmouseover="alert']
)
def test_what_papers_say_is_escaped(site: Path, hostile: str) -> None:
    for file in pages_of(site):
        assert hostile not in file.read_text("utf-8"), file
    assert BIDI in [title for _, title, _, _ in PAPERS]


def test_files_stay_in_the_site(site: Path) -> None:
    for file in site.rglob("*"):
        assert not file.is_symlink()
        assert site in file.resolve().parents
    assert {p.name for p in site.parent.iterdir()} <= {site.name, "served"}


def test_pages_are_light(site: Path) -> None:
    """With everything but pictures that it loads, as it lies on disk, uncompressed."""
    for file in pages_of(site):
        loaded = {
            # The page for what is not there may be shown at any depth, and names files from the root.
            (site / name.removeprefix("/sub/") if name.startswith("/") else file.parent / name).resolve()
            for name in read_page(file).loaded
            if not name.endswith(".webp")
        }
        weight = file.stat().st_size + sum(each.stat().st_size for each in loaded)
        assert weight < 100_000, f"{file.relative_to(site)}: {weight}"


def test_the_page_for_nothing_links_below_the_sites_own_path(site: Path) -> None:
    """It is shown at any depth, so its links cannot be relative, and the site lies below `/sub/`."""
    page = read_page(site / "404.html")
    here = [link for link in [*page.links, *page.loaded] if "://" not in link and not link.startswith("#")]
    assert here and all(link.startswith("/sub/") for link in here), here
