"""The page and its files, served as they are: no build step, and nothing from another host."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import APIRouter, Request, Response

from thanos.skills import CATEGORIES, Skill

MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}

# Scripts and styles come from this server's files alone. Trusted types make the browser refuse to turn text into
# HTML, so that no dialogue can become part of the page, whatever a script does by mistake.
CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    # Ask each time (it costs a 304): after an upgrade nobody sees half of the old page.
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True)
class Asset:
    """A file of the page."""

    content: bytes
    media_type: str

    @property
    def etag(self) -> str:
        """Changes with the content."""
        return f'"{hashlib.sha256(self.content).hexdigest()[:16]}"'


def page_router() -> APIRouter:
    """Serve the page at / and its files under /page/; none of it needs a key, for none of it is a secret."""
    router = APIRouter(include_in_schema=False)
    for path, asset in page_assets().items():
        router.add_api_route(path, _answer(asset), methods=["GET", "HEAD"])
    return router


def page_assets() -> dict[str, Asset]:
    """URL path -> file: the packaged files and the taxonomy."""
    root = files("thanos.serve.page").joinpath("static")
    assets = {f"/page/{name}": Asset(file.read_bytes(), MEDIA_TYPES[_suffix(name)]) for name, file in _walk(root)}
    assets["/"] = assets.pop("/page/index.html")
    assets["/page/taxonomy.json"] = Asset(json.dumps(taxonomy()).encode(), MEDIA_TYPES[".json"])
    return assets


def taxonomy() -> list[dict]:
    """The categories in their order, each with its skills and their definitions."""
    return [
        {
            "name": category,
            "skills": [{"name": s.value, "definition": s.definition} for s in Skill if s.category == category],
        }
        for category in CATEGORIES
    ]


def _walk(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    for item in folder.iterdir():
        if item.is_dir():
            yield from _walk(item, f"{prefix}{item.name}/")
        elif _suffix(item.name) in MEDIA_TYPES:
            yield prefix + item.name, item


def _suffix(name: str) -> str:
    return name[name.rfind(".") :]


def _answer(asset: Asset) -> Callable[[Request], Awaitable[Response]]:
    headers = HEADERS | {"ETag": asset.etag}

    async def answer(request: Request) -> Response:
        if request.headers.get("if-none-match") == asset.etag:
            return Response(status_code=304, headers=headers)
        return Response(asset.content, media_type=asset.media_type, headers=headers)

    return answer
