"""Requests in `.http` files: other programs can send them, and each is read as a query of the client or is an error."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import requests

import vendorkit as vk
from vendorkit.errors import UsageError
from vendorkit.httpfile import http_text, save_request, saved_requests

HOSTILE = 'it\'s "9" {{host}} {{$dotenv HOME}} \\ é 東\n### x\n# @name y\n< ./file'
# Name: the vendor, the query, and the options that are saved with it.
ASKED = {
    "brands": ("medipim", lambda client: client.brands.query(search=HOSTILE, sort="-name"), {"columns": ["id"]}),
    "products": (
        "medipim",
        lambda client: client.products.query(
            brand=[9, 12], status="active", where={"or": [{"id": "M1"}, {"not": {"brand": 3}}]}, strategy="windows"
        ),
        {"limit": 5, "locale": "fr"},
    ),
    "changed": ("medipim", lambda client: client.products.query(since="2026-01-31", sort="createdAt"), {}),
    "everything": ("medipim", lambda client: client.media.query(), {"limit": 20}),
    "subscriptions": ("medipim", lambda client: client.subscriptions.query(type="supplier", id=[1, 2]), {}),
    "titles": (
        "mediagenix",
        lambda client: client.titles.query(external_id=HOSTILE, expand=["metadata", "assets"], accept="json"),
        {},
    ),
    "schedule": ("mediagenix", lambda client: client.schedules.query(title=7), {}),
    "events": ("mediagenix", lambda client: client.events.query(event_type=["a", "b"], newer_than=0), {}),
    "document": ("mediagenix", lambda client: client.metadata.query(title=7), {}),
    "elsewhere": ("mediagenix", lambda client: client.work_areas.query(), {}),
    "plan": ("pledg", lambda client: client.payment_schedule.query(amount_cents=20_000, created="2026-01-31"), {}),
    "conditions": ("pledg", lambda client: client.merchant_conditions.query(), {}),
}


@pytest.fixture
def client_of(medipim, pledg, mediagenix):
    """Return the clients by vendor."""
    return {"medipim": medipim, "pledg": pledg, "mediagenix": mediagenix}


@pytest.fixture
def file(tmp_path):
    """Return a function that writes a `.http` file and returns its path."""

    def written(text: str) -> Path:
        place = tmp_path / "requests.http"
        place.write_text(text, encoding="utf-8")
        return place

    return written


def rest_client(text: str, settings: dict[str, str]) -> dict[str, requests.Request]:
    """
    The requests of a file as VS Code's REST Client reads them, after its README: another reader than ours.

    Comment lines are left out wherever they are; a variable is replaced in the text; after `Basic` and `Digest` come
    user and password, parted by a blank.
    """
    variables = dict(re.findall(r"^@(\w+)\s*=\s*(.*?)\s*$", text, re.MULTILINE))
    found = {}
    for part in re.split(r"^###.*$", text, flags=re.MULTILINE):
        name = re.search(r"^#\s*@name\s+(\S+)", part, re.MULTILINE)
        lines = [line for line in part.splitlines() if not re.match(r"\s*(#|//)|@\w+\s*=", line)]
        shown = "\n".join(lines).strip("\n")
        if not shown:
            continue
        shown = re.sub(r"\{\{\$dotenv (\w+)\}\}", lambda used: settings[used[1]], shown)
        shown = re.sub(r"\{\{(\w+)\}\}", lambda used: variables[used[1]], shown)
        head, _, body = shown.partition("\n\n")
        first, *rest = head.splitlines()
        method, url = first.split()
        headers = dict(line.split(": ", 1) for line in rest)
        scheme, *pair = headers.pop("Authorization", "none").split(" ")
        auth = {"Basic": tuple, "Digest": lambda both: requests.auth.HTTPDigestAuth(*both)}.get(scheme, lambda _: None)
        found[name[1]] = requests.Request(method, url, headers=headers, data=body.encode() or None, auth=auth(pair))
    return found


@pytest.mark.filterwarnings("ignore::vendorkit.frames.SchemaDrift")
@pytest.mark.parametrize("name", ASKED)
def test_saved_request_is_the_query(client_of, file, name):
    """The saved query has the same request, rows and options. Reading sends nothing."""
    vendor, ask, options = ASKED[name]
    client = client_of[vendor]
    query = ask(client)
    place = file(f"@host = {client.base_url}\n")
    save_request(place, name, query, client, options)
    client.session.exchanges.clear()
    found = saved_requests(place, client)
    assert client.session.exchanges.all() == []
    assert list(found) == [name]
    assert found[name].describe() == {**query.describe()} or query.since is not None
    assert found[name].request().url == query.request().url
    assert found[name].request().headers["Accept"] == query.request().headers["Accept"]
    assert found[name].ask.strategy == query.ask.strategy
    wanted = {"limit": 30, **options} if name in ("titles", "events", "changed") else options
    try:
        frame = query.frame(**wanted)
    except vk.errors.VendorkitError as exc:  # the hostile filter is none that the vendor takes
        with pytest.raises(type(exc)):
            found[name].frame()
    else:
        pd.testing.assert_frame_equal(found[name].frame(**wanted), frame)


@pytest.mark.parametrize("name", ASKED)
def test_other_clients_send_what_is_written(client_of, vendors, tmp_path, name):
    """Another reader of the format, with credentials from the settings, sends the same request as the query."""
    vendor, ask, options = ASKED[name]
    client, query = client_of[vendor], ask(client_of[vendor])
    text = f"@host = {client.base_url}\n\n{http_text(query, name, options)}"
    for variable, value in vendors[vendor].credentials.items():
        assert value not in text or variable.endswith("_UID")
    sent = rest_client(text, vendors[vendor].credentials)[name].prepare()
    wanted = query.request()
    assert (sent.method, sent.url) == (wanted.method, wanted.url)
    assert json.loads(sent.body or "null") == json.loads(wanted.body or "null")
    authority = tmp_path / "ca.pem"
    authority.write_text(vendors["medipim"].ca_pem, encoding="ascii")
    with requests.Session() as session:
        session.trust_env = False
        assert session.send(sent, verify=str(authority)).status_code in (200, 404)


# `make httpyac` installs it.
HTTPYAC = shutil.which(
    "httpyac", path=f"{Path(__file__).parents[1] / 'build/httpyac/node_modules/.bin'}:{os.environ['PATH']}"
)


@pytest.mark.skipif(HTTPYAC is None, reason="httpyac is not installed")
@pytest.mark.parametrize(
    ("name", "digest_uri", "status"),
    [
        ("brands", "target", 200),
        ("products", "target", 200),
        ("document", "target", 200),
        ("titles", "any", 200),
        ("events", "any", 200),
        ("plan", "target", 200),
        ("titles", "target", 400),  # its digest leaves the query out
    ],
)
def test_httpyac_sends_what_is_written(client_of, vendors, tmp_path, name, digest_uri, status):  # noqa: PLR0917
    """httpyac, with credentials from `.env`, sends the same request as the query."""
    vendor, ask, options = ASKED[name]
    client, place = client_of[vendor], tmp_path / "requests.http"
    query = ask(client)
    save_request(place, name, query, client, options)
    vendors["mediagenix"].set(digest_uri=digest_uri)
    (tmp_path / "ca.pem").write_text(vendors[vendor].ca_pem, encoding="ascii")
    settings = "".join(f"{name}={value}\n" for name, value in vendors[vendor].credentials.items())
    (tmp_path / ".env").write_text(settings, encoding="utf-8")
    environment = {**os.environ, "NODE_EXTRA_CA_CERTS": str(tmp_path / "ca.pem")}
    vendors[vendor].clear_log()
    command = [HTTPYAC, "send", str(place), "--all", "--json"]
    with (tmp_path / "out.json").open("wb") as out:  # a pipe would get the beginning only
        subprocess.run(command, stdout=out, env=environment, cwd=tmp_path, timeout=90, check=False)
    response = json.loads((tmp_path / "out.json").read_bytes())["requests"][0]["response"]
    assert response["statusCode"] == status
    last, wanted = vendors[vendor].log()[-1], query.request()
    assert f"{last['path']}?{last['query']}".removesuffix("?") == wanted.path_url
    sent = response["request"].get("body")
    assert json.loads(sent or "null") == json.loads(wanted.body or "null")


def test_file_of_a_person_is_read(medipim, file):
    """The file has nested variables, bodies of several lines, comments, no name, and no last line end."""
    host = medipim.base_url.removeprefix("https://")
    place = file(
        "@scheme=https\n@host = {{scheme}}://" + host + "\n// what we look at each week\n"
        """
### brands
# @note this asks before it sends
# @name = derm
post {{host}}/v4/brands/query HTTP/1.1
content-type: application/json
Authorization: Basic {{$dotenv MEDIPIM_API_KEY_ID}}:{{$processEnv MEDIPIM_API_KEY_SECRET}}

{"filter":
  # a comment in the body
  {"search": "derm"}, "sorting": {"name": "DESC"}, "page": {"no": 3, "size": 50}}
###

###
POST {{host}}/v4/organizations/query

{"sorting": {"id": "ASC"}, "filter": {"type": "supplier"}}"""
    )
    found = saved_requests(place, medipim)
    assert list(found) == ["derm", "2"]
    assert found["2"].where == {"type": "supplier"}
    assert len(found["2"].frame()) > 0


def test_query_of_several_lines_is_read(mediagenix, file):
    """The REST Client writes long URLs like this."""
    place = file(
        f"GET {mediagenix.base_url}/api/titles\n    ?external_id=x\n    &expand=metadata,assets\nAccept: */*\n"
    )
    query = saved_requests(place, mediagenix)["1"]
    assert (query.filters, query.expand) == ({"external_id": "x"}, ("metadata", "assets"))


GOOD = "POST {{host}}/v4/brands/query\n"
BODY = '\n{"filter": {"search": "a"}, "sorting": {"id": "ASC"}}'


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("POST https://vendor.example/v4/brands/query\n" + BODY, 2, "is not the vendor's origin"),
        ("POST {{host}}.example/v4/brands/query\n" + BODY, 2, "URL|origin"),
        ("POST http://127.0.0.1/v4/brands/query\n" + BODY, 2, "is not the vendor's origin"),
        ("POST {{host}}@vendor.example/v4/brands/query\n" + BODY, 2, "URL"),
        ("POST {{host}}/v4/brands/delete\n" + BODY, 2, "has no resource for POST /v4/brands/delete"),
        ("POST {{host}}/v4/brands/../products/create\n" + BODY, 2, "has no resource|No query sends"),
        ("DELETE {{host}}/v4/brands/query\n" + BODY, 2, "No query sends this request"),
        ("GET {{host}}/v4/brands/query\n", 2, "No query sends this request"),
        (GOOD + '\n{"filter": {"search": "a"}, "also": 1, "sorting": {"id": "ASC"}}', 2, "No query sends this request"),
        (GOOD + '\n{"filter": {"serch": "a"}}', 2, "Did you mean search"),
        (GOOD + '\n{"filter": {"search": 1}}', 2, "search must be"),
        (GOOD + '\n{"filter": [1]}', 2, "where must be"),
        (GOOD + "\nno JSON", 4, "not JSON"),
        (GOOD + '\n{"filter": {"search": "a"}, "filter": {"search": "b"}}', 4, "name twice"),
        (GOOD + '\n{"filter": {"id": NaN}}', 4, "contains NaN"),
        (GOOD + "\n" + "[" * 100_000, 4, "nested more than"),
        (GOOD + "\n< ./body.json", 4, "not JSON"),
        (GOOD + BODY + "\n\n> {% client.log(1) %}", 4, "not JSON|after"),
        (GOOD + "Content-Type {{host}}\n" + BODY, 3, "This is not a header"),
        (GOOD + "X-HTTP-Method-Override: DELETE\n" + BODY, 3, "The header X-HTTP-Method-Override"),
        (GOOD + "Cookie: a=b\n" + BODY, 3, "The header Cookie"),
        (GOOD + "Accept: application/xml\n" + BODY, 2, "has no format of answers 'xml'"),
        (GOOD + "Authorization: Basic made-up secret\n" + BODY, 3, "not a scheme followed by settings"),
        (
            GOOD + "Authorization: Basic {{$dotenv HOME}} {{$dotenv PATH}}\n" + BODY,
            3,
            "HOME is not a setting of Medipim",
        ),
        (GOOD + "Authorization: Basic {{user}} {{$dotenv MEDIPIM_API_KEY_SECRET}}\n" + BODY, 3, "not a scheme"),
        ("POST {{host}}/{{$dotenv MEDIPIM_API_KEY_SECRET}}\n" + BODY, 2, "not a variable of this file"),
        ("POST {{host}}/v4/brands/query?a={{$guid}}\n" + BODY, 2, "not a variable of this file"),
        (GOOD + '\n{"filter": {"search": "{{$processEnv HOME}}"}}', 4, "not a variable of this file"),
        (GOOD + '\n{"filter": {"search": "{{login.response.body.token}}"}}', 4, "not a variable of this file"),
        ("@a = {{b}}\n@b = {{a}}\nPOST {{a}}\n", 4, "circle"),
        ("@a = {{a}}{{a}}{{a}}\nPOST {{a}}\n", 3, "circle"),
        (
            "".join(f"@v{level} = {{{{v{level + 1}}}}}{{{{v{level + 1}}}}}\n" for level in range(40))
            + "@v40 =\nPOST {{v0}}/v4\n",
            43,
            "circle",
        ),
        ("@long = " + "x" * 400_000 + "\nPOST {{long}}{{long}}{{long}}{{long}}\n", 3, "too long"),
        ("{{\nexports.x = 1\n}}\n" + GOOD + BODY, 3, "not a header"),
        ("import ./other.http\n", 2, "not a request|origin|No query"),
        ("# @vendorkit {\n" + GOOD + BODY, 2, "not JSON"),
        ("# @vendorkit [1]\n" + GOOD + BODY, 2, "not a JSON object"),
        ('# @vendorkit {"path": "/etc/passwd"}\n' + GOOD + BODY, 3, "@vendorkit has no option 'path'"),
        ('# @vendorkit {"columns": ["nam"]}\n' + GOOD + BODY, 3, "Did you mean"),
        ('# @vendorkit {"limit": -1}\n' + GOOD + BODY, 3, "limit must be"),
        ('# @vendorkit {"strategy": "x"}\n' + GOOD + BODY, 3, "strategy"),
        ("# @name a\n" + GOOD + BODY + "\n###\n# @name a\n" + GOOD + BODY, 8, "An earlier request is also named 'a'"),
    ],
)
def test_anything_else_is_an_error_that_names_the_line(medipim, vendors, file, text, line, said):  # noqa: PLR0917
    """S15: Other hosts, paths, files, variables, scripts and headers are refused, and no credential is shown."""
    place = file(f"@host = {medipim.base_url}\n{text}")
    vendors["medipim"].clear_log()
    with pytest.raises(UsageError, match=said) as caught:
        saved_requests(place, medipim)
    assert str(caught.value).startswith(f"requests.http, line {line}: ")
    assert "made-up" not in str(caught.value)
    assert len(str(caught.value)) < 700
    assert vendors["medipim"].requests == 0


def test_request_for_another_vendor_or_environment_is_refused(medipim, mediagenix, file):
    """A file for one vendor is not sent to another."""
    place = file(f"@host = {mediagenix.base_url}\n")
    save_request(place, "titles", mediagenix.titles.query(), mediagenix)
    with pytest.raises(UsageError, match=r"line 7: MEDIAGENIX_ROBOT_USER is not a setting"):
        saved_requests(place, medipim)


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "large", "binary"])
def test_what_is_no_such_file_is_refused(medipim, tmp_path, kind):
    """It is a typed error without a wait."""
    place = tmp_path / "x.http"
    if kind == "folder":
        place.mkdir()
    elif kind == "pipe":
        os.mkfifo(place)
    elif kind == "large":
        place.write_text("#" * 2_000_000, encoding="utf-8")
    elif kind == "binary":
        place.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=r"x\.http"):
        saved_requests(place, medipim)
    with pytest.raises(UsageError):
        saved_requests(7, medipim)


def test_name_of_a_vendor_is_no_client(file):
    """The error says what to pass."""
    with pytest.raises(UsageError, match="client must be a connected client"):
        saved_requests(file("###"), "medipim")


def test_requests_are_added_and_none_is_lost(medipim, tmp_path):
    """The text of the file is kept, and a name is used once. If a request cannot be saved, the file does not change."""
    place = tmp_path / "my requests.http"
    save_request(place, "one", medipim.brands.query(), medipim)
    before = place.read_text(encoding="utf-8").replace("### one", "### one, as I like it")
    place.write_text(before, encoding="utf-8")
    save_request(place, "two", medipim.brands.query(id=9), medipim)
    text = place.read_text(encoding="utf-8")
    assert text.startswith(before.rstrip())
    assert list(saved_requests(place, medipim)) == ["one", "two"]
    for name in ("two", "a b", "", "x\n### y", "../x"):
        with pytest.raises(UsageError):
            save_request(place, name, medipim.brands.query(), medipim)
    with pytest.raises(UsageError):
        save_request(tmp_path / "no" / "x.http", "one", medipim.brands.query(), medipim)
    assert place.read_text(encoding="utf-8") == text
    assert [one.name for one in tmp_path.iterdir()] == [place.name]


@pytest.mark.parametrize("text", ["", "# of mine\n", "@base = https://mine.example\n\n### {{base}}\n"])
def test_file_without_the_host_gets_it(medipim, tmp_path, text):
    """The host is added once. If the path is a link, the file that it leads to is written."""
    place, link = tmp_path / "mine.http", tmp_path / "x.http"
    place.write_text(text, encoding="utf-8")
    link.symlink_to(place)
    save_request(link, "one", medipim.brands.query(), medipim)
    save_request(link, "two", medipim.brands.query(id=9), medipim)
    assert link.is_symlink()
    assert place.read_text(encoding="utf-8").startswith(text.rstrip())
    assert place.read_text(encoding="utf-8").count("@host = ") == 1
    assert list(saved_requests(place, medipim)) == ["one", "two"]


def test_device_is_no_file_to_save_to(medipim, tmp_path, monkeypatch):
    """The device would be replaced by a file. So this test cannot write: it may run as root, without the check."""
    monkeypatch.setattr("vendorkit.httpfile.write_atomically", lambda *_: pytest.fail("the device was written to"))
    (tmp_path / "x.http").symlink_to(os.devnull)
    with pytest.raises(UsageError, match="the path of a file"):
        save_request(tmp_path / "x.http", "one", medipim.brands.query(), medipim)
    assert (tmp_path / "x.http").is_char_device()


@pytest.mark.parametrize("end", ["\u2028", "\u2029", "\x85", "\x1c", "\x0b", "\x0c", "\n", "\r\n"])
def test_text_with_any_line_end_is_saved(medipim, tmp_path, end):
    """Only the line ends that editors use end a line of the file."""
    query = medipim.products.query(search={"query": f"a{end}b", "locale": "nl"})
    save_request(tmp_path / "x.http", "x", query, medipim)
    again = saved_requests(tmp_path / "x.http", medipim)["x"]
    assert json.loads(again.request().body) == json.loads(query.request().body)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": None}, "name must be"),
        ({"name": 3}, "name must be"),
        ({"query": "brands"}, "query must be"),
        ({"options": "limit"}, "options must be"),
    ],
)
def test_wrong_arguments_are_usage_errors(medipim, tmp_path, wrong, said):
    """Options may contain NumPy's numbers. Columns are passed by name."""
    given = {"name": "x", "query": medipim.brands.query(), "client": medipim, "options": {"limit": np.int64(3)}}
    with pytest.raises(UsageError, match=said):
        save_request(tmp_path / "x.http", **{**given, **wrong})
    save_request(tmp_path / "x.http", **given)
    saved = saved_requests(tmp_path / "x.http", medipim)["x"]
    assert len(saved.frame()) == 3
    with pytest.raises(UsageError, match="positional"):
        saved.frame(["id"])


def test_request_that_needs_an_access_token_is_saved_without_one(pledg, tmp_path):
    """A file cannot say how to fetch it. A comment tells other programs, and vendorkit fetches one as always."""
    query = pledg.server_payment_schedule.query(amount_cents=20_000, created="2026-01-31")
    save_request(tmp_path / "x.http", "x", query, pledg)
    text = (tmp_path / "x.http").read_text(encoding="utf-8")
    assert "Other programs need an access token" in text
    assert pledg.settings.get("PLEDG_API_SECRET") not in text
    pd.testing.assert_frame_equal(saved_requests(tmp_path / "x.http", pledg)["x"].frame(), query.frame())


def test_query_that_is_no_single_request_is_not_saved(mediagenix, tmp_path):
    """Changes come from a feed, whose URL does not contain the query."""
    with pytest.raises(UsageError):
        save_request(tmp_path / "x.http", "x", mediagenix.titles.query(since="2026-01-31"), mediagenix)
    assert not list(tmp_path.iterdir())
