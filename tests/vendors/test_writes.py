"""Any method to any path, only by a writable client; mock servers that accept writes on their own copy of the data."""

from __future__ import annotations

import pytest
import requests

import vendorkit as vk
from vendorkit.auth import Digest
from vendorkit.errors import InvalidRequest, NotAllowed, NotFound, UsageError

XML = "<title><name>From XML</name><tags nil='true'/></title>"


@pytest.fixture
def od(vendors):
    """A client that may write, on mock servers that accept it."""
    for name in ("mediagenix", "medipim"):
        vendors[name].set(writes=True)
    return vk.connect("mediagenix", environment="local", writable=True)


@pytest.fixture
def writable(od):
    """A Medipim client that may write."""
    return vk.connect("medipim", environment="local", writable=True)


@pytest.mark.parametrize("vendor", ["medipim", "mediagenix", "pledg"])
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "POST", "OPTIONS", "put"])
def test_a_client_that_reads_sends_no_other_method(vendors, vendor, method):
    """Nothing is sent, in whatever case the method is written."""
    client = vk.connect(vendor, environment="local")
    with pytest.raises(NotAllowed, match="writable=True"):
        client.request(method, "/api/titles/1", json={"name": "x"}, auth=None)
    assert vendors[vendor].requests == 0


@pytest.mark.parametrize("method", ["", "GETX", "GET /x", None, 5, "TRACE", "CONNECT"])
def test_what_is_no_method_is_refused(medipim, method):
    """One typed error."""
    with pytest.raises(UsageError):
        medipim.request(method, "/v4/brands/query")


def test_reading_methods_need_no_permission(mediagenix, medipim):
    """GET, HEAD, and the POSTs that only read."""
    assert mediagenix.request("get", "/api/titles/1").ok
    assert mediagenix.request("HEAD", "/api/titles/1").content == b""
    assert medipim.request("POST", "/v4/brands/query", json={}).ok


def test_a_title_is_created_updated_and_deleted(od):
    """201, 200, 204; the collection, the events and `since=` know of each."""
    before = od.titles.query().count()
    made = od.request("POST", "/api/titles", json={"name": "New", "title_type": "feature"})
    assert made.status_code == 201
    record = od.entity(f"/api/titles/{od.titles.query().frame()['id'].iloc[-1]}")
    assert (record["name"], record["title_type"], record["external_id"]) == ("New", "feature", None)
    changed = od.request(
        "PUT", record["self_link"], json={"name": "Newer", "licensor_link": f"{od.base_url}/api/licensors/3"}
    )
    assert changed.status_code == 200
    again = od.titles.get(record["id"])
    assert (again["name"], again["licensor_link"]) == ("Newer", f"{od.base_url}/api/licensors/3")
    assert od.titles.query().count() == before + 1
    gone = od.request("DELETE", record["self_link"])
    assert (gone.status_code, gone.content) == (204, b"")
    with pytest.raises(NotFound):
        od.titles.get(record["id"])
    events = od.events.query().frame().tail(3)
    assert events["event_type"].tolist() == ["title_created", "title_updated", "title_deleted"]
    assert events["changes"].iloc[1] == "name"


def test_titles_are_put_by_external_id(od):
    """201, then 200; a type of external ids that cannot identify a title is an error with the vendor's reason."""
    before = od.titles.query().count()
    for path in ("/api/titles/ext/MINE%2F1", "/api/titles/ext/imdb/tt0000001"):
        made = od.request("PUT", path, json={"name": "New"})
        again = od.request("PUT", path, json={"name": "Newer"})
        assert (made.status_code, again.status_code) == (201, 200)
    assert od.titles.query().count() == before + 2
    found = od.titles.query(external_id="MINE/1").frame()
    assert found["name"].tolist() == ["Newer"]
    with pytest.raises(InvalidRequest, match="cannot uniquely identify"):
        od.request("PUT", "/api/titles/ext/house/1", json={"name": "x"})
    with pytest.raises(InvalidRequest, match="name can't be blank"):
        od.request("PUT", "/api/titles/ext/MINE-2", json={})


def test_a_job_needs_a_template(od, vendors):
    """Sequence: 422 without one."""
    vendors["sequence"].set(writes=True)
    jobs = f"{od.work_areas.get(1)['self_link']}/jobs"
    with pytest.raises(InvalidRequest, match="template can't be blank"):
        od.request("POST", jobs, json={"name": "New"})
    assert od.request("POST", jobs, json={"name": "New", "template": "Delivery"}).status_code == 201
    assert od.jobs.query(work_area=1).frame()["name"].iloc[-1] == "New"


def test_xml_bodies_are_written_too(od, vendors, tmp_path):
    """As the vendor's Ruby client sends them: here by plain requests with this package's Digest."""
    vendor = vendors["mediagenix"]
    (tmp_path / "ca.pem").write_text(vendor.ca_pem)
    auth = Digest(vendor.credentials["MEDIAGENIX_ROBOT_USER"], vendor.credentials["MEDIAGENIX_ROBOT_PASSWORD"])
    sent = {"data": XML, "auth": auth, "headers": {"Content-Type": "application/xml"}}
    answer = requests.put(f"{od.base_url}/api/titles/5", verify=str(tmp_path / "ca.pem"), timeout=10, **sent)
    assert answer.status_code == 200
    assert od.titles.get(5)["name"] == "From XML"
    assert od.titles.get(5)["tags"] is None


@pytest.mark.parametrize("body", [{"nmae": "x"}, {"episode_number": "one"}, {"id": 5}])
def test_what_the_vendor_would_not_take_is_refused(od, body):
    """Unknown attributes, other types and ids: 422, and nothing is changed."""
    with pytest.raises(InvalidRequest):
        od.request("PUT", "/api/titles/4", json=body)
    with pytest.raises(NotFound):
        od.request("DELETE", "/api/titles/999999")


def test_brands_organizations_and_products_of_medipim_are_written(writable):
    """Create and update; the lists, products and counts have them; what cannot be updated is refused."""
    brand = writable.request("POST", "/v4/brands/create", json={"name": "Newbrand"}).json()["brand"]
    assert writable.brands.query(search="newbrand").frame()["id"].tolist() == [str(brand["id"])]
    writable.request("POST", "/v4/brands/update", json={"id": brand["id"], "data": {"name": "Renamed"}})
    assert writable.brands.get(brand["id"])["name"] == "Renamed"
    supplier = {"settings": {"isPublic": True}, "profile": {"name": "Newco"}, "type": "supplier", "vatNr": "BE1"}
    made = writable.request("POST", "/v4/organizations/create", json=supplier).json()["organization"]
    assert writable.organizations.get(made["id"])["name"] == "Newco"
    before = writable.products.query().count()
    body = {"organizations": [made["id"]], "product": {"name": {"nl": "Nieuw"}, "weight": 12}}
    product = writable.request("POST", "/v4/products/create", json=body).json()["product"]
    assert (product["name"], product["weight"]) == ({"nl": "Nieuw"}, 12)
    assert writable.products.query().count() == before + 1
    writable.request("POST", "/v4/products/update", json={"product": product["id"], "data": {"weight": 15}})
    assert writable.products.get(product["id"])["weight"] == 15
    for body in (
        {"product": product["id"], "data": {"status": "active"}},
        {"product": product["id"], "data": {"x": 1}},
    ):
        with pytest.raises(InvalidRequest):
            writable.request("POST", "/v4/products/update", json=body)
    with pytest.raises(NotFound):
        writable.request("POST", "/v4/products/update", json={"product": "M000000000", "data": {}})


def test_without_the_switch_nothing_is_written(vendors):
    """403, as before."""
    for vendor, path in (("mediagenix", "/api/titles"), ("medipim", "/v4/brands/create")):
        client = vk.connect(vendor, environment="local", writable=True)
        with pytest.raises(vk.errors.VendorkitError, match="read-only"):
            client.request("POST", path, json={"name": "x"})


@pytest.mark.parametrize(
    ("vendor", "action", "records"),
    [
        *(("medipim", "delete", ["products/NOPE"]), ("medipim", "delete", []), ("medipim", "edit", ["M000000000"])),
        *(("mediagenix", "delete", ["titles/999999"]), ("mediagenix", "edit", ["nope/1"]), ("mediagenix", "add", [])),
        *(
            ("mediagenix", "touch", ["titles/1"]),
            ("mediagenix", "delete", ["titles/1", "titles/0"]),
            ("pledg", "add", []),
        ),
        *(
            ("mediagenix", "delete", ["titles/1/images"]),
            ("sequence", "edit", ["jobs/1"]),
            ("mediagenix", "edit", ["x"]),
        ),
    ],
)
def test_changes_of_what_is_not_there_are_refused(vendors, vendor, action, records):
    """All or nothing, with one typed error."""
    with pytest.raises(UsageError, match="cannot"):
        vendors[vendor].change(action, *records)
    assert vendors[vendor].get_settings()["changes"] == []
