"""The log and the switches of a mock server while it runs."""

from __future__ import annotations

import json
import threading
import time

import httpx
import pytest

from vendorkit import local
from vendorkit.errors import UsageError


def test_the_log_tells_each_request_but_no_credential(pledg, open_client):
    """The log has method, path, query, status, scheme and sizes, but never the header's value, even if malformed."""
    pledg.clear_log()
    with open_client(pledg, headers={"User-Agent": "tests/1"}) as client:
        client.get("/api/merchants/a%2Cb", params={"q": "é"}, headers={"Authorization": "Bearer sentinel"})
        client.post("/api/token", content=b"x" * 10, headers={"Authorization": "sentinel"})
    first, second = pledg.log()
    assert (first["seq"], first["method"], first["path"]) == (1, "GET", "/api/merchants/a%2Cb")
    assert (first["query"], first["status"], first["scheme"]) == ("q=%C3%A9", 404, "Bearer")
    assert (first["user_agent"], first["fault"], first["complete"]) == ("tests/1", None, True)
    assert (second["seq"], second["bytes_in"], second["scheme"]) == (2, 10, "malformed")
    assert second["bytes_out"] > 0
    assert "sentinel" not in json.dumps([first, second])
    assert pledg.requests == 2


def test_control_calls_are_not_logged_and_need_the_token(pledg, open_client):
    """Without the token the log cannot be read."""
    pledg.clear_log()
    with open_client(pledg) as client:
        answer = client.post("/__local__/log", json={}, headers={"X-Local-Control": "guess"})
    assert answer.status_code == 403
    assert pledg.log() == []


def test_switches_change_while_it_runs(pledg):
    """Changed switches are read back, and the others keep their values."""
    before = pledg.get_settings()
    pledg.set(token_lifetime_s=5, retry_after="120")
    assert pledg.get_settings() == {**before, "token_lifetime_s": 5, "retry_after": "120"}
    pledg.set(token_lifetime_s=600.0, retry_after=None)
    assert pledg.get_settings() == before


def test_reset_restores_the_switches_and_logs_of_all_servers(open_client):
    """The values are those of the start, not the defaults."""
    with local.start(vendors=("pledg", "medipim"), latency_s=0.01, products=10, brands=2) as servers:
        before = {name: servers[name].get_settings() for name in servers}
        servers["pledg"].set(rate_limit=True, fail_next=["500"], fault_kinds=[])
        servers["medipim"].change("add")
        with open_client(servers["medipim"]) as client:
            client.get("/v4/brands")
        servers.reset()
        servers.reset()
        assert {name: servers[name].get_settings() for name in servers} == before
        assert [servers[name].log() for name in servers] == [[], []]
        assert servers["medipim"].requests == 0


@pytest.mark.parametrize(
    ("switch", "hint"),
    [
        ({"fault_rat": 0.1}, "Did you mean fault_rate"),
        ({"fault_rate": "often"}, "fault_rate"),
        ({"gzip": 1}, "gzip"),
        ({"fail_next": ["explode"]}, "fail_next"),
        ({"digest_algorithm": "SHA-1"}, "digest_algorithm"),
        ({"products": True}, "products"),
    ],
)
def test_unknown_switches_and_values_are_refused(pledg, switch, hint):
    """A wrong name or value is a UsageError, at the start and later. Nothing is started or changed."""
    before = pledg.get_settings()
    with pytest.raises(UsageError, match=hint):
        local.start(**switch)
    with pytest.raises(UsageError, match=hint):
        pledg.set(**switch)
    assert pledg.get_settings() == before


def test_sizes_are_fixed_at_the_start(pledg):
    """Changing the data of a running vendor is refused."""
    with pytest.raises(UsageError, match=r"local\.start"):
        pledg.set(seed=2)


def test_a_control_call_works_while_the_vendor_is_slow(pledg, open_client):
    """A delayed request delays neither the log nor the switches."""
    pledg.clear_log()
    pledg.set(fail_next=["hang"])
    failures = []

    def wait():
        with open_client(pledg, timeout=1) as client:
            try:
                client.get("/api/local/notifications")
            except httpx.ReadTimeout as exc:
                failures.append(exc)

    waiting = threading.Thread(target=wait)
    waiting.start()
    while not pledg.log():
        time.sleep(0.01)
    assert [(entry["status"], entry["fault"]) for entry in pledg.log()] == [(None, "hang")]
    waiting.join()
    assert len(failures) == 1


def test_threads_may_share_it(pledg, open_client):
    """Sixteen threads send requests and control calls to one server at once, and the log has every request."""
    pledg.clear_log()

    def work():
        with open_client(pledg) as client:
            for _ in range(5):
                client.get("/api/local/notifications", params={"count": 1})
        pledg.get_settings()

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(entry["seq"] for entry in pledg.log()) == list(range(1, 81))


@pytest.mark.parametrize("wrong", ["", None, 3, ["x"]])
def test_what_is_no_record_is_not_changed(vendors, wrong):
    """An empty name is refused too, because no record has it."""
    for name in ("medipim", "mediagenix"):
        with pytest.raises(UsageError, match=f"{name} cannot delete"):
            vendors[name].change("delete", wrong)


def test_one_name_is_a_list_of_one_server():
    """One name may be given without a list. None and an empty list are refused."""
    with local.start(vendors="pledg") as servers:
        assert list(servers) == ["pledg"]
    with pytest.raises(UsageError, match="vendors is empty"):
        local.start(vendors=None)
