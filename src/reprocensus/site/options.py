"""What a site is told about itself. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self
from urllib.parse import quote

from reprocensus.settings import Settings
from reprocensus.site.safe import web_url


class Evidence(StrEnum):
    """What static pages show of PDFs: nothing, pictures of passages, or also PDFs with all quotes marked."""

    NONE = "none"
    PICTURES = "pictures"
    MARKED = "marked"


@dataclass(frozen=True, slots=True)
class SiteOptions:
    """What does not come from the tables.

    `engine`: whose verdicts come first. `url`: where the site will lie, for sitemap and citations.
    `report_url`: where errors are reported, `{paper}` stands for the paper_id. `archive_url`: a folder of the
    web that holds `<sha256>.pdf`; without it the site has the PDFs itself, if `pdfs`. `texts`: whether the
    papers' plain texts are shown.
    """

    title: str = "Reproducibility census"
    engine: str = "rules"
    url: str = ""
    report_url: str = ""
    archive_url: str = ""
    pdfs: bool = True
    texts: bool = True
    evidence: Evidence = Evidence.NONE

    @classmethod
    def of(
        cls,
        settings: Settings,
        engine: str | None,
        evidence: Evidence = Evidence.NONE,
        *,
        pdfs: bool = True,
        texts: bool = True,
    ) -> Self:
        """The options of a deployment; without an engine its own verdicts come first."""
        return cls(
            title=settings.site_title,
            engine=engine or settings.engine,
            url=settings.site_url,
            report_url=settings.report_url,
            archive_url=settings.archive_url,
            pdfs=pdfs,
            texts=texts,
            evidence=evidence,
        )

    def report_link(self, paper_id: str) -> str | None:
        """Where an error in a paper's page is reported: an address of the web, or of a mailbox."""
        target = self.report_url.replace("{paper}", quote(paper_id, safe=""))
        if target.startswith("mailto:") and "@" in target:
            return target
        return web_url(target)
