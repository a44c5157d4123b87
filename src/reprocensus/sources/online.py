"""Pages of proceedings from the network, through the client that PDFs come through: as polite, as guarded."""

from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

from reprocensus.settings import Settings
from reprocensus.sources.pages import decode
from reprocensus.sources.proceedings import Page

if TYPE_CHECKING:
    from reprocensus.fetch.blocking import BlockingClient


class OnlinePages:
    """Gets pages by their addresses. A context manager; opens nothing before the first page is asked for."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stack = ExitStack()
        self._client: BlockingClient | None = None

    def get(self, url: str) -> Page:
        """The page at an address, after redirects. Raises `FetchError`."""
        if self._client is None:
            # Imported late: most commands never ask the network.
            from reprocensus.fetch.blocking import BlockingClient

            self._client = self._stack.enter_context(BlockingClient(self._settings))
        response = self._client.get(url)
        return Page(response.final_url, decode(response.body, response.headers.get("content-type", "")))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
