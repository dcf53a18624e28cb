"""The Medipim mock server, read by an independent client (httpx) and compared with the vendor's documents."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response

from vendorkit.local.medipim import api as medipim
from vendorkit.local.medipim import kinds
from vendorkit.local.server.settings import Settings

BASE = "https://127.0.0.1:4430"
BY_ID = {"id": "ASC"}
PICTURE_READER = {"User-Agent": "PictureReader/1.0 (reader@shop.example)"}


class Caller:
    """Sends requests to the routes, without a socket."""

    def __init__(self, **settings: Any) -> None:
        self.settings = Settings(**settings)
        api = medipim.Api(self.settings, lambda name="": f"https://{name}.example" if name else BASE, {})

        def refused(_request: Any, exc: Any) -> Response:
            return api.refusal(exc.status_code, exc.detail, exc)

        app = Starlette(routes=api.routes(), exception_handlers={HTTPException: refused})
        self.transport = httpx.ASGITransport(app=app)

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send one request."""

        async def once() -> httpx.Response:
            async with httpx.AsyncClient(transport=self.transport, base_url=BASE) as client:
                return await client.request(method, path, **options)

        return asyncio.run(once())

    def post(self, path: str, body: Any) -> httpx.Response:
        """Post a body as JSON."""
        return self.send("POST", f"/v4/{path}", json=body)

    def get(self, path: str, **params: str) -> httpx.Response:
        """Get a path of the API."""
        return self.send("GET", f"/v4/{path}", params=params)

    def page(self, filtered: Any, *, kind: str = "products", sorting: Any = None, no: int = 0, size: int = 250) -> Any:
        """Return a page of a query that must succeed."""
        body = {"filter": filtered, "sorting": sorting or BY_ID, "page": {"no": no, "size": size}}
        answer = self.post(f"{kind}/query", body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def stream(self, filtered: Any, *, kind: str = "products", sorting: Any = None) -> list[dict[str, Any]]:
        """Return the records of a stream."""
        answer = self.post(f"{kind}/stream", {"filter": filtered, "sorting": sorting or BY_ID})
        return [json.loads(line)["result"] for line in answer.content.splitlines()]

    def violation(self, path: str, body: Any) -> tuple[str, str]:
        """Return field and message of the first violation of a request that must be refused."""
        answer = self.post(path, body)
        error = answer.json()["error"]
        assert answer.status_code == error["status"] == self.settings.invalid_status
        return error["violations"][0]["field"], error["violations"][0]["message"]


@pytest.fixture(scope="module")
def caller() -> Caller:
    return Caller()


@pytest.fixture(scope="module")
def products(caller: Caller) -> list[dict[str, Any]]:
    """All 5,000 products."""
    return caller.stream({})


@pytest.fixture(scope="module")
def few() -> Caller:
    """Return a smaller mock server, for tests that read every record."""
    return Caller(products=2_100)


@pytest.fixture(scope="module")
def few_products(few: Caller) -> list[dict[str, Any]]:
    """Return all its products."""
    return few.stream({})


# -- forms of the answers


def test_a_query_answers_total_page_and_results(caller):
    """`meta` has total, number, offset and size, and a page has that number of records."""
    answer = caller.page({"status": "active"}, no=2, size=50)
    total = answer["meta"].pop("total")
    assert answer["meta"] == {"page": {"no": 2, "offset": 100, "size": 50}}
    assert len(answer["results"]) == 50 < total < 5_000


def test_pages_follow_each_other_without_gap_or_double(caller, products):
    """Twenty pages of 250 have the same records as the stream."""
    paged = [product for no in range(20) for product in caller.page({}, no=no)["results"]]
    assert paged == products
    assert caller.page({}, no=20)["results"] == []


@pytest.mark.parametrize("size", [10, 50, 100, 250])
def test_the_four_page_sizes_are_served(caller, size):
    """Each documented page size returns that number of records."""
    assert len(caller.page({}, size=size)["results"]) == size


def test_the_default_page_holds_100(caller):
    """Without a size, the vendor's default is used."""
    answer = caller.post("products/query", {"filter": {}, "sorting": BY_ID, "page": {}}).json()
    assert answer["meta"]["page"] == {"no": 0, "offset": 0, "size": 100}
    assert len(answer["results"]) == 100


@pytest.mark.parametrize("kind", ["products", "media"])
def test_stream_lines_carry_total_and_index(caller, kind):
    """Each line ends with a newline, and its index counts from 0 through the whole answer."""
    answer = caller.post(f"{kind}/stream", {"filter": {}, "sorting": {"touchedAt": "DESC"}})
    assert answer.content.endswith(b"}}\n")
    metas = [json.loads(line)["meta"] for line in answer.content.split(b"\n")[:-1]]
    total = {"products": 5_000, "media": 10_000}[kind]
    assert metas == [{"total": total, "index": n} for n in range(total)]


@pytest.mark.parametrize("kind", ["products", "media"])
def test_a_stream_of_nothing_is_204(caller, kind):
    """Without matches the answer is 204 without a body."""
    answer = caller.post(f"{kind}/stream", {"filter": {"createdAt": {"until": 1}}, "sorting": BY_ID})
    assert (answer.status_code, answer.content) == (204, b"")


def test_the_window_caps_queries_but_not_streams():
    """The total of a query is at most 10,000. A later page is empty, or refused if the switch says so."""
    caller = Caller(products=10_300)
    assert caller.page({}, no=39)["meta"]["total"] == 10_000
    assert len(caller.page({}, no=39)["results"]) == 250
    assert caller.page({}, no=40)["results"] == []
    caller.settings.beyond_window = "error"
    body = {"filter": {}, "sorting": BY_ID, "page": {"no": 40, "size": 250}}
    assert caller.violation("products/query", body)[0] == "page.no"
    assert len(caller.stream({})) == 10_300


# -- errors


@pytest.mark.parametrize("missing", ["filter", "sorting", "page"])
@pytest.mark.parametrize("kind", ["products", "media"])
def test_filter_sorting_and_page_are_required(caller, kind, missing):
    """Each missing part is a violation that names it."""
    body: dict[str, Any] = {"filter": {}, "sorting": BY_ID, "page": {"no": 0}}
    del body[missing]
    assert caller.violation(f"{kind}/query", body) == (missing, "is required")


@pytest.mark.parametrize(
    ("part", "value", "field"),
    [
        ("page", {"no": 0, "size": 20}, "page.size"),
        ("page", {"no": -1}, "page.no"),
        ("page", {"no": "0"}, "page.no"),
        ("page", {"number": 1}, "page"),
        ("sorting", {"price": "ASC"}, "sorting.price"),
        ("sorting", {"id": "asc"}, "sorting.id"),
        ("sorting", {"id": {"direction": "ASC"}}, "sorting.id"),
        ("sorting", {"name": "ASC"}, "sorting.name"),
        ("sorting", {"id": "ASC", "status": "ASC"}, "sorting"),
        ("filter", {"colour": "red"}, "filter.colour"),
        ("filter", {"status": "gone"}, "filter.status"),
        ("filter", {"status": "active", "brand": 9}, "filter"),
        ("filter", {"and": [{"status": "active"}, {"nor": []}]}, "filter.and.1.nor"),
        ("filter", {"or": {}}, "filter.or"),
        ("filter", {"not": {}}, "filter.not"),
        ("filter", {"brand": "9"}, "filter.brand"),
        ("filter", {"brand": []}, "filter.brand"),
        ("filter", {"minimumContent": "true"}, "filter.minimumContent"),
        ("filter", {"updatedSince": "2026-01-01"}, "filter.updatedSince.from"),
        ("filter", {"updatedSince": {"since": 1}}, "filter.updatedSince"),
        ("filter", {"hasContent": {"flag": "name"}}, "filter.hasContent.locale"),
        ("filter", {"hasContent": {"flag": ["name"]}}, "filter.hasContent.flag"),
        ("filter", {"hasContent": {"flag": "colour"}}, "filter.hasContent.flag"),
        ("filter", {"search": {"query": ["a", "b"], "locale": "nl"}}, "filter.search.query"),
        ("filter", {"search": {"query": "a", "locale": "es"}}, "filter.search.locale"),
        ("filter", {"ean": 5400086033544}, "filter.ean"),
        ("filter", {"pbs": "P12345"}, "filter.pbs"),
        ("filter", {"cnk": "0"}, "filter.cnk"),
        ("cursor", {}, "cursor"),
    ],
)
def test_wrong_requests_name_the_wrong_part(caller, part, value, field):
    """A violation points at the value by its path."""
    body = {"filter": {}, "sorting": BY_ID, "page": {"no": 0}} | {part: value}
    assert caller.violation("products/query", body)[0] == field


def test_status_and_place_of_violations_follow_the_switches():
    """400 or 422, inside `error` or next to it."""
    caller = Caller(products=10, invalid_status=400, violations_inside_error=False)
    answer = caller.post("products/query", {"filter": {}})
    assert answer.status_code == 400
    assert set(answer.json()) == {"error", "violations"}
    assert set(answer.json()["error"]) == {"status", "code", "message"}


def test_a_body_that_is_no_json_object_is_a_bad_request(caller):
    """Invalid JSON and bodies that are not objects get 400 bad_request."""
    for content in (b"{", b'"all"', b"[1]"):
        answer = caller.send("POST", "/v4/brands/query", content=content)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")


def test_refusals_have_the_documented_shape():
    """Status, code and message; the two known codes are the vendor's."""
    api = medipim.Api(Settings(), lambda name="": BASE, {})
    answer = api.refusal(401, "No key.")
    expected = {"error": {"status": 401, "code": "authentication.not_authenticated", "message": "No key."}}
    assert (answer.status_code, json.loads(bytes(answer.body))) == (401, expected)
    assert json.loads(bytes(api.refusal(429, "").body))["error"]["code"] == "too_many_requests"


def test_writing_is_refused(caller):
    """Write endpoints exist and answer 403."""
    answer = caller.post("brands/create", {"name": "New"})
    assert (answer.status_code, answer.json()["error"]["status"]) == (403, 403)


@pytest.mark.parametrize("members", [None, [], 5, "New", {}, {"name": 5}])
def test_members_of_a_write_that_are_no_object_with_a_name_are_refused(members):
    """422, and nothing is written."""
    caller = Caller(writes=True, products=10)
    assert caller.violation("organizations/create", {"profile": members})[0] == "name"
    assert caller.violation("brands/update", {"id": 9, "data": members})[0] == "data.name"
    assert caller.settings.changes == []


def test_more_than_1000_codes_are_refused_also_across_filters(caller):
    """1,000 codes are accepted and 1,001 refused, even if distributed over several filters."""
    codes = [f"{n:013d}" for n in range(1, 1_001)]
    assert caller.page({"ean": codes})["meta"]["total"] == 0
    spread = {"or": [{"ean": codes}, {"cnk": "1234567"}]}
    field, message = caller.violation("products/query", {"filter": spread, "sorting": BY_ID, "page": {"no": 0}})
    assert (field, "1000" in message) == ("filter.or.1.cnk", True)


# -- filters


def total(caller: Caller, filtered: Any, kind: str = "products") -> int:
    return caller.page(filtered, kind=kind, size=10)["meta"]["total"]


@pytest.mark.parametrize(
    ("filtered", "fits"),
    [
        ({"status": ["inactive", "replaced"]}, lambda p: p["status"] in ("inactive", "replaced")),
        ({"brand": [9, 11]}, lambda p: any(b["id"] in (9, 11) for b in p["brands"] or [])),
        ({"organization": 44}, lambda p: any(o["id"] == 44 for o in p["organizations"])),
        ({"publicCategory": 628}, lambda p: any(c["id"] == 628 for c in p["publicCategories"])),
        ({"productFamily": 3}, lambda p: any(f["id"] == 3 for f in p["productFamilies"])),
        ({"activeIngredient": [1, 2]}, lambda p: any(a["id"] in (1, 2) for a in p["activeIngredients"])),
        ({"attributes": 5}, lambda p: any(a["id"] == 5 for a in p["attributes"])),
        ({"conservation": "refrigerator"}, lambda p: p["conservation"] == "refrigerator"),
        ({"hsCode": "340130"}, lambda p: p["hsCode"] == "340130"),
        ({"atcCategory": "A02BC03"}, lambda p: p["atcCategory"] == ["A02BC03"]),
        ({"updatedSince": 1_700_000_000}, lambda p: p["meta"]["updatedAt"] >= 1_700_000_000),
        (
            {"updatedSince": {"from": 1_709_251_200, "until": 1_709_251_200}},
            lambda p: p["meta"]["updatedAt"] == 1_709_251_200,
        ),
        ({"officialDeletionAt": {"from": 0}}, lambda p: p["officialDeletionAt"] is not None),
        ({"hasContent": {"flag": "name", "locale": "fr"}}, lambda p: "fr" in p["name"]),
        ({"hasContent": {"flag": "seoName", "locale": "nl"}}, lambda p: "nl" in p["seoName"]),
        (
            {"hasContent": {"flag": "descriptions", "locale": "fr"}},
            lambda p: any(d["locales"] == ["fr"] for d in p["descriptions"]),
        ),
        ({"hasContent": {"flag": "photos"}}, lambda p: p["photos"] != []),
        ({"hasContent": {"flag": "weight"}}, lambda p: p.get("weight") is not None),
        ({"hasContent": {"flag": "publicPrice"}}, lambda p: p["publicPrice"] is not None),
        ({"hasContent": {"flag": "leaflets", "locale": "nl"}}, lambda p: bool(p.get("leaflets"))),
        (
            {"search": {"query": "CRÈME jour", "locale": "fr", "type": "contains"}},
            lambda p: "crème de jour" in p["name"].get("fr", "").casefold(),
        ),
        ({"not": {"status": "active"}}, lambda p: p["status"] != "active"),
        (
            {"and": [{"or": [{"brand": 1}, {"brand": 3}]}, {"not": {"status": "active"}}]},
            lambda p: any(b["id"] in (1, 3) for b in p["brands"] or []) and p["status"] != "active",
        ),
    ],
)
def test_filters_find_exactly_the_products_that_fit(few, few_products, filtered, fits):
    """A filter returns the same products as a check of every product: some, but not all."""
    expected = [product["id"] for product in few_products if fits(product)]
    found = [product["id"] for product in few.stream(filtered)]
    assert found == expected
    assert 0 < len(found) < len(few_products)


def test_minimum_content_is_image_and_description_and_category(caller, products):
    """The filter has its meaning since 2024-12."""
    # Text 1 is added by two of the oddities, and is not in the catalogue.
    fits = [
        p for p in products if p["photos"] and any(d["id"] != 1 for d in p["descriptions"]) and p["publicCategories"]
    ]
    assert total(caller, {"minimumContent": True}) == len(fits)
    assert total(caller, {"minimumContent": True}) + total(caller, {"minimumContent": False}) == len(products)


def test_ids_are_found_and_unknown_ones_are_not(caller, products):
    """`id` takes one or more; "M" and nine hexadecimal digits."""
    ids = [products[10]["id"], products[99]["id"]]
    assert [p["id"] for p in caller.stream({"id": [*ids, "M000000000", 42]})] == ids
    assert all(len(p["id"]) == 10 and p["id"][0] == "M" and int(p["id"][1:], 16) >= 0 for p in products)
    assert len({p["id"] for p in products}) == 5_000


def test_codes_are_found_with_their_zeros_and_not_without(caller, products):
    """A code is a text: "0123" is not "123"."""
    starts = [p for p in products if p["cnk"].startswith("0")]
    eans = [p for p in products if p["ean"] and p["ean"][0].startswith("0")]
    assert starts
    assert eans
    for product in starts:
        assert [p["id"] for p in caller.stream({"cnk": product["cnk"]})] == [product["id"]]
        assert caller.stream({"cnk": product["cnk"].lstrip("0")}) == []
    for product in eans:
        assert product["id"] in {p["id"] for p in caller.stream({"ean": product["ean"]})}
        assert caller.stream({"ean": product["ean"][0].lstrip("0")}) == []


@pytest.mark.parametrize("name", ["gtin", "eanGtin8", "eanGtin12", "eanGtin13", "eanGtin14"])
def test_each_gtin_field_finds_its_products(caller, products, name):
    """The filter of a field finds the records with that value."""
    shown = [p for p in products if isinstance(p[name], str)]
    assert shown
    for product in shown[:3]:
        found = caller.stream({name: product[name]})
        assert product["id"] in {p["id"] for p in found}
        assert {p[name] if isinstance(p[name], str) else p[name][0] for p in found} == {product[name]}


@pytest.mark.parametrize(
    ("sorting", "key"),
    [
        ({"id": "DESC"}, lambda p: [-int(p["id"][1:], 16)]),
        ({"touchedAt": "ASC"}, lambda p: [p["meta"]["updatedAt"], p["id"]]),
        ({"touchedAt": "DESC"}, lambda p: [-p["meta"]["updatedAt"], p["id"]]),
        ({"status": "ASC"}, lambda p: [p["status"], p["id"]]),
    ],
)
def test_sorting_is_total_and_ties_go_by_id(few, few_products, sorting, key):
    """Records with equal keys are sorted by id, in both directions."""
    assert few.stream({}, sorting=sorting) == sorted(few_products, key=key)


def test_names_sort_by_locale(few):
    """Names are sorted in either direction, with the missing ones at one end."""
    sorting = {"name": {"direction": "ASC", "locale": "fr"}}
    names = [p["name"].get("fr", "").replace("\u00a0", " ") for p in few.stream({"status": "active"}, sorting=sorting)]
    assert names == sorted(names)
    assert names[0] == ""
    first = few.page({}, sorting={"name": {"direction": "DESC", "locale": "nl"}}, size=10)["results"][0]
    assert first["name"]["nl"].startswith("Zoë & Co")


def test_created_at_sorts_and_filters_also_where_the_body_hides_it(few):
    """Creation times rise, and a record whose time is null in the body is not lost."""
    times = [p["meta"]["createdAt"] for p in few.stream({}, sorting={"createdAt": "ASC"})]
    known = [time for time in times if time is not None]
    assert known == sorted(known)
    assert 0 < len(times) - len(known) < 10
    assert total(few, {"createdAt": {"from": 0}}) == 2_100


# -- find and fields


def test_find_takes_any_identifier_and_answers_in_product(caller, products):
    """Products are found by id, CNK and EAN. No match gets 404, an unknown parameter a violation."""
    product = next(p for p in products if p["ean"] and p["status"] == "active" and isinstance(p["eanGtin13"], str))
    for name in ("id", "cnk", "eanGtin13", "gtin"):
        assert caller.get("products/find", **{name: product[name]}).json() == {"product": product}
    assert caller.get("products/find", id="M000000000").status_code == 404
    assert caller.get("products/find", cip13="3400912345678").status_code == 422
    assert caller.get("products/find").status_code == 422


def test_other_finds_answer_in_their_documented_roots(caller):
    """`mediaItem`, `brand`, and the documents' misprints `organisationItem` and `newsItem`."""
    for path, identity, root in (
        ("media", "500000", "mediaItem"),
        ("brands", "9", "brand"),
        ("organizations", "44", "organisationItem"),
        ("product/attributes", "1", "newsItem"),
        ("product/attribute/options", "1", "attributeOption"),
    ):
        assert str(caller.get(f"{path}/find", id=identity).json()[root]["id"]) == identity
        assert caller.get(f"{path}/find", id="99999999").status_code == 404


def test_get_fields_tell_of_the_country(caller):
    """The country's codes are among the fields."""
    fields = {f["code"]: f for f in caller.get("products/get-fields").json()["fields"]}
    assert fields["name"]["isLocalized"] is True
    assert "cnk" in fields
    assert {"code", "type", "isMulti", "isLocalized", "allowedToUpdate"} == set(
        caller.get("media/get-fields").json()["fields"][0]
    )


def test_the_embed_page_shows_the_name(caller, products):
    """A small HTML page, escaped."""
    answer = caller.get("products/embed", id=products[0]["id"], locale="nl")
    assert "<h1>" in answer.text
    assert answer.headers["content-type"].startswith("text/html")


# -- short lists

COUNTS = {
    "brands": 300, "organizations": 400, "public-categories": 640, "product-families": 13, "active-ingredients": 50,
    "product/attributes": 6, "product/attribute/options": 30,
}  # fmt: skip


@pytest.mark.parametrize(("path", "count"), COUNTS.items())
@pytest.mark.parametrize("content", [b"", b"{}", b"[]"])
def test_lists_without_page_come_whole_and_without_page_meta(caller, path, count, content):
    """An empty body, {} and [] all select every record."""
    answer = caller.send("POST", f"/v4/{path}/query", content=content).json()
    assert answer["meta"] == {"total": count}
    ids = [record["id"] for record in answer["results"]]
    assert len(ids) == count
    assert ids == sorted(set(ids))


def test_lists_with_page_are_paged(caller):
    """Page numbers count from 0, the last page is short."""
    answer = caller.post("brands/query", {"page": {"no": 1, "size": 250}}).json()
    assert answer["meta"] == {"total": 300, "page": {"no": 1, "offset": 250, "size": 250}}
    assert len(answer["results"]) == 50


def test_lists_filter_and_sort(caller):
    """Scalar and list values, text search, and/or/not; categories and ingredients have no sorting."""
    post = caller.post
    assert [b["id"] for b in post("brands/query", {"filter": {"id": [9, 11, 10]}}).json()["results"]] == [9, 11]
    assert [b["id"] for b in post("brands/query", {"filter": {"search": "aderl"}}).json()["results"]] == [9]
    ids = [b["id"] for b in post("brands/query", {"sorting": {"id": "DESC"}}).json()["results"]]
    assert ids == sorted(ids, reverse=True)
    found = post("public-categories/query", {"filter": {"search": {"query": "soins", "locale": "fr"}}}).json()
    assert {c["name"]["fr"].split()[0] for c in found["results"]} == {"Soins"}
    assert caller.violation("public-categories/query", {"sorting": BY_ID})[0] == "sorting"
    both = {"and": [{"type": "supplier"}, {"not": {"id": 2}}]}
    assert post("organizations/query", {"filter": both}).json()["meta"]["total"] == 299


def test_the_category_tree_hangs_together(caller):
    """Every parent exists, roots have null, and there are no cycles."""
    rows = caller.post("public-categories/query", {}).json()["results"]
    parents = {row["id"]: row["parent"] for row in rows}

    def depth(identity: int) -> int:
        return 1 if parents[identity] is None else 1 + depth(parents[identity])

    assert Counter(map(depth, parents)) == {1: 8, 2: 64, 3: 568}


def test_what_products_link_to_exists(caller, products):
    """Brands, organizations, categories and media of the products are in their lists."""
    lists = {path: {r["id"] for r in caller.post(f"{path}/query", {}).json()["results"]} for path in COUNTS}
    media = {m["id"]: m for m in caller.stream({}, kind="media")}
    for p in products:
        assert {b["id"] for b in p["brands"] or []} <= lists["brands"]
        assert {o["id"] for o in p["organizations"]} <= lists["organizations"]
        assert {c["id"] for c in p["publicCategories"]} <= lists["public-categories"]
        assert {a["id"] for a in p["activeIngredients"]} <= lists["active-ingredients"]
        if p["meta"]["createdAt"] is not None:
            assert all(media[photo["id"]] == photo for photo in p["photos"])


# -- media


@pytest.mark.parametrize(
    ("filtered", "fits"),
    [
        ({"type": "link"}, lambda m: m["type"] == "link"),
        ({"photoType": ["packshot", "pillshot"]}, lambda m: m.get("photoType") in ("packshot", "pillshot")),
        ({"linkType": "video"}, lambda m: m.get("linkType") == "video"),
        ({"visibleSides": "left"}, lambda m: "left" in m.get("visibleSides", [])),
        ({"targetGroup": "webshop"}, lambda m: "webshop" in m["targetGroups"]),
        ({"locale": "fr"}, lambda m: "fr" in m["locales"]),
        ({"touchedAt": 1_700_000_000}, lambda m: m["meta"]["updatedAt"] >= 1_700_000_000),
    ],
)
def test_media_filters_find_exactly_the_items_that_fit(few, filtered, fits):
    """A filter returns the same items as a check of every item."""
    expected = [item["id"] for item in few.stream({}, kind="media") if fits(item)]
    assert [item["id"] for item in few.stream(filtered, kind="media")] == expected
    assert 0 < len(expected) < 4_200


def test_media_and_products_find_each_other(caller, products):
    """Media by product and products by media agree, even if two products share media."""
    product = next(p for p in products if len(p["photos"]) == 2)
    items = caller.stream({"product": product["id"]}, kind="media")
    assert items == product["photos"]
    assert product in caller.stream({"media": [item["id"] for item in items]})
    shared = Counter(photo["id"] for p in products for photo in p["photos"])
    twice = next(identity for identity, count in shared.items() if count > 1)
    assert total(caller, {"media": twice}) == 2


def test_pictures_go_to_those_who_say_who_they_are(caller, products):
    """A PNG for a descriptive User-Agent, 403 for generic and missing ones."""
    url = next(p for p in products if p["photos"])["photos"][0]["formats"]["huge"]
    answer = caller.send("GET", url, headers=PICTURE_READER)
    assert answer.content.startswith(b"\x89PNG\r\n\x1a\n")
    for agent in ("", "-", "curl/7.88.1", "python-requests/2.33.0", "Mozilla/5.0 (X11; Linux x86_64)"):
        assert caller.send("GET", url, headers={"User-Agent": agent}).status_code == 403


# -- the data


def test_equal_settings_give_equal_data_and_seeds_differ():
    """The first product of two starts is the same, that of another seed is not."""
    first, again, other = (Caller(products=50, seed=seed).stream({}) for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_more_products_leave_the_first_ones_only():
    """A larger catalogue contains the smaller one. Only the successor of the last product depends on the size."""
    small = {p["id"]: p for p in Caller(products=100).stream({})}
    large = {p["id"]: p for p in Caller(products=200).stream({})}
    assert all(large[identity] == product for identity, product in small.items() if not product["replacement"])


def test_the_oddities_of_the_real_data_are_there(products):
    """Each oddity of the table occurs among the first 5,000 products and is rare. Without the switch none occurs."""
    assert {name: count for name, count in oddities(products).items() if not 1 <= count <= 5} == {}
    assert set(oddities(Caller(products=5_000, oddities=False).stream({})).values()) == {0}


def oddities(products: list[Any]) -> dict[str, int]:
    """Count what is irregular."""
    eans = Counter(ean for p in products for ean in p["ean"])
    return {
        "leading zero EAN": sum(any(e.startswith("0") and len(e) == 13 for e in p["ean"]) for p in products),
        "EAN-8": sum(p["eanGtin8"] is not None for p in products),
        "shared EAN": sum(count > 1 for count in eans.values()),
        "wrong check digit": sum(not check_digit_fits(e) for p in products for e in p["ean"]),
        "no creation": sum(p["meta"]["createdAt"] is None for p in products),
        "localised brand": sum(isinstance(b["name"], dict) for p in products for b in p["brands"] or []),
        "list for object": sum(p["seoName"] == [] for p in products),
        "absent keys": sum("leaflets" not in p for p in products),
        "empty text": sum(p["packageContent"] == "" for p in products),
        "hard HTML": sum("👶🏽" in str(d["content"]) for p in products for d in p["descriptions"]),
        "big integer": sum(p["manufacturerPrice"] == 2**53 + 1 for p in products),
        "line separator": sum("\u2028" in p["name"]["nl"] for p in products),
        "quantity with unit": sum(p["packageQuantity"] == "750 ml" for p in products),
        "listed GTIN": sum(isinstance(p["eanGtin13"], list) for p in products),
        "brands null": sum(p["brands"] is None for p in products),
        "zipcode": sum("zipcode" in o.get("contactInformation", {}) for p in products for o in p["organizations"]),
        "float": sum(isinstance(p["vat"], float) for p in products),
    }


def check_digit_fits(ean: str) -> bool:
    """GS1: the weighted sum of all digits is a multiple of ten."""
    return sum(int(d) * (3 if n % 2 else 1) for n, d in enumerate(reversed(ean))) % 10 == 0


def test_common_gaps_are_common(products):
    """Null EANs, several EANs, no brands, replaced products with nulled EANs, the large tie of updatedAt."""
    assert 50 < sum(p["ean"] == [] for p in products) < 400
    assert 50 < sum(len(p["ean"]) > 1 for p in products) < 400
    assert 40 < sum(p["brands"] == [] for p in products) < 200
    replaced = [p for p in products if p["status"] == "replaced"]
    ids = {p["id"] for p in products}
    assert 20 < len(replaced) < 200
    assert all(p["replacement"] in ids and p["ean"] == [] and p["gtin"] is None for p in replaced)
    assert all(p["replacement"] is None for p in products if p["status"] != "replaced")
    assert Counter(p["meta"]["updatedAt"] for p in products).most_common(1) == [(1_709_251_200, 300)]


def test_french_gaps_belong_to_brands(products):
    """About 3 in 10 products lack a French name or text, and some brands nearly all of them."""
    lacking: dict[str, list[bool]] = {}
    for p in products:
        gap = "fr" not in p["name"] or all(d["locales"] != ["fr"] for d in p["descriptions"])
        for brand in p["brands"] or []:
            lacking.setdefault(str(brand["name"]), []).append(gap)
    every = [gap for gaps in lacking.values() for gap in gaps]
    assert 0.2 < sum(every) / len(every) < 0.4
    shares = [sum(gaps) / len(gaps) for gaps in lacking.values() if len(gaps) >= 20]
    assert min(shares) < 0.15
    assert max(shares) > 0.7


def test_times_lie_between_2017_and_the_anchor(products):
    """Creation, then update, then 2026-11-01."""
    for p in products:
        created, updated = p["meta"]["createdAt"] or p["meta"]["updatedAt"], p["meta"]["updatedAt"]
        assert 1_483_228_800 <= created <= updated <= 1_793_491_200


def test_vat_follows_the_kind_of_product_with_rare_outliers(products):
    """Medicines have 6 % VAT and other products 21 %, with a few exceptions."""
    rates = Counter((p["requiresLegalText"], float(p["vat"])) for p in products)
    wrong = rates[True, 21.0] + rates[False, 6.0]
    assert set(rates) <= {(True, 6.0), (True, 21.0), (False, 6.0), (False, 21.0)}
    assert 0 < wrong < 50


def test_the_share_of_wrong_types_follows_the_switch():
    """At a third, about a third of the records have a new field and a wrong type; at 0 none."""
    caller = Caller(products=600)
    assert sum("newField" in p for p in caller.stream({})) == 0
    caller.settings.wrong_type_rate = 1 / 3
    hit = [p for p in caller.stream({}) if "newField" in p]
    assert 150 < len(hit) < 250
    assert any(isinstance(p["width"], str) for p in hit)
    assert any(p["name"] == [] for p in hit)
    assert any(p["meta"] == [] for p in hit)


def test_new_fields_are_in_every_product():
    """Each product has two new members and one in its `meta`, in pages, streams and finds."""
    caller = Caller(products=60)
    before = caller.stream({})
    caller.settings.new_fields = True
    after = caller.stream({})
    for old, new in zip(before, after, strict=True):
        assert len(new.keys() - old.keys()) == 2
        assert len(new["meta"].keys() - old["meta"].keys()) == 1
        assert {name: new[name] for name in old} | {"meta": 0} == old | {"meta": 0}
        assert {name: new["meta"][name] for name in old["meta"]} == old["meta"]
    assert caller.page({})["results"] == after
    assert caller.get("products/find", id=after[7]["id"]).json() == {"product": after[7]}
    caller.settings.new_fields = False
    assert caller.stream({}) == before


def test_codes_may_be_numbers():
    """`cnk` is a JSON number without leading zeros in every product. Filters still accept text."""
    caller = Caller(products=120)
    before = caller.stream({})
    caller.settings.codes_as_numbers = True
    after = caller.stream({})
    assert [product["cnk"] for product in after] == [int(product["cnk"]) for product in before]
    assert [product | {"cnk": ""} for product in after] == [product | {"cnk": ""} for product in before]
    zero = next(product for product in before if product["cnk"].startswith("0"))
    assert caller.page({"cnk": zero["cnk"]})["results"][0]["cnk"] == int(zero["cnk"])


def test_new_fields_and_wrong_types_go_together():
    """A record with a wrong type has the new fields as well, and the text of a number that was a text before."""
    caller = Caller(products=400, new_fields=True, codes_as_numbers=True, wrong_type_rate=1.0)
    products = caller.stream({})
    fields = set(Caller(products=1, new_fields=True).stream({})[0]) - set(Caller(products=1).stream({})[0])
    assert all(product.keys() >= {"newField", *fields} for product in products)
    assert {type(product["cnk"]) for product in products} == {int, str}


# -- countries


@pytest.mark.parametrize("country", ["be", "fr", "de", "es", "au", "us"])
def test_each_country_has_its_locales_and_codes(country):
    """Names come in the country's languages; its codes are found by the filters of their names."""
    caller = Caller(products=300, country=country)
    products = caller.stream({})
    assert {locale for p in products for locale in p["name"]} == set(kinds.WORDS["locales"][country])
    for code in kinds.CODES[country]:
        shown = [p[code.name] for p in products if p[code.name] is not None]
        assert bool(shown) == bool(code.width)
        assert {len(text) for text in shown} <= {code.width}
        if shown:
            found = caller.stream({code.name: shown[:2]})
            assert {p[code.name] for p in found} == set(shown[:2])


def test_french_13_digit_codes_start_as_they_should_and_check():
    """CIP13 3400…, ACL13 3401…, each with a right check digit and of exactly 13 digits."""
    caller = Caller(products=300, country="fr")
    for p in caller.stream({}):
        code = p["cip13"] or p["acl13"]
        assert code.startswith("3400" if p["requiresLegalText"] else "3401")
        assert p["cipOrAcl7"] in code
        assert check_digit_fits(code)
    body = {"filter": {"cip13": "340091234567"}, "sorting": BY_ID, "page": {"no": 0}}
    assert caller.violation("products/query", body) == ("filter.cip13", "must be exactly 13 digits")


def test_australia_and_america_have_what_only_they_have():
    """AU sorts by pbs and knows gs1Category; the US shows no prices and pads a UPC to 13 and 14 digits."""
    australia = Caller(products=300, country="au")
    assert australia.page({}, sorting={"pbs": "ASC"})["results"]
    assert any(p["gs1Category"] for p in australia.stream({}))
    assert australia.violation("products/stream", {"filter": {"ecommerce": "yes"}, "sorting": BY_ID})
    (first, *_) = (p for p in Caller(products=300, country="us").stream({}) if p["ean"])
    assert "publicPrice" not in first
    assert first["gtin"] == "00" + first["eanGtin12"]
