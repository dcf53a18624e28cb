"""Clients that others wrote, against the mock servers: the lines of the vendors' own authentication pages, and more."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from peer_servers import require

from vendorkit.errors import SignatureInvalid

pytestmark = pytest.mark.peer

CLIENTS = Path(__file__).parent / "clients"
# As the vendors print them, but for the address, the certificate authority and the credentials.
MEDIPIM_CURL = """curl --user {id}:{secret} \\
--location \\
--request POST {url}/v4/brands/query"""
MEDIPIM_PHP = """<?php
$h = curl_init("{url}/v4/brands/query");
curl_setopt($h, CURLOPT_USERPWD, "{id}:{secret}");
curl_setopt($h, CURLOPT_RETURNTRANSFER, true);
curl_setopt($h, CURLOPT_HTTPHEADER, ["Content-type: application/json"]);
curl_setopt($h, CURLOPT_POSTFIELDS, json_encode([]));
$response = curl_exec($h);
echo $response;"""
MEDIPIM_PYTHON = """import http.client
import json

conn = http.client.HTTPSConnection("{host}")
payload = json.dumps({{}})
headers = {{
'Content-Type': 'application/json',
'Authorization': 'Basic {base64}'
}}
conn.request("POST", "/v4/brands/query", payload, headers)
res = conn.getresponse()
data = res.read()
print(data.decode("utf-8"))"""
PLEDG_CURL = """curl -X POST {url}/api/token \\
  -H "Content-Type: application/x-www-form-urlencoded" \\
  -H "Authorization: Basic $(echo -n {key}:{secret} | base64)" \\
  -d "grant_type=client_credentials" """
MEDIAGENIX_CURL = "curl --digest -u {user}:{password} {url}/api"
MEDIAGENIX_OPENSSL = "openssl s_client -showcerts -servername {name} -connect {host}"


@pytest.fixture
def ca_file(vendors, tmp_path):
    """The certificate of the mock servers' authority."""
    path = tmp_path / "ca.pem"
    path.write_text(vendors["medipim"].ca_pem)
    return path


@pytest.fixture
def run(ca_file):
    """Run a shell line, a PHP or a Python program; every program trusts the mock servers' authority."""
    variables = {"CURL_CA_BUNDLE": str(ca_file), "SSL_CERT_FILE": str(ca_file), "PATH": os.environ["PATH"]}

    def running(*command, given="", **more):
        program = require(command[0])
        found = subprocess.run(
            [program, *command[1:]],
            input=given,
            env={**variables, **more},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert found.returncode == 0, found.stderr
        return found.stdout

    return running


def filled(text, vendor, **values):
    """A line with the address of a mock server and these values."""
    host = vendor.base_url.removeprefix("https://")
    return text.format(url=vendor.base_url, host=host, **values)


def medipim_pair(vendors):
    """The key of Medipim's mock server."""
    credentials = vendors["medipim"].credentials
    return {"id": credentials["MEDIPIM_API_KEY_ID"], "secret": credentials["MEDIPIM_API_KEY_SECRET"]}


def pledg_pair(vendors):
    """The key of Pledg's mock server."""
    credentials = vendors["pledg"].credentials
    return {"key": credentials["PLEDG_API_KEY"], "secret": credentials["PLEDG_API_SECRET"]}


def encoded(run, text):
    """What `echo -n … | base64` prints."""
    return run("sh", "-c", f"echo -n {text} | base64")


def test_credentials_of_the_mock_servers_are_short_enough_for_base64(vendors, run):
    """It wraps after 76 characters, and the vendor's own line would send a header of two lines."""
    pairs = [list(pair.values()) for pair in (medipim_pair(vendors), pledg_pair(vendors))]
    pledg = vendors["pledg"].credentials
    pairs.append([pledg["PLEDG_DASHBOARD_EMAIL"], pledg["PLEDG_DASHBOARD_PASSWORD"]])
    for user, password in pairs:
        assert encoded(run, f"{user}:{password}").count("\n") == 1


def test_medipims_line_for_curl(vendors, run):
    """HTTP Basic, a POST without a body."""
    assert vendors["medipim"].requests == 0
    answer = json.loads(run("sh", "-c", filled(MEDIPIM_CURL, vendors["medipim"], **medipim_pair(vendors))))
    assert answer["meta"]["total"] == len(answer["results"]) == 300


def test_medipims_program_for_php(vendors, run, tmp_path, ca_file):
    """CURL in PHP, whose empty array is a list."""
    (tmp_path / "brands.php").write_text(filled(MEDIPIM_PHP, vendors["medipim"], **medipim_pair(vendors)))
    answer = json.loads(run("php", "-d", f"curl.cainfo={ca_file}", str(tmp_path / "brands.php")))
    assert answer["meta"]["total"] == 300


def test_medipims_program_for_python(vendors, run, tmp_path):
    """http.client of the standard library, with a header of one's own."""
    pair = medipim_pair(vendors)
    base64 = encoded(run, f"{pair['id']}:{pair['secret']}").strip()
    (tmp_path / "brands.py").write_text(filled(MEDIPIM_PYTHON, vendors["medipim"], base64=base64))
    assert json.loads(run(sys.executable, str(tmp_path / "brands.py")))["meta"]["total"] == 300


def test_pledgs_line_for_curl_and_a_call_with_its_token(vendors, run):
    """A header made by echo and base64; the token then opens an endpoint that is secured."""
    answer = json.loads(run("sh", "-c", filled(PLEDG_CURL, vendors["pledg"], **pledg_pair(vendors))))
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 600)
    uid = vendors["pledg"].credentials["PLEDG_MERCHANT_UID"]
    url = f"{vendors['pledg'].base_url}/api/merchants/{uid}/simulate_payment_schedule"
    body = '{"amount_cents": 200, "created": "2021-12-17"}'
    plan = run("curl", "-s", "-H", f"Authorization: Bearer {answer['access_token']}", "-d", body, url)
    assert [line["amount_cents"] for line in json.loads(plan)["INSTALLMENT"]] == [68, 66, 66]


@pytest.mark.parametrize("product", ["mediagenix", "sequence"])
def test_mediagenixs_line_for_curl(vendors, run, product):
    """Digest; the response is valid XML with links."""
    names = ("MEDIAGENIX_ROBOT_USER", "MEDIAGENIX_ROBOT_PASSWORD")
    user, password = (vendors[product].credentials[name] for name in names)
    answer = run("sh", "-c", filled(MEDIAGENIX_CURL, vendors[product], user=user, password=password))
    assert re.search("<(movida|sequence)><link ", answer)
    assert [entry["scheme"] for entry in vendors[product].log()] == [None, "Digest"]


def test_mediagenixs_line_for_openssl(vendors, run, ca_file):
    """It shows the chain; the root's name is that of the mock servers' authority."""
    line = filled(MEDIAGENIX_OPENSSL, vendors["mediagenix"], name="localhost")
    shown = run("sh", "-c", f"{line} -CAfile {ca_file} </dev/null")
    assert "BEGIN CERTIFICATE" in shown
    assert "vendorkit local test CA" in shown
    assert "Verify return code: 0 (ok)" in shown


def test_a_ruby_client_with_its_own_digest_reads_xml_and_polls_events(vendors, run, ca_file):
    """Every page of titles by next links on one connection; a poller's requests, whose event_type is empty."""
    vendor = vendors["mediagenix"]
    pair = {
        "ROBOT_USER": vendor.credentials["MEDIAGENIX_ROBOT_USER"],
        "ROBOT_PASSWORD": vendor.credentials["MEDIAGENIX_ROBOT_PASSWORD"],
    }
    output = run("ruby", str(CLIENTS / "digest.rb"), vendor.base_url, str(ca_file), **pair)
    assert output.split() == ["2000", "50", "true"]
    assert [entry["status"] for entry in vendor.log()].count(401) == 1


def test_php_signs_and_checks_as_this_package_does(pledg, vendors, run):
    """A purchase link signed in PHP is accepted; notifications get the same verdicts on both sides."""
    answer = pledg.get("/api/local/notifications", params={"count": 100}, auth=None).json()
    data = {
        "merchantUid": pledg.settings.get("PLEDG_MERCHANT_UID"), "amountCents": 30_550, "email": "jane@shop.example",
        "firstName": "Jané", "lastName": "O'Doe", "title": 'Séjour / "Londres"', "reference": "order_123",
    }  # fmt: skip
    given = json.dumps({"claims": {"data": data}, "bodies": answer["notifications"]})
    secret = vendors["pledg"].credentials["PLEDG_MERCHANT_SECRET"]
    found = json.loads(run("php", str(CLIENTS / "signing.php"), given=given, MERCHANT_SECRET=secret))
    page = pledg.get("/purchase", params={"signature": found["token"]}, auth=None)
    assert "signature verified" in page.text
    assert found["genuine"] == [is_genuine(pledg, body) for body in answer["notifications"]]
    assert 0 < sum(found["genuine"]) < 100


def is_genuine(pledg, body):
    """Whether this package takes a notification for genuine."""
    try:
        pledg.notifications.verify(body)
    except (SignatureInvalid, ValueError):
        return False
    return True
