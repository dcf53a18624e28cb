"""The commands of the vendors' authentication pages, run unchanged on the mock servers."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys

import pytest

pytestmark = pytest.mark.peer

# Medipim, "Authentication" (read 2026-11): curl, PHP with cURL, Python.
MEDIPIM_CURL = r"""
curl --user apiKeyId:apiKeySecret \
--location \
--request POST https://api.medipim.be/v4/brands/query
"""
MEDIPIM_PHP = r"""
$h = curl_init("https://api.medipim.be/v4/brands/query");
curl_setopt($h, CURLOPT_USERPWD, "ApiKeyId:ApikeySecret");
curl_setopt($h, CURLOPT_RETURNTRANSFER, true);
curl_setopt($h, CURLOPT_HTTPHEADER, ["Content-type: application/json"]);
curl_setopt($h, CURLOPT_POSTFIELDS, json_encode([]));
$response = curl_exec($h);
"""
MEDIPIM_PYTHON = """
import http.client
import json

conn = http.client.HTTPSConnection("api.medipim.be")
payload = json.dumps({})
headers = {
'Content-Type': 'application/json',
# Base64-encoded "ApiKeyId:ApikeySecret"
'Authorization': 'Basic QXBpS2V5SWQ6QXBpa2V5U2VjcmV0'
}
conn.request("POST", "/v4/brands/query", payload, headers)
res = conn.getresponse()
data = res.read()
print(data.decode("utf-8"))
"""
# Pledg, "Authentication" (read 2026-11).
PLEDG_CURL = r"""
curl -X POST <API_URL>/api/token \
  -H "Content-Type: application/x-www-form-urlencoded" \
  -H "Authorization: Basic $(echo -n your_key:your_secret | base64)" \
  -d "grant_type=client_credentials"
"""
# Mediagenix, "Authentication of API users" (read 2026-11); its address is missing on the page.
MEDIAGENIX_CURL = "curl --digest -u robot_user:password https://movida.bebanjo.net/api"


def run(command, ca_pem, folder):
    """Return what *command* prints; it trusts this authority, by the variables that such programs read."""
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed; .ci/run installs it")
    ca = folder / "ca.pem"
    ca.write_text(ca_pem)
    environment = {**os.environ, "CURL_CA_BUNDLE": str(ca), "SSL_CERT_FILE": str(ca)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def pair_of(vendor, user, password):
    """Two credentials of a running vendor."""
    return vendor.credentials[user], vendor.credentials[password]


@pytest.fixture
def brands(vendors):
    """Return the Medipim mock server, its key, and the replacements for the placeholders of the page."""
    vendor = vendors["medipim"]
    user, secret = pair_of(vendor, "MEDIPIM_API_KEY_ID", "MEDIPIM_API_KEY_SECRET")
    encoded = base64.b64encode(f"{user}:{secret}".encode()).decode()

    def adapted(text):
        text = re.sub("(?i)apikeyid:apikeysecret", f"{user}:{secret}", text)
        text = text.replace("QXBpS2V5SWQ6QXBpa2V5U2VjcmV0", encoded)
        return text.replace("https://api.medipim.be", vendor.base_url).replace(
            "api.medipim.be", vendor.base_url.removeprefix("https://")
        )

    return vendor, adapted


def test_medipims_curl_line_gives_brands(brands, tmp_path):
    """HTTP Basic by curl, POST without a body. Promise 10."""
    vendor, adapted = brands
    assert "results" in json.loads(run(["bash", "-c", adapted(MEDIPIM_CURL)], vendor.ca_pem, tmp_path))


def test_medipims_python_gives_brands(brands, tmp_path):
    """HTTP Basic by hand. Promise 10."""
    vendor, adapted = brands
    assert "results" in json.loads(run([sys.executable, "-c", adapted(MEDIPIM_PYTHON)], vendor.ca_pem, tmp_path))


def test_medipims_php_gives_brands(brands, tmp_path):
    """HTTP Basic by PHP's cURL. Promise 10."""
    vendor, adapted = brands
    code = adapted(MEDIPIM_PHP) + "echo $response;"
    command = ["php", "-d", f"curl.cainfo={tmp_path / 'ca.pem'}", "-r", code]
    assert "results" in json.loads(run(command, vendor.ca_pem, tmp_path))


def test_pledgs_curl_line_gives_a_token(vendors, tmp_path):
    """The client credentials grant. Promise 10."""
    vendor = vendors["pledg"]
    key, secret = pair_of(vendor, "PLEDG_API_KEY", "PLEDG_API_SECRET")
    # `base64` breaks lines after 76 characters; the page's placeholders are shorter than that.
    line = PLEDG_CURL.replace("<API_URL>", vendor.base_url).replace("your_key:your_secret", f"{key}:{secret}")
    answer = json.loads(run(["bash", "-c", line.replace("| base64", "| base64 -w0")], vendor.ca_pem, tmp_path))
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 600)


def test_mediagenixs_curl_line_gives_xml(vendors, tmp_path):
    """Digest by curl: "the response should be a valid XML". Promise 10."""
    vendor = vendors["mediagenix"]
    user, password = pair_of(vendor, "MEDIAGENIX_ROBOT_USER", "MEDIAGENIX_ROBOT_PASSWORD")
    line = MEDIAGENIX_CURL.replace("https://movida.bebanjo.net", vendor.base_url)
    printed = run(["bash", "-c", line.replace("robot_user:password", f"{user}:{password}")], vendor.ca_pem, tmp_path)
    assert printed.startswith("<?xml")
