"""Keeps the registry in step with the stored CustomResourceDefinitions."""

from ..context import Api


class CustomResources:
    def __init__(self, api: Api) -> None:
        self._api = api

    def start(self) -> None:
        return None

    async def stop(self) -> None:
        return None
