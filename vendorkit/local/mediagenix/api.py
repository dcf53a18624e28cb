"""
The mock server of Mediagenix On-Demand, written from Mediagenix's documents.

Links to resources that the mock server does not have are left out, so that every link has an answer.
"""

from __future__ import annotations

from starlette.routing import Route

from vendorkit.local.mediagenix.library import Library
from vendorkit.local.mediagenix.routes import Product
from vendorkit.local.server.api import picture


class Api(Product):
    """The API, and the files that it links to, which are served without credentials, as from another host."""

    REALM, FILE, OPEN = "Local Movida", "on_demand.json", ("/files/",)

    def library(self) -> Library:
        """Return the facts of the records."""
        return Library(self.settings.seed, self.settings.titles)

    def routes(self) -> list[Route]:
        """Return the routes of the API and of the files."""
        return [*super().routes(), Route("/files/{path:path}", picture)]
