"""HTTP Digest of the Mediagenix mock server, with curl, httpx, requests, and a computation in this file."""

from __future__ import annotations

import base64
import hashlib
import re
import ssl
import subprocess
import time

import httpx
import pytest
import requests
from requests.auth import HTTPDigestAuth

from vendorkit import local

ALGORITHMS = ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess"]


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """Run both products. `ca_path` is the file of their CA, for clients that read files."""
    with local.start(vendors=("mediagenix", "sequence"), titles=100) as running:
        path = tmp_path_factory.mktemp("ca") / "ca.pem"
        path.write_text(running["mediagenix"].ca_pem)
        running["mediagenix"].ca_path = str(path)
        yield running


@pytest.fixture
def vendor(servers):
    """Return the Mediagenix mock server, with the switches of its start and an empty log."""
    servers.reset()
    return servers["mediagenix"]


@pytest.fixture
def client(vendor):
    """Return an httpx client without credentials."""
    context = ssl.create_default_context(cadata=vendor.ca_pem)
    with httpx.Client(base_url=vendor.base_url, verify=context, trust_env=False) as opened:
        yield opened


def pair_of(vendor) -> tuple[str, str]:
    """Return user and password."""
    return vendor.credentials["MEDIAGENIX_ROBOT_USER"], vendor.credentials["MEDIAGENIX_ROBOT_PASSWORD"]


def challenge(answer) -> dict[str, str]:
    """Return the parameters of a Digest challenge."""
    header = answer.headers["WWW-Authenticate"]
    assert header.startswith("Digest ")
    return {name: quoted or plain for name, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^,\s]+))', header)}


def authorization(vendor, asked, target, *, count=1, **changes) -> dict[str, str]:
    """Return an Authorization header by RFC 7616 3.4, after *changes* to its parameters."""
    user, password = pair_of(vendor)
    digest = hashlib.sha256 if "SHA-256" in asked["algorithm"] else hashlib.md5

    def hexhash(*parts):
        return digest(":".join(parts).encode()).hexdigest()

    sent = {
        "username": user,
        "realm": asked["realm"],
        "nonce": asked["nonce"],
        "uri": target,
        "opaque": asked["opaque"],
        "algorithm": asked["algorithm"],
        "qop": "auth",
        "nc": f"{count:08x}",
        "cnonce": "0a4f113b",
    } | changes
    first = hexhash(user, sent["realm"], password)
    if asked["algorithm"].endswith("-sess"):
        first = hexhash(first, sent["nonce"], sent["cnonce"])
    middle = [sent["nonce"], sent["nc"], sent["cnonce"], sent["qop"]]
    sent["response"] = hexhash(first, *middle, hexhash("GET", sent["uri"]))
    bare = {"qop", "nc", "algorithm"}
    pieces = [f"{name}={value}" if name in bare else f'{name}="{value}"' for name, value in sent.items()]
    return {"Authorization": "Digest " + ", ".join(pieces)}


def test_the_challenge_is_that_of_rails(client, servers):
    """Realm, qop, algorithm, nonce of "<unix>:<mac>" in base64, opaque, no stale; the body of Rails."""
    before = time.time()
    answer = client.get("/api")
    assert (answer.status_code, answer.text) == (401, "HTTP Digest: Access denied.\n")
    form = r'Digest realm="Local Movida", qop="auth", algorithm=MD5, nonce="[\w+/=]+", opaque="[0-9a-f]{32}"'
    assert re.fullmatch(form, answer.headers["WWW-Authenticate"])
    issued, _, mac = base64.b64decode(challenge(answer)["nonce"]).decode().partition(":")
    assert before - 1 <= float(issued) <= time.time() + 1
    assert re.fullmatch("[0-9a-f]{32}", mac)
    other = client.get(servers["sequence"].base_url + "/api")
    assert challenge(other)["realm"] == "Local Sequence"
    assert challenge(other)["opaque"] != challenge(answer)["opaque"]


def test_one_robot_user_is_known_to_both_products(servers, client):
    """The same credentials are valid for Sequence."""
    assert servers["sequence"].credentials == servers["mediagenix"].credentials
    answer = client.get(servers["sequence"].base_url + "/api", auth=httpx.DigestAuth(*pair_of(servers["sequence"])))
    assert answer.status_code == 200


# Without a qop there is no cnonce, and so no -sess form.
@pytest.mark.parametrize(
    ("algorithm", "qop"), [*((name, "auth") for name in ALGORITHMS), ("MD5", None), ("SHA-256", None)]
)
def test_independent_clients_pass(vendor, client, algorithm, qop):
    """Each of curl, httpx and requests that supports an algorithm is accepted, also with RFC 2069. Promise 10."""
    vendor.set(digest_algorithm=algorithm, digest_qop=qop)
    user, password = pair_of(vendor)
    target = "/api/titles?expand=brand,metadata"
    assert client.get(target, auth=httpx.DigestAuth(user, password)).status_code == 200
    command = ["curl", "-sS", "--digest", "--cacert", vendor.ca_path, "-K", "-", "-o", "/dev/null"]
    command += ["-w", "%{http_code}", vendor.base_url + target]
    config = f'user = "{user}:{password}"'
    done = subprocess.run(command, input=config, capture_output=True, text=True, check=True, timeout=20)
    assert done.stdout == "200"
    if "-sess" not in algorithm:  # which requests does not speak
        with requests.Session() as session:
            session.trust_env = False
            auth = HTTPDigestAuth(user, password)
            assert session.get(vendor.base_url + target, auth=auth, verify=vendor.ca_path).status_code == 200
    clients = 2 if "-sess" in algorithm else 3
    assert [(entry["status"], entry["scheme"]) for entry in vendor.log()] == [(401, None), (200, "Digest")] * clients


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_arithmetic_of_each_algorithm_is_that_of_the_rfc(vendor, client, algorithm):
    """The response by RFC 7616 3.4, as these tests compute it, is accepted."""
    vendor.set(digest_algorithm=algorithm)
    asked = challenge(client.get("/api"))
    assert asked["algorithm"] == algorithm
    assert client.get("/api", headers=authorization(vendor, asked, "/api")).status_code == 200


def test_a_wrong_password_or_parameter_is_challenged_again(vendor, client):
    """Wrong password, user, realm, opaque, response, count, qop, an unknown nonce: 401 each, never stale."""
    auth = httpx.DigestAuth(pair_of(vendor)[0], "wrong")
    assert client.get("/api", auth=auth).status_code == 401
    asked = challenge(client.get("/api"))
    foreign = base64.b64encode(f"{time.time():.6f}:{'0' * 32}".encode()).decode()
    wrong = [{"username": "x"}, {"realm": "x"}, {"opaque": "x"}, {"nc": "1"}, {"qop": "auth-int"}, {"nonce": foreign}]
    for changes in [*wrong, {"nonce": "%%"}, {"cnonce": ""}, {"algorithm": "SHA-256"}]:
        answer = client.get("/api", headers=authorization(vendor, asked, "/api", **changes))
        assert answer.status_code == 401, changes
        assert "stale" not in challenge(answer)
    good = authorization(vendor, asked, "/api")["Authorization"]
    broken = good[:-3] + ("00" if good[-3:-1] != "00" else "11") + '"'
    assert client.get("/api", headers={"Authorization": broken}).status_code == 401
    assert client.get("/api", headers={"Authorization": good}).status_code == 200


@pytest.mark.parametrize("header", ["Digest", "Digest x", 'Digest username="a', "Basic eDp5", "digest ,,,="])
def test_malformed_headers_are_refused_and_break_nothing(client, header):
    """Whatever the header contains, the answer is 400 or 401."""
    assert client.get("/api", headers={"Authorization": header}).status_code in (400, 401)


def test_the_uri_must_be_the_requests_target_byte_for_byte(vendor, client):
    """Percent-encoding, commas and the query must match. A decoded or shortened uri gets 400."""
    target = "/api/titles?name=a%2Cb%20c,d"
    asked = challenge(client.get(target))
    assert client.get(target, headers=authorization(vendor, asked, target)).status_code == 200
    for uri in ("/api/titles?name=a,b%20c,d", "/api/titles", "/api/titles?name=a%2cb%20c,d", vendor.base_url + target):
        assert client.get(target, headers=authorization(vendor, asked, uri)).status_code == 400, uri


def test_a_switch_takes_any_uri_that_is_signed(vendor, client):
    """Like Rails 5, for clients that leave out the query. Another user's password is still refused."""
    vendor.set(digest_uri="any")
    target = "/api/titles?name=a"
    asked = challenge(client.get(target))
    for uri in (target, "/api/titles", "/api/titles?"):
        assert client.get(target, headers=authorization(vendor, asked, uri)).status_code == 200, uri
    header = authorization(vendor, asked, "/api/titles")
    wrong = {"Authorization": header["Authorization"].replace('uri="/api/titles"', 'uri="/api"')}
    assert client.get(target, headers=wrong).status_code == 401


def test_a_nonce_is_reused_in_any_order_and_by_replay(vendor, client):
    """As in Rails, counts are not checked."""
    asked = challenge(client.get("/api"))
    for count in (1, 5, 3, 3):
        assert client.get("/api", headers=authorization(vendor, asked, "/api", count=count)).status_code == 200


def test_a_strict_server_wants_a_rising_count(vendor, client):
    """Like Apache's AuthDigestNcCheck, gaps are accepted; replayed and reordered counts are refused without stale."""
    vendor.set(strict_nonce_count=True, nonce_says_stale=True)
    asked = challenge(client.get("/api"))
    expected = [(1, 200), (5, 200), (5, 401), (3, 401), (6, 200)]
    for count, status in expected:
        answer = client.get("/api", headers=authorization(vendor, asked, "/api", count=count))
        assert answer.status_code == status
        assert status == 200 or "stale" not in challenge(answer)


@pytest.mark.parametrize("says_stale", [False, True])
def test_expired_nonces_are_challenged_with_stale_only_where_asked_for(vendor, client, says_stale):
    """expire_now() invalidates all nonces. `stale=true` is sent only with a switch, and never for a wrong password."""
    vendor.set(nonce_says_stale=says_stale)
    asked = challenge(client.get("/api"))
    vendor.expire_now()
    fresh = challenge(client.get("/api", headers=authorization(vendor, asked, "/api")))
    assert fresh.get("stale") == ("true" if says_stale else None)
    assert client.get("/api", headers=authorization(vendor, fresh, "/api")).status_code == 200
    wrong = client.get("/api", headers=authorization(vendor, asked, "/api", realm="x"))
    assert "stale" not in challenge(wrong)


def test_a_nonce_lives_from_its_issue(vendor, client):
    """A use does not extend the lifetime."""
    vendor.set(nonce_lifetime_s=1.0)
    issued = time.time()
    asked = challenge(client.get("/api"))
    statuses = []
    while time.time() < issued + 1.2:
        answer = client.get("/api", headers=authorization(vendor, asked, "/api"))
        statuses.append(answer.status_code)
        time.sleep(0.1)
    assert statuses[0] == 200
    assert statuses[-1] == 401
    assert statuses == sorted(statuses)


def test_the_next_nonce_is_offered_by_a_switch(vendor, client):
    """Accepted requests get Authentication-Info, and its nonce is valid."""
    asked = challenge(client.get("/api"))
    assert "Authentication-Info" not in client.get("/api", headers=authorization(vendor, asked, "/api")).headers
    vendor.set(nextnonce=True, strict_nonce_count=True)
    answer = client.get("/api", headers=authorization(vendor, asked, "/api", count=2))
    following = re.fullmatch('nextnonce="([^"]+)"', answer.headers["Authentication-Info"]).group(1)
    assert following != asked["nonce"]
    again = client.get("/api", headers=authorization(vendor, {**asked, "nonce": following}, "/api"))
    assert again.status_code == 200


def test_only_auth_int_can_be_offered(vendor, client):
    """The challenge offers it, for clients that must refuse it."""
    vendor.set(digest_qop="auth-int")
    assert challenge(client.get("/api"))["qop"] == "auth-int"


def test_a_ban_counts_down(vendor, client):
    """Mediagenix: 429 with Ratelimit-Reset until the ban ends, even with correct credentials."""
    vendor.set(rate_limit=True, rate_limit_requests=1)
    assert client.get("/api").status_code == 401
    refused = client.get("/api", auth=httpx.DigestAuth(*pair_of(vendor)))
    assert refused.status_code == 429
    assert 299 <= int(refused.headers["Ratelimit-Reset"]) <= 301
    vendor.set(rate_limit=True)
    assert client.get("/api").status_code == 401
