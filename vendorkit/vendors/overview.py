"""DataFrames of what a client knows: its resources, and its last exchanges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import pandas as pd

from vendorkit.http.exchanges import Exchange
from vendorkit.resource import Resource


def frame_of_resources(resources: Mapping[str, Resource]) -> pd.DataFrame:
    """Return one row per resource: name, what it is, filters, sort keys, expansions, number of columns."""
    declared = resources.values()
    columns = {
        "about": [one.about for one in declared],
        "filters": [", ".join(known.name for known in one.filters) for one in declared],
        "sort_keys": [", ".join(one.sort_keys) for one in declared],
        "expand": [", ".join(one.expands) for one in declared],
        "columns": [len(one.schema.arrow.names) for one in declared],
    }
    return pd.DataFrame(columns, pd.Index(list(resources), name="resource"))


def frame_of_exchanges(exchanges: Sequence[Exchange]) -> pd.DataFrame:
    """Return one row per exchange."""
    columns = {
        "method": [one.method for one in exchanges],
        "path": [urlsplit(one.url).path for one in exchanges],
        "status": [one.status for one in exchanges],
        "authorization": [one.sent.get("Authorization", "") for one in exchanges],
        "challenge": [one.received.get("WWW-Authenticate", "") for one in exchanges],
        "milliseconds": [round(one.seconds * 1000, 1) for one in exchanges],
        "discarded": [one.discarded for one in exchanges],
    }
    return pd.DataFrame(columns)
