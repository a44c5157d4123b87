"""Pages of proceedings from the network."""

import httpx

from reprocensus import __version__
from reprocensus.errors import ListError
from reprocensus.settings import Settings
from reprocensus.sources.pages import Pages, decode
from reprocensus.sources.proceedings import Page


def online(settings: Settings) -> Pages:
    """The way to pages on the network."""
    return _Online(settings)


class _Online:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def get(self, url: str) -> Page:
        """The page at an address. Raises `ListError`."""
        contact = f"; {self._settings.contact}" if self._settings.contact else ""
        headers = {"User-Agent": f"reprocensus/{__version__} (research census of AI papers{contact})"}
        try:
            response = httpx.get(
                url, headers=headers, follow_redirects=True, timeout=self._settings.fetch_timeout_s
            )
            response.raise_for_status()
        except httpx.HTTPError as error:
            raise ListError("connection", f"{url}: {error}", transient=True) from error
        return Page(str(response.url), decode(response.content, response.headers.get("content-type", "")))
