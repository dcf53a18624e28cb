"""Public functions accept arguments of every kind or raise one `UsageError` that says which values are valid."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd
import pytest

import vendorkit as vk
from tests.argument_values import VALUES
from vendorkit import local
from vendorkit.errors import UsageError, VendorkitError
from vendorkit.http.call import Call
from vendorkit.http.session import Session

pytestmark = pytest.mark.filterwarnings("ignore::vendorkit.frames.SchemaDrift")


class SentError(Exception):
    """Ends a call that would send a request: its arguments were accepted."""


@dataclass(frozen=True)
class Clients:
    """One client per vendor, none of which sends anything, and a dataset."""

    medipim: Any
    pledg: Any
    mediagenix: Any
    sent: list[Call]
    dataset: vk.Dataset


@pytest.fixture(scope="module")
def clients(servers, tmp_path_factory):
    """Clients that prepare and note each request, but do not send it."""
    sent: list[Call] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "shared", lambda *_: servers)
        made = [vk.connect(name, environment="local", writable=True) for name in ("medipim", "pledg", "mediagenix")]
        dataset = made[0].brands.query(id=[9, 10]).save(tmp_path_factory.mktemp("saved"))
        for client in made:
            for name in ("send", "stream"):
                patch.setattr(client.session, name, partial(catch, client.session, sent))
        yield Clients(*made, sent, dataset)


def catch(session: Session, sent: list[Call], call: Call) -> None:
    """Prepare a request as for sending, and note it."""
    session.prepare(call)
    json.dumps(call.json, allow_nan=False)
    sent.append(call)
    raise SentError


SETTINGS = {"merchantUid": "mer_1", "amountCents": 100}
PLEDG_FILTERS = ("amount_cents", "created", "merchant_uid")


def plan(clients: Clients, **changed: Any) -> Any:
    """Build a query of Pledg with one argument changed."""
    return clients.pledg.payment_schedule.query(**{"amount_cents": 100, "created": "2026-01-31", **changed})


CALLS: dict[str, Callable[[Clients, Any], Any]] = {
    "connect(vendor)": lambda c, v: vk.connect(v),
    "connect(environment=)": lambda c, v: vk.connect("medipim", environment=v),
    "connect(country=)": lambda c, v: vk.connect("medipim", country=v),
    "connect(writable=)": lambda c, v: vk.connect("medipim", writable=v),
    "connect(policy=)": lambda c, v: vk.connect("medipim", policy=v),
    "query(brand=)": lambda c, v: c.medipim.products.query(brand=v).frame(),
    "query(status=)": lambda c, v: c.medipim.products.query(status=v).frame(),
    "query(cnk=)": lambda c, v: c.medipim.products.query(cnk=v).frame(),
    "query(minimum_content=)": lambda c, v: c.medipim.products.query(minimum_content=v).frame(),
    "query(created_at=)": lambda c, v: c.medipim.products.query(created_at=v).frame(),
    "query(created_at=pair)": lambda c, v: c.medipim.products.query(created_at=(v, None)).frame(),
    "query(has_content=)": lambda c, v: c.medipim.products.query(has_content=v).frame(),
    "query(search=object)": lambda c, v: c.medipim.products.query(search={"query": v, "locale": "fr"}).frame(),
    "query(search=)": lambda c, v: c.medipim.brands.query(search=v).frame(),
    "query(where=)": lambda c, v: c.medipim.products.query(where=v).frame(),
    "query(where=leaf)": lambda c, v: c.medipim.products.query(where={"not": {"brand": v}}).frame(),
    "query(where=time)": lambda c, v: c.medipim.products.query(where={"createdAt": {"from": v}}).frame(),
    "query(where=list)": lambda c, v: c.medipim.products.query(where={"or": v}).frame(),
    "query(sort=)": lambda c, v: c.medipim.products.query(sort=v).frame(),
    "query(since=)": lambda c, v: c.medipim.products.query(since=v).frame(),
    "query(strategy=)": lambda c, v: c.medipim.products.query(strategy=v).frame(),
    "query(accept=)": lambda c, v: c.mediagenix.titles.query(accept=v).frame(),
    "query(expand=)": lambda c, v: c.mediagenix.titles.query(expand=v).frame(),
    "query(external_id=)": lambda c, v: c.mediagenix.titles.query(external_id=v).frame(),
    "query(title=)": lambda c, v: c.mediagenix.schedulings.query(title=v).frame(),
    "query(newer_than=)": lambda c, v: c.mediagenix.events.query(newer_than=v).frame(),
    "query(event_type=)": lambda c, v: c.mediagenix.events.query(event_type=v).frame(),
    **{f"query({name}=)": lambda c, v, name=name: plan(c, **{name: v}).frame() for name in PLEDG_FILTERS},
    "query(company_uid=)": lambda c, v: c.pledg.company_plans.query(
        amount_cents=1, created="2026-01-31", company_uid=v
    ).frame(),
    **{
        f"{verb}({name}=)": lambda c, v, verb=verb, name=name: list(
            getattr(c.medipim.brands.query(), verb)(**{name: v})
        )
        for verb, names in {
            "frame": ("columns", "limit", "locale"),
            "tables": ("columns", "limit", "locale"),
            "batches": ("columns", "limit", "locale"),
            "records": ("limit",),
        }.items()
        for name in names
    },
    "plan(limit=)": lambda c, v: c.medipim.brands.query().plan(limit=v),
    "save(path)": lambda c, v: c.medipim.brands.query().save(v),
    "save(columns=)": lambda c, v: c.medipim.brands.query().save("saved", columns=v),
    "save(locale=)": lambda c, v: c.medipim.brands.query().save("saved", locale=v),
    "update(path)": lambda c, v: c.medipim.products.query().update(v),
    "load(path)": lambda c, v: vk.load(v),
    "load(columns=)": lambda c, v: vk.load("nowhere", columns=v),
    "load(partial=)": lambda c, v: vk.load("nowhere", partial=v),
    "load(version=)": lambda c, v: vk.load("nowhere", version=v),
    "load(filters=)": lambda c, v: vk.load("nowhere", filters=v),
    "load(filters=value)": lambda c, v: vk.load("nowhere", filters=[("id", "==", v)]),
    "load(columns=), of a dataset": lambda c, v: vk.load(c.dataset.path, columns=v),
    "load(partial=), of a dataset": lambda c, v: vk.load(c.dataset.path, partial=v),
    "load(version=), of a dataset": lambda c, v: vk.load(c.dataset.path, version=v),
    "load(filters=), of a dataset": lambda c, v: vk.load(c.dataset.path, filters=v),
    "load(filters=condition), of a dataset": lambda c, v: vk.load(c.dataset.path, filters=[v]),
    "load(filters=column), of a dataset": lambda c, v: vk.load(c.dataset.path, filters=[(v, "==", "9")]),
    "load(filters=operator), of a dataset": lambda c, v: vk.load(c.dataset.path, filters=[("id", v, "9")]),
    "load(filters=value), of a dataset": lambda c, v: vk.load(c.dataset.path, filters=[("id", "==", v)]),
    "load(filters=values), of a dataset": lambda c, v: vk.load(c.dataset.path, filters=[("id", "in", [v])]),
    "dataset.frame(columns=)": lambda c, v: c.dataset.frame(columns=v),
    "dataset.changes(since)": lambda c, v: c.dataset.changes(v),
    "dataset.changes(columns=)": lambda c, v: c.dataset.changes(0, columns=v),
    "dataset.compact(keep_days)": lambda c, v: c.dataset.compact(v),
    "for_each(df)": lambda c, v: c.medipim.brands.for_each(v, id="id"),
    "for_each(filter)": lambda c, v: c.medipim.brands.for_each(pd.DataFrame({"id": [1]}), id="id", search=v),
    "for_each(values)": lambda c, v: c.medipim.products.for_each(pd.DataFrame({"a": [v]}, dtype="object"), brand="a"),
    "for_each(limit=)": lambda c, v: c.medipim.brands.for_each(pd.DataFrame({"id": [1]}), id="id", limit=v),
    "for_each(prefix=)": lambda c, v: c.medipim.brands.for_each(pd.DataFrame({"id": [1]}), id="id", prefix=v),
    "for_each(nested=)": lambda c, v: c.medipim.brands.for_each(pd.DataFrame({"id": [1]}), id="id", nested=v),
    "frame(nested=)": lambda c, v: c.medipim.brands.query().frame(nested=v),
    "batches(nested=)": lambda c, v: list(c.medipim.brands.query().batches(nested=v)),
    "saved_requests(path)": lambda c, v: vk.saved_requests(v, c.medipim),
    "saved_requests(client)": lambda c, v: vk.saved_requests("nowhere.http", v),
    "client.request(method)": lambda c, v: c.medipim.request(v, "/v4/brands/query"),
    "client.request(path)": lambda c, v: c.medipim.request("DELETE", v),
    "client.request(json=)": lambda c, v: c.medipim.request("PUT", "/v4/brands/query", json=v),
    "exports.read(file)": lambda c, v: c.pledg.exports.read(v),
    "exports.cents(frame)": lambda c, v: c.pledg.exports.cents(v, "a"),
    "exports.cents(column)": lambda c, v: c.pledg.exports.cents(pd.DataFrame({"a": ["1,00"]}), v),
    "exports.cents(value)": lambda c, v: c.pledg.exports.cents(pd.DataFrame({"a": [v]}, dtype="object"), "a"),
    "exports.cents(decimal=)": lambda c, v: c.pledg.exports.cents(pd.DataFrame({"a": ["1,00"]}), "a", decimal=v),
    "dask(partitions)": lambda c, v: c.medipim.products.query().dask(v),
    "snippet(language)": lambda c, v: c.medipim.brands.query().snippet(v),
    "get(identifier), Medipim": lambda c, v: c.medipim.brands.get(v),
    "get(identifier), Pledg": lambda c, v: c.pledg.merchant_conditions.get(v),
    "get(identifier), Mediagenix": lambda c, v: c.mediagenix.titles.get(v),
    "client.get(path)": lambda c, v: c.medipim.get(v),
    "client.get(params=)": lambda c, v: c.medipim.get("/v4/brands/find", params=v),
    "client.get(params=value)": lambda c, v: c.medipim.get("/v4/brands/find", params={"id": v}),
    "client.get(auth=)": lambda c, v: c.medipim.get("/v4/brands/find", auth=v),
    "client.post(path)": lambda c, v: c.medipim.post(v),
    "client.post(json=)": lambda c, v: c.medipim.post("/v4/brands/query", json=v),
    "client.post(json=inside)": lambda c, v: c.medipim.post("/v4/brands/query", json={"filter": [{"id": v}]}),
    "client.post(params=)": lambda c, v: c.medipim.post("/v4/brands/query", params=v),
    "follow(link)": lambda c, v: c.mediagenix.follow(v).frame(),
    "follow(expand=)": lambda c, v: c.mediagenix.follow("/api/titles", expand=v).frame(),
    "follow(accept=)": lambda c, v: c.mediagenix.follow("/api/titles", accept=v).frame(),
    "entity(link)": lambda c, v: c.mediagenix.entity(v),
    "root(product)": lambda c, v: c.mediagenix.root(v),
    "sign(claims)": lambda c, v: c.pledg.sign(v),
    "sign(claims inside)": lambda c, v: c.pledg.sign({"data": {"amountCents": v}}),
    "sign(expires_in=)": lambda c, v: c.pledg.sign({"data": {}}, expires_in=v),
    "purchase_url(settings)": lambda c, v: c.pledg.purchase_url(v),
    "purchase_url(settings inside)": lambda c, v: c.pledg.purchase_url({**SETTINGS, "metadata": {"shop": v}}),
    "purchase_url(expires_in=)": lambda c, v: c.pledg.purchase_url(SETTINGS, expires_in=v),
    "purchase_link(settings)": lambda c, v: c.pledg.purchase_link(v),
    "purchase_link(link=)": lambda c, v: c.pledg.purchase_link(SETTINGS, link=v),
    "refund(purchase_uid)": lambda c, v: c.pledg.refund(v, 100),
    "refund(amount_cents)": lambda c, v: c.pledg.refund("pur_1", v),
    "notifications.frame(bodies)": lambda c, v: c.pledg.notifications.frame(v),
    "notifications.frame(one body)": lambda c, v: c.pledg.notifications.frame([v]),
    "notifications.verify(body)": lambda c, v: c.pledg.notifications.verify(v),
    "cancellable(event)": lambda c, v: use(vk.cancellable(v), c.medipim.brands.query()),
    "panel(client)": lambda c, v: vk.panel(v),
    "browse(client)": lambda c, v: vk.browse(v),
    "browse(start)": lambda c, v: vk.browse(c.mediagenix, v),
    "connect_panel(vendor)": lambda c, v: vk.connect_panel(v),
    "table(frame)": lambda c, v: vk.table(v),
    "auth.Basic(user)": lambda c, v: vk.auth.Basic(v, "made-up"),
    "auth.Basic(password)": lambda c, v: vk.auth.Basic("user", v),
    "auth.Digest(user)": lambda c, v: vk.auth.Digest(v, "made-up"),
    "auth.Digest(password)": lambda c, v: vk.auth.Digest("user", v),
    "auth.ClientCredentials(key)": lambda c, v: vk.auth.ClientCredentials("https://127.0.0.1/t", v, "made-up"),
    "auth.ClientCredentials(secret)": lambda c, v: vk.auth.ClientCredentials("https://127.0.0.1/t", "key", v),
    "auth.sign_jwt(claims)": lambda c, v: vk.auth.sign_jwt(v, "made-up"),
    "auth.sign_jwt(secret)": lambda c, v: vk.auth.sign_jwt({"data": {}}, v),
    "auth.sign_jwt(expires_in=)": lambda c, v: vk.auth.sign_jwt({"data": {}}, "made-up", expires_in=v),
    "auth.verify_jwt(token)": lambda c, v: vk.auth.verify_jwt(v, "made-up"),
    "auth.verify_jwt(secret)": lambda c, v: vk.auth.verify_jwt("a.b.c", v),
    "auth.verify_notification(body)": lambda c, v: vk.auth.verify_notification(v, "made-up"),
    "auth.verify_notification(secret)": lambda c, v: vk.auth.verify_notification("{}", v),
}


def use(block: Any, query: Any) -> None:
    """Run a query inside a block."""
    with block:
        query.frame()


def outcome(call: Callable[[Clients, Any], Any], clients: Clients, value: Any) -> str:
    """Return the complaint about one call: a bare error, a `UsageError` after a request, or a message in two lines."""
    clients.sent.clear()
    try:
        call(clients, value)
    except SentError:
        return ""
    except UsageError as exc:
        if clients.sent:
            return f"sent, then: {exc}"
        return "" if "\n" not in str(exc) and 20 < len(str(exc)) < 800 else f"worded: {exc}"
    except VendorkitError:
        return ""
    except Exception as exc:  # noqa: BLE001 - it is what this test looks for
        return f"{type(exc).__name__}: {exc}"[:200]
    return ""


@pytest.mark.parametrize("called", CALLS)
def test_any_arguments_work_or_give_one_usage_error(called, clients):
    """Public functions raise no bare error, and send nothing before a `UsageError`."""
    # A log of notifications may be endless.
    kinds = VALUES.keys() - ({"endless"} if called == "notifications.frame(bodies)" else set())
    complaints = {name: text for name in kinds if (text := outcome(CALLS[called], clients, VALUES[name]()))}
    assert not complaints, "\n".join(f"{name}: {text}" for name, text in complaints.items())


@pytest.mark.parametrize("kind", [name for name, value in VALUES.items() if not isinstance(value(), str)])
def test_chain_of_what_names_no_host_is_refused(kind):
    """A host of the wrong type is refused before any connection."""
    with pytest.raises(UsageError, match="host must be a host name"):
        vk.chain(VALUES[kind]())
