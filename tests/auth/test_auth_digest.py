"""Digest against an independent server on loopback: what goes over the wire, and how often."""

from __future__ import annotations

import io
import itertools

import pytest
import requests
from auth_servers import walk

from vendorkit.auth import Digest
from vendorkit.errors import CredentialsRefused, UnsupportedChallenge, UsageError, VendorUnavailable

USER, PASSWORD = "robot", "made-up words"


def get(url, auth, **how):
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, auth=auth, timeout=10, **how)


def counts(server):
    """Return all uses of nonces that the server saw, as pairs (nonce, nc)."""
    return [(nonce, nc) for nonce, used in server.used.items() for nc in used]


def test_the_first_request_costs_one_challenge_and_the_next_none(digest_server):
    """The nonce is used again, with a rising count."""
    server, auth = digest_server(), Digest(USER, PASSWORD)
    answers = [get(f"{server.url}/a", auth) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert server.statuses() == [401, 200, 200, 200]
    assert [nc for _, nc in counts(server)] == [1, 2, 3]
    assert [answer.status_code for answer in answers[0].history] == [401]
    assert answers[0].history[0].text == "HTTP Digest: Access denied.\n"
    assert answers[0].request.headers["Authorization"].startswith("Digest ")


@pytest.mark.parametrize("algorithm", [None, "MD5", "md5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256"])
def test_each_algorithm_is_answered_right_more_than_once(digest_server, algorithm):
    """RFC 7616 section 3.2, with the nonce used twice: the -sess key must not change in between."""
    server, auth = digest_server(algorithm=algorithm), Digest(USER, PASSWORD)
    assert [get(server.url, auth).status_code for _ in range(3)] == [200] * 3
    assert server.challenges() == 1
    assert ("algorithm=" in server.log[-1].authorization) == (algorithm is not None)


@pytest.mark.parametrize("qop", [None, "", "auth", "auth-int, auth", "AUTH", "auth,auth-int"])
def test_each_way_of_offering_qop_is_understood(digest_server, qop):
    """A missing or empty qop means RFC 2069; a blank before auth is no part of its name."""
    server = digest_server(qop=qop)
    assert get(server.url, Digest(USER, PASSWORD)).status_code == 200
    assert ("nc=" in server.log[-1].authorization) == bool(qop)
    assert 'qop="' not in server.log[-1].authorization


def test_a_path_that_is_refused_does_not_spoil_the_others(digest_server):
    """Apache answers 401 also for a known user without rights; the password was proven before."""
    server, auth = digest_server(), Digest(USER, PASSWORD)
    server.forbidden_paths.add("/secret")
    assert get(server.url, auth).status_code == 200
    with pytest.raises(CredentialsRefused):
        get(f"{server.url}/secret", auth)
    assert get(server.url, auth).status_code == 200


@pytest.mark.parametrize("stale", [True, False], ids=["with stale", "without stale"])
def test_an_expired_nonce_costs_one_request_and_no_error(digest_server, stale):
    """A26, A27, A28: whether the server says stale or not."""
    server, auth = digest_server(stale=stale), Digest(USER, PASSWORD)
    get(server.url, auth)
    server.expire()
    assert get(server.url, auth).status_code == 200
    assert get(server.url, auth).status_code == 200
    assert server.statuses() == [401, 200, 401, 200, 200]


@pytest.mark.parametrize("used_before", [True, False])
def test_a_server_that_calls_every_nonce_stale_is_given_up(digest_server, used_before):
    """A38: bounded, and no verdict on the password: it was never looked at, so that nothing of it is remembered."""
    server, auth = digest_server(), Digest(USER, PASSWORD)
    if used_before:
        get(server.url, auth)
    check, server.check = server.check, lambda _: "stale"
    server.log.clear()
    with pytest.raises(VendorUnavailable, match="calls each new nonce stale") as caught:
        get(server.url, auth)
    assert caught.value.status == 401
    assert len(server.log) == 5
    server.check = check
    assert get(server.url, auth).status_code == 200


@pytest.mark.parametrize("used_before", [True, False])
def test_a_nonce_that_is_stale_at_once_is_replaced_a_few_times(digest_server, used_before):
    """A38: behind a balancer the next server may be another one, and the next but one the right one."""
    server, auth = digest_server(), Digest(USER, PASSWORD)
    if used_before:
        get(server.url, auth)
    check, verdicts = server.check, iter(["stale"] * 3)
    server.check = lambda seen: next(verdicts, None) or check(seen)
    assert get(server.url, auth).status_code == 200


def test_a_wrong_password_is_refused_although_the_nonce_was_stale_first(digest_server):
    """A38: only the answer to a fresh nonce counts; then it is remembered as ever."""
    server, auth = digest_server(), Digest(USER, "wrong words")
    check, verdicts = server.check, iter([None, "stale"])
    server.check = lambda seen: next(verdicts, None) or check(seen)
    for _ in range(2):
        with pytest.raises(CredentialsRefused):
            get(server.url, auth)
    assert server.statuses() == [401, 401, 401]


def test_nextnonce_is_used_and_the_count_starts_anew(digest_server):
    """RFC 7616 section 3.5."""
    server, auth = digest_server(nextnonce=True), Digest(USER, PASSWORD)
    for _ in range(3):
        assert get(server.url, auth).status_code == 200
    assert server.statuses() == [401, 200, 200, 200]
    assert len({nonce for nonce, _ in counts(server)}) == 3
    assert {nc for _, nc in counts(server)} == {1}


def test_a_count_at_its_end_asks_for_a_new_nonce(digest_server):
    """A33: nc has eight digits; a ninth would be refused, and 0 is a replay."""
    server, auth = digest_server(strict=True), Digest(USER, PASSWORD)
    get(server.url, auth)
    auth._pools[server.url]._shared.count = 0xFFFF_FFFE
    assert [get(server.url, auth).status_code for _ in range(3)] == [200] * 3
    assert server.statuses() == [401, 200, 200, 401, 200, 200]
    assert [nc for _, nc in counts(server)] == [1, 0xFFFF_FFFF, 1, 2]


def test_a_nonce_that_another_process_uses_too_is_replaced(digest_server):
    """A33: a fork has the same nonce and counts on by itself, so that a strict server refuses one of the two."""
    server, auth = digest_server(strict=True, stale=False), Digest(USER, PASSWORD)
    get(server.url, auth)
    (nonce,) = server.counts.keys() & server.nonces
    server.counts[nonce] = 7  # as far as the other one has come
    assert [get(server.url, auth).status_code for _ in range(2)] == [200, 200]
    assert server.statuses() == [401, 200, 401, 200, 200]


@pytest.mark.parametrize(
    "path", ["/a;b/c;d?x=1;2", "//a//b", "/a?", "/a%2cb,c?expand=x%2Cy,z", "/%7euser/ü?q=é", "/a%2f"]
)
def test_the_uri_equals_the_request_line_byte_for_byte(digest_server, path):
    """A35: the server compares both, and Apache answers 400 where they differ."""
    server = digest_server()
    assert get(server.url + path, Digest(USER, PASSWORD)).status_code == 200


def test_the_challenge_of_another_origin_is_never_answered(digest_server):
    """A32, T22: a redirect to another port, whose owner would like to see a response to its own nonce."""
    vendor, attacker = digest_server(), digest_server(realm="attacker")
    answer = get(f"{vendor.url}/to?{attacker.url}/x", Digest(USER, PASSWORD))
    assert answer.status_code == 401
    assert [seen.authorization for seen in attacker.log] == [None]


def test_a_redirect_inside_the_origin_is_signed_anew(digest_server):
    """The old signature is for the old path; sent along it would be refused, or worse, counted."""
    server, auth = digest_server(), Digest(USER, PASSWORD)
    answer = get(f"{server.url}/to?/there;x", auth)
    assert (answer.status_code, answer.url) == (200, f"{server.url}/there;x")
    assert server.statuses() == [401, 302, 401, 200]
    assert server.log[2].authorization is None
    assert get(f"{server.url}/to?/there", auth).status_code == 200
    assert [nc for _, nc in counts(server)] == [1, 2, 3, 4]


def test_a_request_sent_a_second_time_is_signed_anew(digest_server):
    """A prepared request carries one count; the server refuses its repetition."""
    server, auth = digest_server(strict=True), Digest(USER, PASSWORD)
    with requests.Session() as session:
        prepared = session.prepare_request(requests.Request("GET", server.url, auth=auth))
        assert session.send(prepared).status_code == 200
        again = session.prepare_request(requests.Request("GET", server.url, auth=auth))
        assert session.send(again).status_code == 200
        assert session.send(again).status_code == 200


def test_cookies_of_the_challenge_go_with_the_answer(digest_server):
    """A34: also where an older cookie was sent already, and next to one set by hand."""
    server, auth = digest_server(cookie=True), Digest(USER, PASSWORD)
    with requests.Session() as session:
        for _ in range(3):
            assert session.get(server.url, auth=auth, timeout=10).status_code == 200
            server.expire()
        assert session.cookies["session"] in server.log[-1].headers["Cookie"]
    answer = get(server.url, Digest(USER, PASSWORD), headers={"Cookie": "by=hand"})
    assert answer.status_code == 200
    assert "by=hand" in server.log[-1].headers["Cookie"]
    check, forgotten = server.check, [1]
    server.check = lambda seen: "stale" if seen.authorization and forgotten and forgotten.pop() else check(seen)
    assert get(server.url, Digest(USER, PASSWORD), headers={"Cookie": "by=hand"}).status_code == 200
    assert server.log[-1].headers["Cookie"].split("=")[:-1] == ["by", "hand; session"]


def test_a_generator_body_is_refused_before_anything_is_sent(digest_server):
    """A36: requests' own Digest sends it empty the second time, and gets a 200."""
    server = digest_server()
    with pytest.raises(UsageError, match="read only once"):
        requests.post(server.url, data=(part for part in [b"x"]), auth=Digest(USER, PASSWORD), timeout=10)
    assert server.log == []


def test_file_bodies_are_rewound_to_where_they_stood(digest_server):
    """Not to their beginning."""
    server = digest_server()
    body = io.BytesIO(b"skipped, sent")
    body.seek(9)
    answer = requests.post(server.url, data=body, auth=Digest(USER, PASSWORD), timeout=10)
    assert answer.content == b"sent"
    assert [seen.body for seen in server.log] == [b"sent", b"sent"]


def test_text_bodies_are_sent_again(digest_server):
    """Form and JSON bodies are in memory."""
    server = digest_server()
    assert requests.post(server.url, json={"a": 1}, auth=Digest(USER, PASSWORD), timeout=10).content == b'{"a": 1}'


@pytest.mark.parametrize(
    ("user", "extra"),
    [("jäsøn", ""), ('quo"te\\d', ""), ("jäsøn", ", userhash=true"), ("řeřicha", ", charset=ISO-8859-1")],
)
def test_every_user_name_arrives(digest_server, user, extra):
    """A20: UTF-8 on the wire, quotes escaped, or hashed where the server asks for that."""
    server = digest_server(user=user.encode(), password="pässword €".encode(), extra=extra, algorithm="SHA-256")
    assert get(server.url, Digest(user, "pässword €")).status_code == 200


def test_a_realm_with_quotes_and_commas_is_hashed_and_echoed_right(digest_server):
    """Requests echoes it without escapes."""
    server = digest_server(realm='a "q", b=\\c')
    assert get(server.url, Digest(USER, PASSWORD)).status_code == 200
    assert r'realm="a \"q\", b=\\c"' in server.log[-1].authorization


@pytest.mark.parametrize(
    ("challenges", "named"),
    [
        (['Basic realm="the digest of news"'], "basic"),
        (["Negotiate", "NTLM TlRMTVNTUAAC=="], "negotiate, ntlm"),
        (['Digest realm="r", nonce="n", qop="auth-int"'], "auth-int"),
        (['Digest realm="r", nonce="n", algorithm=FOO'], "FOO"),
        (['Digest realm="r"'], "nonce"),
        (['Digest nonce="n"'], "realm"),
        (['Digest realm="r", nonce="n", nonce="m"'], "nonce occurs twice"),
        (['Digest realm="r", nonce="' + "x" * 60_000 + '"'], "over 4096 characters"),
        (['Digest realm="r", nonce="n'], "malformed"),
    ],
)
def test_a_challenge_that_cannot_be_answered_says_what_it_offered(digest_server, challenges, named):
    """A30, A31: one request, one error, no password in any form."""
    server = digest_server(raw_challenges=challenges)
    with pytest.raises(UnsupportedChallenge) as caught:
        get(server.url, Digest(USER, PASSWORD))
    assert named in str(caught.value)
    assert len(str(caught.value)) < 400
    assert [seen.authorization for seen in server.log] == [None]


def test_two_clients_share_nothing(digest_server):
    """A37."""
    server = digest_server()
    with pytest.raises(CredentialsRefused):
        get(server.url, Digest(USER, "wrong words"))
    assert get(server.url, Digest(USER, PASSWORD)).status_code == 200


def test_neither_password_nor_key_is_in_what_an_error_carries(digest_server):
    """S11, S18: text, attributes, causes, and the locals of our own frames."""
    server, auth = digest_server(), Digest(USER, "sentinel words")
    with pytest.raises(CredentialsRefused) as caught:
        get(server.url, auth)
    assert "sentinel" not in walk(caught.value)
    frames = itertools.takewhile(bool, iterate_traceback(caught.value.__traceback__))
    ours = [repr(frame.f_locals) for frame in frames if "vendorkit/auth" in frame.f_code.co_filename]
    assert ours
    assert "sentinel" not in "".join(ours)


def iterate_traceback(traceback):
    while traceback:
        yield traceback.tb_frame
        traceback = traceback.tb_next


def test_the_refused_answer_gives_its_connection_back(digest_server):
    """All over one connection: the challenge is read to its end first."""
    server, auth = digest_server(), Digest(USER, PASSWORD)
    with requests.Session() as session:
        for _ in range(3):
            session.get(server.url, auth=auth, timeout=10)
    assert len({seen.connection for seen in server.log}) == 1
