"""
From a vendor's credentials to a typed DataFrame in one line.

    >>> import vendorkit as vk
    >>> medipim = vk.connect("medipim")                  # settings from the environment and ./.env; default: local
    >>> medipim.brands.query().frame()                   # doctest: +SKIP

Heavy parts are imported when they are first used, so that importing the package costs little.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from vendorkit import auth, errors

if TYPE_CHECKING:
    from vendorkit.deadline import cancellable
    from vendorkit.frames import SchemaDrift
    from vendorkit.http.tls import chain
    from vendorkit.panels import connect_panel
    from vendorkit.panels.browse import browse
    from vendorkit.panels.request import panel
    from vendorkit.panels.table import table
    from vendorkit.query import Query
    from vendorkit.saved.dataset import Dataset, load
    from vendorkit.vendors.client import Client
    from vendorkit.vendors.registry import connect

_LAZY: Final = {
    "Client": "vendorkit.vendors.client",
    "Dataset": "vendorkit.saved.dataset",
    "Query": "vendorkit.query",
    "SchemaDrift": "vendorkit.frames",
    "browse": "vendorkit.panels.browse",
    "cancellable": "vendorkit.deadline",
    "chain": "vendorkit.http.tls",
    "connect": "vendorkit.vendors.registry",
    "connect_panel": "vendorkit.panels",
    "load": "vendorkit.saved.dataset",
    "panel": "vendorkit.panels.request",
    "table": "vendorkit.panels.table",
}

__all__ = [
    "Client",
    "Dataset",
    "Query",
    "SchemaDrift",
    "auth",
    "browse",
    "cancellable",
    "chain",
    "connect",
    "connect_panel",
    "errors",
    "load",
    "panel",
    "table",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        message = f"module 'vendorkit' has no attribute {name!r}"
        raise AttributeError(message)
    value = getattr(importlib.import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
