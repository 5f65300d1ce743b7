"""OpenAPI documents: derived from the installed client's models, cached on disk, CRDs from their schemas."""

from typing import TYPE_CHECKING

from aiohttp import web

from lab.pocket.apiserver.errors import unknown_path

if TYPE_CHECKING:
    from lab.pocket.apiserver.context import Settings
    from lab.pocket.apiserver.resources.registry import Registry


class Documents:
    def __init__(self, settings: "Settings", registry: "Registry") -> None:
        self._settings = settings
        self._registry = registry

    async def serve(self, path: str, request: web.BaseRequest) -> web.StreamResponse:
        raise unknown_path()
