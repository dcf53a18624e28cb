"""Digest under threads: one challenge for all of them, and what becomes of the nonce they share."""

from __future__ import annotations

import gc
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from urllib3 import HTTPHeaderDict

from vendorkit.auth import Digest
from vendorkit.auth.flow import Answer, Outgoing
from vendorkit.errors import CredentialsRefused

USER, PASSWORD = "robot", "made-up words"


def get(url, auth, **how):
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, auth=auth, timeout=10, **how)


def hammer(url, auth, *, threads, each):
    """Return the statuses, and the errors, of *each* GETs in all of *threads* that start together."""
    together = threading.Barrier(threads)
    statuses, errors = [], []

    def work(number):
        with requests.Session() as session:
            session.trust_env = False
            together.wait(10)
            for turn in range(each):
                try:
                    statuses.append(session.get(f"{url}/{number}/{turn}", auth=auth, timeout=10).status_code)
                except CredentialsRefused as error:
                    errors.append(error)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
    return statuses, errors


def counts(server):
    """Return all uses of nonces that the server saw, as pairs (nonce, nc)."""
    return [(nonce, nc) for nonce, used in server.used.items() for nc in used]


def test_eight_threads_of_25_requests_cost_201(digest_server):
    """Threads that start together share one challenge, and the counter never repeats."""
    server = digest_server()
    statuses, errors = hammer(server.url, Digest(USER, PASSWORD), threads=8, each=25)
    assert (statuses, errors) == ([200] * 200, [])
    assert len(server.log) == 201
    assert sorted(nc for _, nc in counts(server)) == list(range(1, 201))


def test_a_wrong_password_in_eight_threads_costs_two_requests(digest_server):
    """A29: the challenge and one attempt, then the same error for everybody and for ever. Promise 4."""
    server, auth = digest_server(), Digest(USER, "wrong words")
    statuses, errors = hammer(server.url, auth, threads=8, each=3)
    assert (statuses, len(errors)) == ([], 24)
    assert len(server.log) == 2
    assert errors[0].status == 401
    assert "create a new Digest" in str(errors[0])


@pytest.mark.parametrize("stale", [True, False], ids=["with stale", "without stale"])
def test_a_nonce_that_expires_under_threads_is_an_error_for_none(digest_server, stale):
    """A28: each request in flight may answer its own challenge; newcomers wait for the first."""
    server, auth = digest_server(stale=stale, uses=20), Digest(USER, PASSWORD)
    statuses, errors = hammer(server.url, auth, threads=8, each=25)
    assert (statuses, errors) == ([200] * 200, [])
    assert len(set(counts(server))) == len(counts(server))


def test_a_nonce_good_for_one_use_costs_one_challenge_each(digest_server):
    """The extreme of expiry."""
    server, auth = digest_server(uses=1), Digest(USER, PASSWORD)
    statuses, errors = hammer(server.url, auth, threads=4, each=5)
    assert (statuses, errors) == ([200] * 20, [])


@pytest.mark.parametrize("by_opaque", [False, True], ids=["counts by nonce", "counts by opaque"])
def test_a_server_that_wants_a_rising_count_gets_one_nonce_for_each_request_in_flight(digest_server, by_opaque):
    """Apache's AuthDigestNcCheck: refused without stale while a higher count was accepted."""
    server, auth = digest_server(strict=True, stale=False, by_opaque=by_opaque), Digest(USER, PASSWORD)
    statuses, errors = hammer(server.url, auth, threads=8, each=25)
    assert (statuses, errors) == ([200] * 200, [])
    assert server.challenges() < 40


def drive(auth, method="GET", uri="/", origin="https://vendor.example"):
    """Start a flow; return it with the headers of its first attempt."""
    flow = auth.flow(Outgoing(method, uri, origin))
    return flow, next(flow)


def challenge(nonce, **more):
    text = f'Digest realm="r", nonce="{nonce}", qop="auth"' + "".join(f", {key}={value}" for key, value in more.items())
    return Answer(401, HTTPHeaderDict({"WWW-Authenticate": text}))


OK = Answer(200, HTTPHeaderDict())


def finish(flow, answer=OK):
    with pytest.raises(StopIteration):
        flow.send(answer)


def negotiated():
    auth = Digest(USER, PASSWORD)
    flow, _ = drive(auth)
    flow.send(challenge("n1"))
    finish(flow)
    return auth


def test_overtaking_is_noticed():
    """Of one nonce, nc 3 is accepted and nc 2 refused: from then on no nonce is used by two at a time."""
    auth = negotiated()
    (low, _), (high, _) = drive(auth), drive(auth)
    finish(high)
    assert low.send(challenge("n2")) == {}  # the nonce offered here has relatives in flight
    low.send(challenge("n2"))
    low.close()
    (one, first), (two, second) = drive(auth), drive(auth)
    assert first == second == {}
    assert 'nonce="n3"' in one.send(challenge("n3"))["Authorization"]
    assert 'nonce="n4"' in two.send(challenge("n4"))["Authorization"]
    finish(one)
    finish(two)
    (one, first), (two, second), (three, third) = drive(auth), drive(auth), drive(auth)
    assert {headers["Authorization"].split('nonce="')[1][:2] for headers in (first, second)} == {"n3", "n4"}
    assert third == {}
    one.close()
    two.close()
    three.close()


def test_nonce_of_a_refused_request_may_be_unusable_at_once():
    """Apache counts by opaque and repeats it there: only a request without credentials gets a new start."""
    auth = negotiated()
    (low, _), (high, _) = drive(auth), drive(auth)
    low.send(challenge("n2"))
    assert low.send(challenge("n3")) == {}
    assert 'nonce="n4"' in low.send(challenge("n4"))["Authorization"]
    with pytest.raises(CredentialsRefused):
        low.send(challenge("n5"))
    high.close()


def test_a_request_by_itself_is_refused_without_that_detour():
    """Nobody else was under way who could have spoilt the fresh nonce: it is the password, or the path."""
    auth = negotiated()
    flow, _ = drive(auth)
    flow.send(challenge("n2"))
    with pytest.raises(CredentialsRefused):
        flow.send(challenge("n3"))


def test_a_late_acceptance_does_not_bring_an_expired_nonce_back():
    """An answer that was under way when another one said stale."""
    auth = negotiated()
    (first, _), (second, _) = drive(auth), drive(auth)
    second.send(challenge("n2", stale="true"))
    finish(first)
    finish(second)
    assert 'nonce="n2"' in drive(auth)[1]["Authorization"]


def test_a_nonce_is_shared_only_after_it_was_accepted():
    """Until then a second thread waits; a server error proves nothing."""
    auth = Digest(USER, PASSWORD)
    flow, headers = drive(auth)
    assert headers == {}
    flow.send(challenge("n1"))
    finish(flow, Answer(503, HTTPHeaderDict()))
    assert drive(auth)[1] == {}


def test_a_thread_does_not_wait_for_a_request_that_it_prepared_and_never_sent():
    """The forgotten request is the negotiator; the thread takes over."""
    auth = Digest(USER, PASSWORD)
    kept, _ = drive(auth)
    flow, headers = drive(auth)
    assert headers == {}
    flow.send(challenge("n1"))
    finish(flow)
    kept.close()
    assert 'nonce="n1"' in drive(auth)[1]["Authorization"]


def test_a_collected_request_no_longer_negotiates():
    """Prepared in another thread and dropped: no call waits for it."""
    auth = Digest(USER, PASSWORD)

    def prepare_and_forget():
        requests.Request("GET", "https://vendor.example/", auth=auth).prepare()

    thread = threading.Thread(target=prepare_and_forget)
    thread.start()
    thread.join()
    gc.collect()
    assert auth._pools["https://vendor.example"]._negotiator is None


def test_requests_prepared_in_one_thread_and_sent_in_others_work(digest_server):
    """Where requests' own Digest raises AttributeError (requests #5178); a wrong password still costs one attempt."""
    server, wrong = digest_server(), Digest(USER, "wrong words")

    def send(prepared):
        with requests.Session() as session:
            try:
                return session.send(prepared, timeout=10).status_code
            except CredentialsRefused:
                return "refused"

    def outcome(auth):
        prepared = [requests.Request("GET", f"{server.url}/{n}", auth=auth).prepare() for n in range(6)]
        with ThreadPoolExecutor(6) as pool:
            return list(pool.map(send, prepared))

    assert outcome(Digest(USER, PASSWORD)) == [200] * 6
    before = len([seen for seen in server.log if seen.authorization])
    assert outcome(wrong) == ["refused"] * 6
    assert len([seen for seen in server.log if seen.authorization]) == before + 1


def test_paths_without_protection_do_not_queue_behind_each_other(digest_server):
    """Once a request without credentials was served, no request waits for a negotiator."""
    server, auth = digest_server(), Digest(USER, PASSWORD)
    get(f"{server.url}/open", auth)
    first, _ = drive(auth, origin=server.url)
    answered = threading.Event()
    thread = threading.Thread(target=lambda: (get(f"{server.url}/open", auth), answered.set()))
    thread.start()
    assert answered.wait(5)
    thread.join()
    first.close()


@pytest.mark.parametrize("strict", [True, False])
def test_nextnonce_under_threads_is_an_error_for_none(digest_server, strict):
    """Whoever has an old one may use it, and a refused one is replaced."""
    server, auth = digest_server(nextnonce=True, strict=strict, stale=False), Digest(USER, PASSWORD)
    statuses, errors = hammer(server.url, auth, threads=8, each=10)
    assert (statuses, errors) == ([200] * 80, [])


def test_a_negotiated_request_is_signed_in_well_under_a_millisecond():
    """Two hashes and a string; the bound is generous on purpose, a slow key derivation or parse would break it."""
    auth = negotiated()
    calls = []
    sys.setprofile(lambda *call: calls.append(call[1]))
    try:
        flow, _ = drive(auth)
    finally:
        sys.setprofile(None)
    finish(flow)
    assert len(calls) < 300
