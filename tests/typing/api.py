"""The documented API as a user writes it, for `mypy --strict`: no cast, no ignore but at a mistake. mypy reads it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import dask.dataframe as dd
import pandas as pd
import pyarrow as pa
import requests
from typing_extensions import assert_type

import vendorkit as vk
from vendorkit import auth, local
from vendorkit.auth import Notification
from vendorkit.errors import (
    AuthError,
    Cancelled,
    IncompletePull,
    InvalidRequest,
    RateLimited,
    UsageError,
    VendorkitError,
)
from vendorkit.http.call import Policy
from vendorkit.vendors.bound import BoundResource
from vendorkit.vendors.mediagenix.client import Entity, Link, Mediagenix
from vendorkit.vendors.medipim.client import Medipim
from vendorkit.vendors.pledg.client import Pledg


def connecting(vendor: str) -> vk.Client:
    """One overload per vendor; a name that is only known when the program runs gives a `Client`."""
    assert_type(vk.__version__, str)
    vk.conect(vendor)  # type: ignore[attr-defined]
    medipim = vk.connect("medipim", environment="local", country="fr")
    assert_type(medipim, Medipim)
    assert_type(vk.connect("pledg", writable=True), Pledg)
    assert_type(vk.connect("mediagenix", policy=Policy(attempts=1)), Mediagenix)
    assert_type(vk.connect(vendor), vk.Client)
    assert_type(medipim.resources, pd.DataFrame)
    assert_type(medipim.exchanges, pd.DataFrame)
    assert_type(medipim.get("/v4/products/get-fields"), requests.Response)
    assert_type(medipim.post("/v4/brands/query", json={"page": {"no": 0, "size": 10}}), requests.Response)
    return vk.connect(vendor)


def querying() -> pd.DataFrame:
    """Resources are typed attributes; a query is a value, and each verb has the type of its result."""
    medipim = vk.connect("medipim")
    assert_type(medipim.products, BoundResource)
    assert_type(medipim.products.columns, pd.DataFrame)
    assert_type(medipim.products.filters, pd.DataFrame)
    assert_type(medipim.brands.get(9), dict[str, Any])
    query = medipim.products.query(
        brand=[9, 12],
        status="active",
        created_at=(date(2025, 1, 1), datetime(2026, 1, 31, tzinfo=timezone.utc)),
        where={"or": [{"brand": 9}, {"not": {"status": "inactive"}}]},
        sort="-createdAt",
        strategy="windows",
        since="2026-01-31",
    )
    assert_type(query, vk.Query)
    assert_type(query.count(), int)
    plan = query.plan(limit=1_000)
    assert_type((plan.total, plan.requests, plan.seconds, plan.strategy, plan.why), tuple[int, int, float, str, str])
    assert_type(query.request(), requests.PreparedRequest)
    assert_type(query.snippet("curl"), str)
    assert_type(query.describe(), dict[str, Any])
    for record in query.records(limit=10):
        assert_type(record, dict[str, Any])
    assert_type(query.batches(columns=["id"], nested="drop"), Iterator[pa.RecordBatch])
    assert_type(query.tables(columns=["name", "photos"], locale="fr"), dict[str, pd.DataFrame])
    assert_type(query.dask(partitions=4, nested="list"), dd.DataFrame)
    return query.frame(columns=["id", "name"], limit=100, locale="fr", nested="json")


def saving(folder: Path) -> pd.DataFrame:
    """A dataset on disk, and its updates."""
    query = vk.connect("medipim").brands.query()
    dataset = query.save(folder, columns=["id", "name"], locale="fr")
    assert_type(dataset, vk.Dataset)
    assert_type((dataset.path, dataset.rows, dataset.complete), tuple[Path, int, bool])
    assert_type(query.update(str(folder)), vk.Dataset)
    assert_type(dataset.frame(columns=["id"]), pd.DataFrame)
    return vk.load(folder, columns=["id"], partial=True)


def following() -> vk.Query:
    """Mediagenix: any link of any entity, and the columns that hold links."""
    od = vk.connect("mediagenix", environment="local")
    root = od.root()
    assert_type(root, Entity)
    assert_type(od.root("sequence").links, dict[str, Link])
    titles = root.links["titles"].follow(expand=["images"])
    assert_type(titles, vk.Query)
    frame = od.titles.query(expand=["metadata"], accept="json").frame(limit=100)
    assert_type(od.entity(root.links["titles"]), Entity)
    return od.follow(str(frame["licensor_link"].iloc[0]), expand=["titles"])


def paying(bodies: list[bytes]) -> pd.DataFrame:
    """Pledg: simulations, signed links, notifications."""
    pledg = vk.connect("pledg", writable=True)
    assert_type(pledg.payment_schedule.query(amount_cents=20_000, created=date(2026, 1, 31)).frame(), pd.DataFrame)
    carts = pd.DataFrame({"amount": [5_000, 20_000]})
    plans = pledg.payment_schedule.for_each(carts, amount_cents="amount", created="2026-01-31", prefix="plan_")
    assert_type(plans, pd.DataFrame)
    settings = {"merchantUid": "mer_1", "amountCents": 20_000, "title": "Boat", "reference": "ORDER-1"}
    assert_type(pledg.sign({"data": settings}, expires_in=900), str)
    assert_type(pledg.purchase_url(settings), str)
    assert_type(pledg.purchase_link(settings, link={"send_email": True}), dict[str, Any])
    assert_type(pledg.refund("pur_1", 500), dict[str, Any])
    assert_type(pledg.notifications.verify(bodies[0]), dict[str, Any])
    return pledg.notifications.frame(bodies)


def authenticating(url: str, body: bytes) -> int:
    """The schemes work without a client, with plain requests."""
    session = requests.Session()
    session.auth = auth.Digest("robot", "made-up")
    answer = session.get(url, timeout=60)
    requests.get(url, auth=auth.Basic("key", "made-up"), timeout=60)
    requests.get(url, auth=vk.auth.ClientCredentials(f"{url}/token", "key", "made-up"), timeout=60)
    token = auth.sign_jwt({"reference": "ORDER-1"}, "made-up", expires_in=60)
    assert_type(auth.verify_jwt(token, "made-up"), dict[str, Any])
    notification = auth.verify_notification(body, "made-up")
    assert_type(notification, Notification)
    return answer.status_code


def looking(client: vk.Client, frame: pd.DataFrame) -> list[str]:
    """Panels: what can be clicked can be called, and what was fetched is a value."""
    connecting = vk.connect_panel("medipim")
    connecting.choose(environment="local", country="fr")
    connecting.start()
    connecting.join()
    asking = vk.panel(connecting.client or client)
    form = asking.choose("products")
    form.conditions.add("brand", "9, 12")
    form.conditions.add_group().choose("any")
    form.limit.box.value = "50"
    asking.count()
    asking.fetch()
    asking.join(timeout_s=10)
    assert_type(asking.frame, pd.DataFrame | None)
    assert_type(asking.query, vk.Query)
    browser = vk.browse(client, "/api/titles/42")
    browser.follow("assets")
    browser.turn(1)
    browser.join()
    assert_type(browser.frame, pd.DataFrame | None)
    assert_type(browser.query, vk.Query | None)
    table = vk.table(frame if browser.frame is None else browser.frame, page_size=10)
    table.filter("vit")
    table.sort("id", descending=True)
    table.choose(["id", "name_fr"])
    table.save("ships.csv")
    assert_type(table.frame, pd.DataFrame)
    return [asking.snippet("curl"), repr(browser)]


def failing(query: vk.Query, stop: threading.Event) -> pd.DataFrame:
    """The error tree: one base, and what an error carries."""
    try:
        with vk.cancellable(stop):
            return query.frame()
    except IncompletePull as exc:
        return pd.DataFrame() if exc.arrived is None else pd.DataFrame(exc.arrived)
    except RateLimited as exc:
        assert_type(exc.retry_after_s, float | None)
    except InvalidRequest as exc:
        assert_type(exc.violations, tuple[str, ...])
    except (AuthError, Cancelled, UsageError):
        raise
    except VendorkitError as exc:
        assert_type((exc.what, exc.remedy), tuple[str, str])
    return pd.DataFrame()


def serving() -> str:
    """The mock servers, and the certificates of a host."""
    with local.start(vendors=("medipim",)) as servers:
        servers["medipim"].set(latency_s=0.1)
        assert_type(servers["medipim"].requests, int)
    assert_type(vk.chain("medipim.example"), pd.DataFrame)
    return servers["medipim"].base_url
