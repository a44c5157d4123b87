"""The site on demand: the same pages, made from the tables when they are asked for."""

from typing import TYPE_CHECKING

from reprocensus.site import urls
from reprocensus.site.corpus import Corpus
from reprocensus.site.pages import Answer, Redirect, answer
from reprocensus.site.render import POLICY

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response


def application(corpus: Corpus) -> "Starlette":
    """The web application."""
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse, RedirectResponse
    from starlette.responses import Response as Plain
    from starlette.routing import Route

    headers = {
        "Content-Security-Policy": f"{POLICY}; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }

    async def at(request: "Request") -> "Response":
        path = request.path_params["path"]
        found = answer(corpus, path, tuple(request.query_params.multi_items()))
        if isinstance(found, Answer):
            return Plain(found.body, media_type=found.media, headers=headers)
        if isinstance(found, Redirect):
            return RedirectResponse(urls.up(path) + found.path, 301, headers)
        if path and not path.endswith("/") and answer(corpus, f"{path}/"):
            return RedirectResponse(f"/{path}/", 301, headers)
        return PlainTextResponse("not found", 404, headers)

    return Starlette(routes=[Route("/{path:path}", at)])


def serve(corpus: Corpus, host: str, port: int) -> None:
    """Serves until interrupted."""
    import uvicorn

    uvicorn.run(application(corpus), host=host, port=port, log_level="warning", access_log=False)
