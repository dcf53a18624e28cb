"""Medipim end to end on the mock server: pages, the window, the stream, filters, and what goes wrong."""

from __future__ import annotations

import json
import re
import warnings
from contextlib import nullcontext

import pandas as pd
import pytest

import vendorkit as vk
from vendorkit import local
from vendorkit.ask import Ask
from vendorkit.errors import (
    CredentialsRefused,
    IncompletePull,
    InvalidRequest,
    NotAllowed,
    NotFound,
    SettingsError,
    UsageError,
    VendorUnavailable,
)
from vendorkit.frames import page_of
from vendorkit.resource import NEXT
from vendorkit.vendors.declared import read_countries, read_resources
from vendorkit.vendors.fetch import blocks_of_lines
from vendorkit.vendors.medipim.client import FILE
from vendorkit.vendors.medipim.paging import Whole
from vendorkit.vendors.registry import connect_local

pytestmark = pytest.mark.filterwarnings("ignore::vendorkit.frames.SchemaDrift")


BELGIAN = [name for name, one in read_resources(FILE, "be").items() if "be" in one.values.get("countries", ("be",))]


@pytest.mark.parametrize("name", BELGIAN)
def test_every_resource_is_a_whole_frame_of_the_declared_columns(medipim, name):
    """One row per record, declared columns first, the same dtypes for no rows."""
    resource = getattr(medipim, name)
    query = resource.query()
    frame = query.frame()
    declared = query.schema.arrow.names
    assert len(frame) == query.count() > 0
    assert list(frame.columns[: len(declared)]) == declared
    assert all(column.endswith("__raw") or "__" not in column for column in frame.columns)
    empty = query.frame(limit=0)
    assert len(empty) == 0
    assert empty.dtypes[declared].to_dict() == frame.dtypes[declared].to_dict()
    assert frame.attrs["vendorkit"]["complete"] is True
    json.dumps(frame.attrs)


def test_products_are_all_there_once_in_the_vendors_order(medipim):
    """20 pages of 250, ids unique and ascending as asked."""
    frame = medipim.products.query().frame(columns=["id"])
    assert len(frame) == 5000
    assert frame["id"].is_unique
    assert frame["id"].is_monotonic_increasing
    assert frame.attrs["vendorkit"]["pages"] == 20


def test_values_keep_what_they_are(medipim):
    """Leading zeros, big integers beside nulls, times in UTC, missing against empty."""
    frame = medipim.products.query().frame()
    assert frame["cnk"].str.startswith("0").any()
    assert (frame["manufacturer_price"] == 2**53 + 1).any()
    assert frame["updated_at"].dt.tz is not None
    assert frame["created_at"].isna().any()
    assert frame["ean"].dtype.pyarrow_dtype.value_type == "string"


def test_records_are_as_the_vendor_sent_them(medipim):
    """The same records as in the frame, camelCase and nested."""
    records = list(medipim.products.query(brand=9).records())
    frame = medipim.products.query(brand=9).frame()
    assert [record["id"] for record in records] == list(frame["id"])
    assert "eanGtin13" in records[0]


def test_batches_have_the_frames_columns(medipim):
    """The iterator for bounded memory gives the same rows."""
    query = medipim.brands.query()
    batches = list(query.batches(columns=["id", "name"]))
    assert sum(batch.num_rows for batch in batches) == len(query.frame())
    assert batches[0].schema.names == ["id", "name"]


def test_tables_are_tidy_and_keyed_by_parent(medipim):
    """Every nested list is a child table whose keys are in the parent table."""
    tables = medipim.products.query(brand=9).tables()
    products = tables["products"]
    assert {"product_photos", "product_descriptions", "product_brands", "product_ean"} <= set(tables)
    for name, table in tables.items():
        if name.startswith("product_"):
            assert set(table["product_id"]) <= set(products["id"]), name
    brands = tables["product_brands"]
    assert "9" in set(brands["id"])


def test_columns_and_locale_are_a_smaller_frame_with_the_same_values(medipim):
    """A projection changes which columns, never what they hold."""
    query = medipim.products.query(brand=9)
    whole, part = query.frame(), query.frame(columns=["id", "name_fr", "public_price"])
    pd.testing.assert_frame_equal(whole[["id", "name_fr", "public_price"]], part)
    french = query.frame(columns=["name"], locale="fr")["name"]
    expected = whole["name_fr"].fillna(whole["name_nl"]).fillna(whole["name_en"]).fillna(whole["name_de"])
    assert list(french.fillna("-")) == list(expected.fillna("-"))


def test_filters_are_sent_in_the_vendors_words(medipim):
    """snake_case and the vendor's own spelling mean the same; several are joined by and."""
    query = medipim.products.query(brand="9", updatedSince="2026-01-01", status=["active", "inactive"])
    assert query.describe()["json"]["filter"] == {
        "and": [{"brand": 9}, {"updatedSince": 1767225600}, {"status": ["active", "inactive"]}]
    }
    same = medipim.products.query(brand=9, updated_since=1767225600, status=["active", "inactive"])
    assert same.describe() == query.describe()


def test_nested_filters_reach_the_vendor(medipim):
    """and, or, not as the vendor documents them."""
    both = medipim.products.query(where={"or": [{"brand": 9}, {"brand": 8}]}).count()
    assert both == medipim.products.query(brand=[8, 9]).count() > 0
    assert medipim.products.query(where={"not": {"brand": [8, 9]}}).count() == 5000 - both


def test_sorting_descends_with_a_minus(medipim):
    """`-createdAt`: newest first."""
    frame = medipim.products.query(sort="-createdAt").frame(limit=50, columns=["created_at"])
    assert frame["created_at"].dropna().is_monotonic_decreasing


def test_browsing_reports_why_the_vendor_refused_a_request(medipim):
    """The refusal is a ValueError too, but not one of a response that cannot be read."""
    with pytest.raises(InvalidRequest, match="takes POST, not GET"):
        medipim.browsing.read(medipim.browsing.at("/v4/products/create"))


def test_lookups_are_sorted_by_name_too(medipim):
    """Only products take a locale with it."""
    names = medipim.brands.query(sort="-name").frame(columns=["name"], locale="nl")["name"]
    assert list(names) == sorted(names, reverse=True)
    assert len(medipim.products.query(sort="name").frame(limit=10)) == 10


def test_a_sort_key_of_another_country_is_refused(medipim):
    """`pbs` is a code of Australia's products only; see test_each_country_has_its_codes_and_locales."""
    with pytest.raises(UsageError, match="products has no sort key 'pbs'"):
        medipim.products.query(sort="pbs")


def test_the_total_of_a_response_without_pages_counts():
    """A response with fewer records than it announces is incomplete."""
    flow = Whole("correction_types", "/v4/corrections/types", "GET", "id", "results").pages(Ask("correction_types"))
    assert (next(flow)[0].url, next(flow)) == ("/v4/corrections/types", NEXT)
    assert flow.send(page_of([{"id": "a"}], envelope={"meta": {"total": 2}})).total == 2


@pytest.mark.parametrize(("limit", "size"), [(5, 10), (50, 50), (60, 100), (251, 250)])
def test_limit_asks_for_no_more_than_it_needs(medipim, vendors, limit, size):
    """The smallest of the vendor's page sizes that will do."""
    vendors["medipim"].clear_log()
    frame = medipim.products.query().frame(limit=limit)
    assert len(frame) == limit
    assert vendors["medipim"].requests == -(-limit // size)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"brnd": 9}, "Did you mean brand"),
        ({"ean": 3282770114577}, "a string"),
        ({"brand": "nine"}, r"a brand id \(whole number\), not 'nine'"),
        ({"brand": True}, r"a brand id \(whole number\), not True"),
        ({"status": "gone"}, "one of active"),
        ({"minimum_content": 1}, "True or False"),
        ({"created_at": "yesterday"}, "ISO 8601"),
        ({"created_at": {"since": 1}}, "pair"),
        ({"sort": "price"}, "Available: id"),
        ({"where": {"brnd": 9}}, "Did you mean brand"),
        ({"where": {"brand": 9, "status": "active"}}, "one key"),
        ({"where": {"and": {"brand": 9}}}, "list"),
        ({"expand": ["brand"]}, "There are none"),
        ({"accept": "xml"}, "json"),
    ],
)
def test_wrong_query_is_refused_before_anything_is_sent(medipim, vendors, wrong, said):
    """One sentence of cause, one that helps."""
    vendors["medipim"].clear_log()
    with pytest.raises(UsageError, match=said):
        medipim.products.query(**wrong)
    assert vendors["medipim"].requests == 0


def test_unknown_column_locale_and_limit_are_refused(medipim):
    """Before anything is sent as well."""
    query = medipim.products.query()
    for wrong in ({"columns": ["nmae"]}, {"locale": "it"}, {"limit": -1}):
        with pytest.raises(UsageError):
            query.frame(**wrong)


def test_get_gives_one_record_or_not_found(medipim):
    """`find` where the vendor has it, a query by id where it has not."""
    assert medipim.brands.get(9)["id"] == 9
    assert medipim.public_categories.get("12")["id"] == 12
    product = next(medipim.products.query().records(limit=1))
    assert medipim.products.get(product["id"])["id"] == product["id"]
    first = next(medipim.organizations.query().records())
    assert medipim.organizations.get(first["id"]) == first
    for absent in (lambda: medipim.brands.get(999_999), lambda: medipim.public_categories.get(999_999)):
        with pytest.raises(NotFound):
            absent()


def test_raw_get_and_post_give_the_vendors_answer(medipim):
    """Any path; a POST that reads needs no permission, one that writes does."""
    assert medipim.get("/v4/brands/find", params={"id": 9}).json()["brand"]["id"] == 9
    assert medipim.post("/v4/brands/query", json={}).json()["meta"]["total"] == 300
    with pytest.raises(NotAllowed, match="writable=True"):
        medipim.post("/v4/brands/create", json={"name": "X"})


@pytest.mark.parametrize(
    "path",
    [
        *("/v4/brands/create?x=/query", "/v4/brands/create#/query", "/v4/brands/create/../create#/stream"),
        *("/v4/products/delete/query", "/v4/products/delete/stream", "/v4/brands/stream", "/v4/products/find"),
        *("/v4/products/query/", "/v4//products/query", "/V4/products/query", "/v4/products/Query"),
        *("/v4/products/query/../delete", "/v4/products/query/%2e%2e/delete", "/v4/products/delete/%2E%2e/query"),
        *("/v4/products%2Fquery", "/v4/products/query%2f", "/v4/products/query;x=1", "/v4/products/query%00"),
        *("/v4/products\\query", "v4/v4/products/query", "/v4/products/query%20", "/%76%34/products/query/x"),
    ],
)
def test_a_path_that_is_only_like_one_that_reads_is_not_sent(medipim, vendors, path):
    """The paths that read are known; a server may take an address like one of them for another."""
    with pytest.raises(NotAllowed, match="writable=True"):
        medipim.post(path, json={"name": "X"})
    assert vendors["medipim"].requests == 0


@pytest.mark.parametrize(
    "path", ["/v4/brands/query?x=1", " /v4/brands/query ", "/v4/x/../brands/query", "v4/brands/query"]
)
def test_a_path_that_is_sent_as_one_that_reads_is_sent(medipim, path):
    """It is compared as it leaves, with the main host before it or without."""
    for one in (path, f"{medipim.base_url}/{path.strip().removeprefix('/')}"):
        assert medipim.post(one, json={}).json()["meta"]["total"] == 300


def test_refused_query_names_the_violation(medipim, vendors):
    """422 with the vendor's own list, in either place."""
    for inside in (True, False):
        vendors["medipim"].set(violations_inside_error=inside)
        with pytest.raises(InvalidRequest) as caught:
            medipim.post("/v4/products/query", json={"filter": {}, "sorting": {"id": "ASC"}, "page": {"size": 7}})
        assert any("page.size" in violation for violation in caught.value.violations)


def test_wrong_secret_is_one_clear_error(vendors, monkeypatch):
    """Cause, remedy, no secret."""
    from vendorkit.vendors import registry

    def wrong(vendor, country):
        endpoint, settings = original(vendor, country)
        return endpoint, registry._with_values(settings, {"MEDIPIM_API_KEY_SECRET": "not-the-secret"})

    original = registry._local
    monkeypatch.setattr(registry, "_local", wrong)
    with pytest.raises(CredentialsRefused, match="Check the user or key and its secret") as caught:
        vk.connect("medipim", environment="local").brands.query().frame()
    assert "not-the-secret" not in str(caught.value)


def test_missing_variables_are_named_together():
    """All of them at once, with where was looked."""
    with pytest.raises(SettingsError, match="MEDIPIM_API_KEY_ID, MEDIPIM_API_KEY_SECRET"):
        vk.connect("medipim", environment="sandbox")


def test_environment_and_country_choose_the_host(monkeypatch):
    """Hosts of the vendor's table; a base URL with /v4 is accepted as well."""
    monkeypatch.setenv("MEDIPIM_API_KEY_ID", "42")
    monkeypatch.setenv("MEDIPIM_API_KEY_SECRET", "made-up-words")
    assert vk.connect("medipim", environment="production").endpoint.base_url == "https://api.medipim.be"
    monkeypatch.setenv("MEDIPIM_COUNTRY", "au")
    assert vk.connect("medipim", environment="sandbox").endpoint.base_url == "https://api.sandbox.au.medipim.com"
    monkeypatch.setenv("MEDIPIM_BASE_URL", "https://api.sandbox.medipim.fr/v4/")
    assert vk.connect("medipim", environment="sandbox").endpoint.base_url == "https://api.sandbox.medipim.fr"
    monkeypatch.setenv("MEDIPIM_BASE_URL", "http://api.medipim.be")
    with pytest.raises(SettingsError, match="MEDIPIM_BASE_URL"):
        vk.connect("medipim", environment="sandbox")
    with pytest.raises(UsageError, match="Did you mean sandbox"):
        vk.connect("medipim", environment="sandbx")
    with pytest.raises(UsageError, match="country"):
        vk.connect("medipim", country="nl")


def test_rate_budget_is_the_vendors_outside_the_local_environment(monkeypatch):
    """100 a minute are documented; a few are left."""
    monkeypatch.setenv("MEDIPIM_API_KEY_ID", "42")
    monkeypatch.setenv("MEDIPIM_API_KEY_SECRET", "made-up-words")
    assert vk.connect("medipim", environment="sandbox").session.budget.rates == ((97, 60.0),)


@pytest.fixture(scope="module")
def large():
    """A mock server with more products than the window shows."""
    with local.start(vendors=("medipim",), products=10_600) as running:
        yield running


@pytest.fixture
def beyond(large, monkeypatch):
    """A client of it."""
    monkeypatch.setattr(local, "shared", lambda *_: large)
    large["medipim"].set(fail_next=[])
    return vk.connect("medipim", environment="local")


def test_pull_past_the_window_switches_to_the_stream(beyond, large):
    """10,600 products where pages would show 10,000."""
    large["medipim"].clear_log()
    frame = beyond.products.query().frame(columns=["id"])
    assert len(frame) == 10_600
    assert frame["id"].is_unique
    assert frame.attrs["vendorkit"]["total"] == 10_600
    assert [entry["path"] for entry in large["medipim"].log()] == ["/v4/products/query", "/v4/products/stream"]


def test_count_past_the_window_is_the_streams(beyond):
    """Pages say 10,000 for all that is more."""
    assert beyond.products.query().count() == 10_600


def test_stream_gives_the_same_records_as_dicts(beyond):
    """records() past the window."""
    assert sum(1 for _ in beyond.products.query().records()) == 10_600


def test_stream_that_breaks_off_is_an_incomplete_pull(beyond, large):
    """T04, P24: what arrived is kept and said to be incomplete."""
    large["medipim"].set(fail_next=["", "truncate:6000000"])
    with pytest.raises(IncompletePull) as caught:
        beyond.products.query().frame(columns=["id"])
    arrived = caught.value.arrived
    assert 0 < len(arrived) < 10_600
    assert arrived.attrs["vendorkit"]["complete"] is False


def test_page_that_fails_in_the_middle_is_an_incomplete_pull(medipim, monkeypatch):
    """T17: the pages before the one that never came are handed over, in order."""
    send = medipim.session.send

    def failing(call):
        if call.json["page"]["no"] == 7:
            what = "Page 7 is down."
            raise VendorUnavailable(what, remedy="Wait.")
        return send(call)

    monkeypatch.setattr(medipim.session, "send", failing)
    with pytest.raises(IncompletePull, match="1,750 rows") as caught:
        medipim.products.query().frame(columns=["id"])
    assert len(caught.value.arrived) == 1750
    assert caught.value.arrived["id"].is_monotonic_increasing


def test_passing_faults_are_not_seen(medipim, vendors):
    """A drop, a truncated page, a server error: each page is asked again, every record comes once."""
    vendors["medipim"].set(fail_next=["drop", "", "truncate", "503", "", "gzip-cut"])
    frame = medipim.products.query().frame(columns=["id"])
    assert len(frame) == 5000
    assert frame["id"].is_unique


def test_blocks_of_a_stream_end_with_lines():
    """Chunks are cut where lines end, wherever the network cut them; nothing is lost."""
    text = b"".join(b'{"n": %d}\n' % n for n in range(900_000))
    parts = [text[i : i + 99_991] for i in range(0, len(text), 99_991)]
    blocks = list(blocks_of_lines(iter(parts)))
    assert b"".join(blocks) == text
    assert len(blocks) > 1
    assert all(block.endswith(b"\n") for block in blocks)


@pytest.mark.parametrize("end", [b'{"n"', b"", b" \n\r\n"])
@pytest.mark.parametrize("is_broken", [True, False])
def test_whole_lines_of_a_stream_are_not_lost_with_the_line_that_is_cut(end, is_broken):
    """They are a block of their own, whether the vendor or the network ended the stream. Blank lines are none."""

    def chunks():
        yield b"\n"
        yield b'{"n": 0}\n'
        yield from (b'{"n": 1}\n{"n"', b": 2}\n" + end)
        if is_broken:
            what = "The stream broke off."
            raise VendorUnavailable(what, remedy="Wait.")

    blocks = blocks_of_lines(chunks())
    assert next(blocks) == b'\n{"n": 0}\n'
    assert next(blocks).strip() == b'{"n": 1}\n{"n": 2}'
    with pytest.raises(VendorUnavailable) if is_broken else nullcontext():
        assert list(blocks) == [end] * (end[:1] == b"{")


@pytest.mark.parametrize("country", sorted(set(read_countries(FILE)) - {"be"}))
def test_each_country_has_its_codes_and_locales(country, monkeypatch):
    """Identifiers and locales of the vendor's table."""
    with local.start(vendors=("medipim",), products=300, country=country) as running:
        monkeypatch.setattr(local, "shared", lambda *_: running)
        client = vk.connect("medipim", environment="local", country=country)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            frame = client.products.query().frame()
        locales = read_countries(FILE)[country]["locales"]
        assert {f"name_{locale}" for locale in locales} <= set(frame.columns)
        assert ("pbs" in client.declared["products"].sort_keys) is (country == "au")
        assert len(frame) == 300


def test_query_shows_itself_without_sending(medipim, vendors):
    """repr, request and snippet send nothing and show no credential."""
    vendors["medipim"].clear_log()
    query = medipim.products.query(brand=9)
    shown = [repr(query), str(query.request().headers), *(query.snippet(name) for name in ("curl", "python", "php"))]
    secret = vendors["medipim"].credentials["MEDIPIM_API_KEY_SECRET"]
    assert not any(secret in text for text in shown)
    assert query.request().headers["Authorization"] == "***"
    assert vendors["medipim"].requests == 0
    assert "MEDIPIM_API_KEY_SECRET" in query.snippet("curl")
    with pytest.raises(UsageError, match="There is no snippet"):
        query.snippet("perl")


@pytest.mark.filterwarnings("error::vendorkit.frames.SchemaDrift")
@pytest.mark.parametrize("country", ["be", "fr"])
def test_national_lists_are_those_of_the_country(country):
    """Categories, news and the filters of organizations; products and lists have no undeclared field."""
    own = {"be": ["bcfi_categories"], "fr": ["osp_categories", "medipim_categories"]}[country]
    with local.start(vendors=("medipim",), country=country, products=40) as servers:
        client = connect_local("medipim", servers, country=country)
        assert {name for name in client.declared if re.match("bcfi|osp|medipim", name)} == set(own)
        for name in own:
            frame = getattr(client, name).query().frame()
            assert set(frame["parent"].dropna()) < set(frame["id"])
            assert getattr(client, name).get(frame["id"].iloc[3])["id"] == frame["id"].iloc[3]
        number = {"be": "rizivNr", "fr": "finessNr"}[country]
        assert client.organizations.query(**{number: "123"}).frame().empty
        client.products.query().frame()
        assert client.updates.query(newsType="brand", createdAt=("2020-01-01", "2030-01-01")).count() == 15


def test_corrections_have_a_record_a_sort_key_and_kinds(medipim):
    """`handled` covers solved and closed ones (inferred); the only sort key is touchedAt."""
    frame = medipim.corrections.query(status="handled", sort="-touchedAt").frame()
    assert set(frame["status"]) == {"solved", "closed"}
    assert frame["updated_at"].is_monotonic_decreasing
    assert medipim.corrections.get(frame["id"].iloc[0])["status"] in {"solved", "closed"}
    assert set(frame["type"]) <= set(medipim.correction_types.query().frame()["id"])
    assert medipim.correction_types.get("wrong_photo")["id"] == "wrong_photo"
    with pytest.raises(NotFound):
        medipim.correction_types.get("no such type")


def test_fields_are_a_frame(medipim):
    """The codes that hasContent takes; equal to the raw answer."""
    frame = medipim.product_fields.query().frame()
    raw = medipim.get("/v4/products/get-fields").json()["fields"]
    assert frame["code"].tolist() == [one["code"] for one in raw]
    assert frame["is_localized"].tolist() == [one["isLocalized"] for one in raw]
    assert medipim.media_fields.get("photoType")["type"] == "enum"


def test_secrets_of_keys_are_masked_before_anything_sees_them(medipim):
    """In frames, records, tables, raw answers and the browser; an answer that is no JSON is withheld."""
    query = medipim.subscriptions.query(type="supplier")
    raw = medipim.post("/v4/organizations/check/subscription", json={"filter": {}})
    shown = [query.frame().to_json(), str(list(query.records())), raw.text, str(query.tables())]
    shown.append(str(medipim.browsing.read(medipim.browsing.at("/v4/organizations/check/subscription"))))
    keys = [key for one in raw.json() for key in one["apiKeys"]]
    assert {key["secret"] for key in keys} == {"***"}
    assert not [text for text in shown if "9e3779b97f4a7c15" in text]
    path = "/v4/organizations/check/subscription"
    assert b"abc" not in medipim.clean_answer(path, b'[{"apiKeys": [{"secret": "abc", ')
    assert medipim.clean_answer(path, b'{"s\\u0065cret": "abc"}') == b'{"secret": "***"}'


# The rate budget decides between pages and the stream


def limit_to(client, monkeypatch, requests):
    """Give a client's budget so many requests per minute, for this process only."""
    budget = client.session.budget
    monkeypatch.setattr(budget, "rates", ((requests, 60.0),))
    monkeypatch.setattr(budget, "_shared_as", None)
    budget.begin()


@pytest.mark.parametrize("verb", ["frame", "records", "batches"])
def test_stream_takes_the_place_of_pages_that_would_wait_for_the_budget(medipim, vendors, monkeypatch, verb):
    """5,000 products are 20 pages; the budget is for one download in pages, and a few requests more."""
    query = medipim.products.query()
    before = query.frame(columns=["id"])["id"].tolist()
    limit_to(medipim, monkeypatch, 24)
    assert (
        query.frame(columns=["id"])["id"].tolist() == before
    )  # in pages; one more asks whether records came meanwhile
    vendors["medipim"].clear_log()
    found = {
        "frame": lambda: [*query.frame(columns=["id"])["id"]],
        "records": lambda: [one["id"] for one in query.records()],
        "batches": lambda: [one for batch in query.batches(columns=["id"]) for one in batch["id"].to_pylist()],
    }[verb]()
    assert [one["path"] for one in vendors["medipim"].log()][:2] == ["/v4/products/query", "/v4/products/stream"]
    assert found == before


@pytest.mark.parametrize(("left", "limit", "strategy"), [(2, None, "stream"), (2, 500, "pages"), (20, None, "pages")])
def test_plan_says_whether_pages_or_the_stream_is_quicker(medipim, monkeypatch, left, limit, strategy):
    """Two pages are as quick as the stream, whatever is left."""
    limit_to(medipim, monkeypatch, 100)
    monkeypatch.setattr(medipim.session.budget, "left", lambda: left)
    plan = medipim.products.query().plan(limit=limit)
    assert plan.strategy == strategy
    assert plan.requests == {"stream": 2, "pages": 2 if limit else 20}[strategy]
    assert ("would wait for the rate budget, which has 2 requests left" in plan.why) is (strategy == "stream")


def test_windows_that_were_chosen_are_not_replaced_by_the_stream(medipim, monkeypatch):
    """They can be resumed, and their rows are in another order."""
    limit_to(medipim, monkeypatch, 100)
    monkeypatch.setattr(medipim.session.budget, "left", lambda: 2)
    assert medipim.products.query(strategy="windows").plan().strategy == "pages"
