"""
From a vendor's credentials to a typed DataFrame in one line.

    >>> import vendorkit as vk
    >>> medipim = vk.connect("medipim")                  # settings from the environment and ./.env; default: local
    >>> medipim.brands.query().frame()                   # doctest: +SKIP

Most modules are imported when they are first used, so that importing the package is fast.
"""

from __future__ import annotations

import importlib.metadata
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from vendorkit import auth as auth
from vendorkit import errors as errors

if TYPE_CHECKING:
    from vendorkit.deadline import cancellable as cancellable
    from vendorkit.frames import SchemaDrift as SchemaDrift
    from vendorkit.http.chains import chain as chain
    from vendorkit.httpfile import saved_requests as saved_requests
    from vendorkit.panels import connect_panel as connect_panel
    from vendorkit.panels.browse import browse as browse
    from vendorkit.panels.request import panel as panel
    from vendorkit.panels.table import table as table
    from vendorkit.query import Query as Query
    from vendorkit.saved.dataset import Dataset as Dataset
    from vendorkit.saved.dataset import load as load
    from vendorkit.vendors.client import Client as Client
    from vendorkit.vendors.connecting import connect as connect

    __version__: str

_LAZY: Final = {
    "Client": "vendorkit.vendors.client",
    "Dataset": "vendorkit.saved.dataset",
    "Query": "vendorkit.query",
    "SchemaDrift": "vendorkit.frames",
    "browse": "vendorkit.panels.browse",
    "cancellable": "vendorkit.deadline",
    "chain": "vendorkit.http.chains",
    "connect": "vendorkit.vendors.connecting",
    "connect_panel": "vendorkit.panels",
    "load": "vendorkit.saved.dataset",
    "panel": "vendorkit.panels.request",
    "saved_requests": "vendorkit.httpfile",
    "table": "vendorkit.panels.table",
}

__all__ = ["auth", "errors"]
__all__ += list(_LAZY)


if not TYPE_CHECKING:  # type checkers report unknown names themselves

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            return importlib.metadata.version("vendorkit")
        if name not in _LAZY:
            near = get_close_matches(name, __all__, n=1)
            message = f"vendorkit has no attribute {name!r}."
            raise errors.UnknownName(message, remedy=f"Did you mean {near[0]}?" if near else "")
        globals()[name] = value = getattr(importlib.import_module(_LAZY[name]), name)
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
