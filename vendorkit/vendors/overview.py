"""DataFrames about a client: its resources and its recent exchanges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import pandas as pd

from vendorkit.http.exchanges import Exchange
from vendorkit.resource import Resource


def frame_of_resources(resources: Mapping[str, Resource]) -> pd.DataFrame:
    """Return one row per resource: name, description, filters, sort keys, expansions, number of columns."""
    declared = resources.values()
    columns = {
        "about": [resource.about for resource in declared],
        "filters": [", ".join(known.name for known in resource.filters) for resource in declared],
        "sort_keys": [", ".join(resource.sort_keys) for resource in declared],
        "expand": [", ".join(resource.expands) for resource in declared],
        "columns": [len(resource.schema.arrow.names) for resource in declared],
    }
    return pd.DataFrame(columns, pd.Index(list(resources), name="resource"))


def frame_of_exchanges(exchanges: Sequence[Exchange]) -> pd.DataFrame:
    """Return one row per exchange."""
    columns = {
        "method": [exchange.method for exchange in exchanges],
        "path": [urlsplit(exchange.url).path for exchange in exchanges],
        "status": [exchange.status for exchange in exchanges],
        "authorization": [exchange.sent.get("Authorization", "") for exchange in exchanges],
        "challenge": [exchange.received.get("WWW-Authenticate", "") for exchange in exchanges],
        "milliseconds": [round(exchange.seconds * 1000, 1) for exchange in exchanges],
        "discarded": [exchange.discarded for exchange in exchanges],
    }
    return pd.DataFrame(columns)
