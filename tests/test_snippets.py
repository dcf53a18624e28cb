"""Snippets are complete programs, and no value can end its quotes. Programs of the installed languages are run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import requests

from vendorkit.errors import UsageError
from vendorkit.resource import first_call
from vendorkit.tools import snippets
from vendorkit.tools.snippets import languages

HOSTILE = "it's \"9\" \\ \\' $HOME ${x} `id` $(id) <?php ?> \\n\n'); system('id'); // é 東"
RUN = [
    "curl",
    "python",
    "requests",
    "php",
    "javascript",
    "java",
    "ruby",
    "r",
    "go",
]  # where what runs them is installed
# Their programs, and how the file has to be called.
TOOLS = {"curl": "bash", "python": sys.executable, "requests": sys.executable, "javascript": "node", "r": "Rscript"}
SCRIPTS = {"javascript": "snippet.mjs", "java": "Snippet.java", "go": "snippet.go"}
# Older versions of R's curl have no variable for trusted roots.
R_TRUST = """
plain <- curl::new_handle
trusting <- function(...) plain(..., cainfo = Sys.getenv("SSL_CERT_FILE"))
utils::assignInNamespace("new_handle", trusting, "curl")
"""
NO_DIGEST = ["javascript", "java", "ruby", "go"]
# A program in Java takes two seconds to start.
RUN_OFTEN = [pytest.param(one, marks=pytest.mark.slow) if one == "java" else one for one in RUN]
# How a text begins and ends, and what stands for a quote in it.
STRINGS = {
    "ruby": r"'((?:[^'\\]|\\.)*)'",
    "powershell": "'((?:[^'\u2018-\u201b]|['\u2018-\u201b]{2})*)'",
    **dict.fromkeys(("r", "go", "csharp", "java", "javascript"), r'"((?:[^"\\\n]|\\.)*)"'),
}
PLEDG = {"amount_cents": 20_000, "created": "2026-01-31"}
# name: the client's fixture, and the query
ASKED = {
    "medipim": lambda client: client.organizations.query(type=["supplier", "other"], sort="-id"),
    "medipim products": lambda client: client.products.query(brand=9),
    "mediagenix json": lambda client: client.titles.query(accept="json", expand=["metadata"]),
    "mediagenix xml": lambda client: client.brands.query(),
    "pledg": lambda client: client.payment_schedule.query(**PLEDG),
}


@pytest.fixture
def client_of(medipim, pledg, mediagenix):
    """Return the client of the vendor that a key of `ASKED` begins with."""
    clients = {"medipim": medipim, "pledg": pledg, "mediagenix": mediagenix}
    return lambda name: clients[name.split()[0]]


@pytest.fixture
def run(vendors, tmp_path):
    """Run a snippet as a program with credentials and trust only in its environment; return its output."""
    authority = tmp_path / "ca.pem"
    authority.write_text(vendors["medipim"].ca_pem, encoding="ascii")
    names = ("CURL_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
    trust = dict.fromkeys(names, str(authority))
    credentials = {name: value for one in vendors for name, value in vendors[one].credentials.items()}

    def running(language: str, code: str) -> str:
        script = tmp_path / SCRIPTS.get(language, "snippet")
        script.write_text(code, encoding="utf-8")
        # PHP has no variable for trusted roots, so the two of its settings are given that stand for one.
        options = {"php": [f"-dcurl.cainfo={authority}", f"-dopenssl.cafile={authority}"], "go": ["run"]}
        options |= {"python": ["-W", "error"], "requests": ["-W", "error"]}
        if language == "java":
            options["java"] = java(tmp_path, authority)
        command = [TOOLS.get(language, language), *options.get(language, ()), str(script)]
        (tmp_path / "profile.R").write_text(R_TRUST, encoding="ascii")
        own = {"PYTHONUTF8": "1", "HOME": str(tmp_path), "R_PROFILE_USER": str(tmp_path / "profile.R")}
        environment = {**os.environ, **trust, **credentials, **own}
        done = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr.decode()
        shown = done.stdout.decode("utf-8")
        if language == "python":
            status, _, shown = shown.partition(" ")
            assert status == "200"
        return shown

    return running


def java(folder: Path, authority: Path) -> list[str]:
    """Return the options of a program. Java reads its trusted roots from a separate store."""
    store = folder / "roots.p12"
    options = ["-importcert", "-noprompt", "-alias", "ours", "-file", str(authority), "-storetype", "PKCS12"]
    subprocess.run(
        ["keytool", *options, "-keystore", str(store), "-storepass", "changeit"], capture_output=True, check=True
    )
    encoding = ["-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8"]
    return [*encoding, f"-Djavax.net.ssl.trustStore={store}", "-Djavax.net.ssl.trustStorePassword=changeit"]


def need(language: str) -> None:
    """Skip the test if the language is not installed."""
    if not shutil.which(TOOLS.get(language, language)):
        pytest.skip(f"{TOOLS.get(language, language)} is not installed")
    if (
        language == "php"
        and "curl" not in subprocess.run(["php", "-m"], capture_output=True, text=True, check=True).stdout
    ):
        pytest.skip("PHP's curl extension is not installed")


def answering(body: str):
    """Return a `send` that adds this body to every call."""
    response = requests.Response()
    response.status_code, response._content = 200, body.encode()
    return lambda call: response


@pytest.mark.filterwarnings("ignore::vendorkit.frames.SchemaDrift")
@pytest.mark.parametrize("language", RUN_OFTEN)
@pytest.mark.parametrize("name", ASKED)
def test_snippet_that_runs_gets_the_records_of_the_query(client_of, run, monkeypatch, name, language):
    """The program prints the first page with the same values, umlauts included."""
    need(language)
    client = client_of(name)
    if language in NO_DIGEST and name.startswith("mediagenix"):
        pytest.skip("it has no digest, and says so")
    query, limit = ASKED[name](client), 200 if name.startswith("mediagenix") else None
    frame, shown = query.frame(limit=limit), run(language, query.snippet(language))
    monkeypatch.setattr(client.session, "send", answering(shown))
    pd.testing.assert_frame_equal(query.frame(limit=limit), frame)
    assert len(frame) > 0


@pytest.mark.parametrize("language", RUN)
def test_value_with_every_quote_arrives_as_it_is(medipim, run, vendors, language):
    """Quotes, backslashes, dollars, line ends and non-ASCII reach the vendor unchanged."""
    need(language)
    brand = medipim.brands.get(9)
    query = medipim.brands.query(where={"or": [{"id": 9}, {"search": HOSTILE}]})
    answer = json.loads(run(language, query.snippet(language)))
    assert answer["results"] == [brand]
    sent = query.request().body
    assert vendors["medipim"].log()[-1]["bytes_in"] == len(sent)
    assert json.loads(sent)["filter"]["or"][1] == {"search": HOSTILE}


@pytest.mark.parametrize("language", [one for one in RUN if one not in NO_DIGEST])
def test_value_with_every_quote_arrives_in_an_address(mediagenix, run, vendors, language):
    """The same holds for a query string, also with brackets, which curl could take for a pattern."""
    need(language)
    query = mediagenix.titles.query(external_id=f"{HOSTILE} [1-2] {{a,b}} &c=#", accept="json")
    vendors["mediagenix"].clear_log()
    run(language, query.snippet(language))
    # Digest sends twice; requests writes what it sends the same way as the snippet.
    paths = {f"{entry['path']}?{entry['query']}" for entry in vendors["mediagenix"].log()}
    assert paths == {query.request().path_url}


def php_strings(code: str) -> tuple[list[str], str]:
    """Return the values of the single-quoted strings of a PHP program, and the program with `''` instead of them."""
    literal = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL)
    values = [re.sub(r"\\([\\'])", r"\1", found[1]) for found in literal.finditer(code)]
    return values, literal.sub("''", code)


def test_php_holds_the_body_in_one_string(medipim):
    """PHP has two escapes in single quotes. The text outside the quotes does not depend on the value."""
    query = medipim.brands.query(search=HOSTILE)
    values, hull = php_strings(query.snippet("php"))
    assert query.request().url in values
    assert json.loads(next(value for value in values if value.startswith("{"))) == json.loads(query.request().body)
    assert hull == php_strings(medipim.brands.query(search="x").snippet("php"))[1]


def test_php_holds_an_address_in_one_string(mediagenix):
    """No part of a value is outside its quotes."""
    query = mediagenix.titles.query(external_id=HOSTILE)
    values, hull = php_strings(query.snippet("php"))
    assert query.request().url in values
    assert hull == php_strings(mediagenix.titles.query(external_id="x").snippet("php"))[1]
    assert "CURLAUTH_DIGEST" in hull


def test_php_client_gets_the_body_as_arrays(medipim):
    """Keys and texts are in single quotes, and a hostile text does not change the program around it."""
    values, hull = php_strings(medipim.brands.query(search=HOSTILE).snippet("php-client"))
    assert HOSTILE in values
    assert hull == php_strings(medipim.brands.query(search="x").snippet("php-client"))[1]


def test_php_client_sends_an_empty_filter_as_an_object(medipim):
    """PHP writes an empty array as a JSON list, but Medipim expects `{}` for all records."""
    assert "'filter' => new \\stdClass()" in medipim.products.query().snippet("php-client")


@pytest.mark.skipif(not shutil.which("php"), reason="php is not installed")
@pytest.mark.parametrize("language", ["php", "php-client"])
def test_php_is_a_program(medipim, tmp_path, language):
    """PHP's own parser accepts it."""
    script = Path(tmp_path / "snippet.php")
    script.write_text(medipim.brands.query(search=HOSTILE).snippet(language), encoding="utf-8")
    subprocess.run(["php", "-l", str(script)], check=True, capture_output=True)


@pytest.mark.filterwarnings("ignore::vendorkit.frames.SchemaDrift")
@pytest.mark.parametrize("name", ASKED)
def test_vendorkit_lines_repeat_the_query(client_of, name):
    """The code repeats the query. Hostile values are quoted by Python itself."""
    query = ASKED[name](client_of(name))
    names: dict[str, object] = {}
    exec(query.snippet("vendorkit"), names)  # noqa: S102 - what a user would run
    assert repr(names["query"]) == repr(query)
    assert len(names["frame"]) > 0


def test_vendorkit_lines_keep_what_is_unusual(medipim, mediagenix):
    """The code has hostile texts, nested filters, followed links, and every value that is not the default."""
    queries = [
        medipim.brands.query(search=HOSTILE, where={"or": [{"id": 9}, {"not": {"id": 12}}]}, sort="-name"),
        medipim.products.query(strategy="windows", since="2026-01-31", updated_since=("2026-01-31", None), brand=[]),
        mediagenix.follow("/api/titles/7/rights", expand=["deal"], accept="json"),
    ]
    for query in queries:
        names: dict[str, object] = {}
        exec(query.snippet("vendorkit").rsplit("frame = ", 1)[0], names)  # noqa: S102
        assert names["query"].ask == query.ask


@pytest.mark.parametrize("language", ["vendorkit", "curl", "python", "requests", "php", "php-client", *STRINGS])
@pytest.mark.parametrize("name", ASKED)
def test_secrets_be_in_snippets_as_names_only(client_of, vendors, name, language):
    """If the call is signed, the code has the names of variables in `.env.example`, and never their values."""
    client = client_of(name)
    if language == "php-client" and client.vendor_name != "medipim":
        with pytest.raises(UsageError, match="no snippet in 'php-client'"):
            ASKED[name](client).snippet(language)
        return
    code = ASKED[name](client).snippet(language)
    for variable, value in vendors[client.vendor_name].credentials.items():
        assert value not in code or variable.endswith("_UID")
    names = {
        "medipim": {"MEDIPIM_API_KEY_ID", "MEDIPIM_API_KEY_SECRET"},
        "mediagenix": {"MEDIAGENIX_ROBOT_USER", "MEDIAGENIX_ROBOT_PASSWORD"},
        "pledg": set(),
    }
    if language != "vendorkit":  # which looks its settings up itself
        assert set(re.findall(r"[A-Z]{5,}(?:_[A-Z]+)+", code)) - {"CURLOPT"} >= names[client.vendor_name]


@pytest.mark.filterwarnings("ignore::vendorkit.frames.SchemaDrift")
@pytest.mark.parametrize("language", RUN)
def test_token_is_fetched_first(pledg, vendors, run, monkeypatch, language):
    """The program fetches it with key and secret, and the request contains it."""
    need(language)
    query = pledg.merchant_conditions.query()
    wanted = query.frame()
    first = replace(first_call(query.resource, query.ask), scheme="token")
    monkeypatch.setattr(snippets, "first_call", lambda *_: first)
    vendors["pledg"].clear_log()
    answer = json.loads(run(language, query.snippet(language)))
    assert answer["payment_type"] == wanted["payment_type"].iloc[0]
    granted, sent = vendors["pledg"].log()
    assert (granted["path"], granted["status"], granted["scheme"].lower()) == ("/api/token", 200, "basic")
    assert (sent["status"], sent["scheme"].lower()) == (200, "bearer")


@pytest.mark.parametrize("language", NO_DIGEST)
def test_language_without_digest_says_so(mediagenix, language):
    """The snippet is the curl command in comments, because the server would refuse any other program."""
    query = mediagenix.titles.query(external_id=HOSTILE)
    first, *lines = query.snippet(language).splitlines()
    mark = first.split()[0]
    assert "has no digest authentication. The same with curl:" in first
    assert all(line.startswith(mark) for line in lines)
    assert [line.removeprefix(f"{mark} ") for line in lines] == query.snippet("curl").splitlines()


def test_code_mentions_digest_only_if_it_is_needed(medipim, mediagenix):
    """The comment in Python's code is about Mediagenix."""
    assert "digest" not in medipim.brands.query().snippet("python")
    assert "no digest" in mediagenix.titles.query().snippet("python")


@pytest.mark.parametrize("language", ["csharp", "r", "powershell"])
def test_language_with_digest_uses_it(mediagenix, language):
    """The program uses the language's own digest, with the names of the settings."""
    code = mediagenix.titles.query().snippet(language)
    assert re.search("Digest|httpauth = 2L|pscredential", code)
    assert "MEDIAGENIX_ROBOT_USER" in code


@pytest.mark.parametrize("language", STRINGS)
@pytest.mark.parametrize("name", ["brands", "plans"])
def test_no_value_ends_its_string(client_of, language, name):
    """The program around its strings does not depend on the value, with every kind of quote and line end."""
    quotes = "\u2018\u2019\u201a\u201b\u201c\u201d"
    hostile = f"{HOSTILE} {quotes} \u2028 \u2029 \x85 \x7f #{{x}} `u0041 %(x)s \\u0022 \r\n\t"

    def hull(value: str) -> str:
        if name == "brands":
            code = client_of("medipim").brands.query(search=value).snippet(language)
        else:
            code = client_of("medipim").products.query(where={"id": value}).snippet(language)
        return re.sub(STRINGS[language], "''", code, flags=re.DOTALL)

    assert hull(hostile) == hull("x")
    assert "\u2028" not in hull(hostile)


def test_snippets_honour_the_limit(medipim, run):
    """Every language requests the smallest page with that many rows. The query itself does not change."""
    need("curl")
    query = medipim.products.query()
    assert len(json.loads(run("curl", query.snippet("curl", limit=7)))["results"]) == 10
    assert query.snippet("vendorkit", limit=7).endswith("frame = query.frame(limit=7)\n")
    for language in languages(medipim):
        assert query.snippet(language, limit=7) != query.snippet(language)
        assert "250" not in query.snippet(language, limit=7)
    assert query.ask.limit is None


def test_each_vendor_lists_its_languages_with_labels(medipim, pledg):
    """The language of the vendor's own SDK comes last, if the vendor has one."""
    own = ["vendorkit", "curl", "python", "requests", "php"]
    assert list(languages(pledg)) == [*own, "javascript", "java", "ruby", "r", "go", "csharp", "powershell"]
    read = [name for name, label in languages(pledg).items() if "only read" in label]
    assert read == ["csharp", "powershell"]
    assert languages(medipim) == {**languages(pledg), "php-client": "PHP (Medipim client)"}
    assert all(medipim.brands.query().snippet(language) for language in languages(medipim))


def test_unknown_language_is_refused_with_a_hint(medipim):
    """The error suggests the nearest one."""
    with pytest.raises(UsageError, match="request"):
        medipim.brands.query().snippet("request")
