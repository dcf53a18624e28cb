"""`vendorkit doctor`: its checks and its report, which never contains the value of a secret setting."""

from __future__ import annotations

import base64
import json
import time
import warnings
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from click.testing import CliRunner

import vendorkit as vk
from tests.https import always, answer, raw_server
from vendorkit import cli, doctor
from vendorkit.http import tls
from vendorkit.http.exchanges import Exchange
from vendorkit.vendors import examine

VENDORS = ["medipim", "pledg", "mediagenix"]


@pytest.fixture
def configured(vendors, monkeypatch):
    """Configure the mock servers of all three vendors."""
    for vendor in VENDORS:
        monkeypatch.setenv(f"{vendor.upper()}_ENVIRONMENT", "local")
    return vendors


def remote(monkeypatch, url: str) -> None:
    """Configure Mediagenix's staging environment with another URL and made-up credentials."""
    monkeypatch.setenv("MEDIAGENIX_ENVIRONMENT", "staging")
    monkeypatch.setenv("MEDIAGENIX_BASE_URL", url)
    monkeypatch.setenv("MEDIAGENIX_ROBOT_USER", "made-up-robot")
    monkeypatch.setenv("MEDIAGENIX_ROBOT_PASSWORD", "made-up-password")


def by_check(found: doctor.Checkup) -> dict[str, doctor.Finding]:
    """Return the findings by the name of their check."""
    return {finding.check: finding for finding in found.findings}


def run(*options: str) -> tuple[int, str]:
    """Run the command; return its exit status and output."""
    result = CliRunner().invoke(cli.main, ["doctor", *options])
    return result.exit_code, result.output


def test_vendors_that_are_not_configured_do_not_fail(vendors, tmp_path):
    """The report says so for each vendor and names the searched places. Nothing is sent."""
    status, said = run()
    assert status == 0
    assert said.count("Not configured") == 3
    assert str(tmp_path) in said
    assert not any(vendors[vendor].requests for vendor in VENDORS)


def test_each_check_that_passes_is_one_line(configured):
    """The report has settings, call, chain, clock and budget of each vendor. The exit status is 0."""
    status, said = run()
    assert status == 0
    assert "FAILED" not in said
    for line in ("Realm Local Movida", "300 brands", "valid for 600 s", "Within", "no limit", "own root"):
        assert line in " ".join(said.split())
    assert said.count("  ok     ") == 3 * 5 + 1


def test_environment_is_read_in_upper_and_lower_case(vendors, monkeypatch):
    """As `connect` does; settings of a mock server are not reported as missing."""
    monkeypatch.setenv("PLEDG_ENVIRONMENT", "LOCAL")
    found = doctor.checkup("pledg")
    assert found.environment == "local"
    assert found.findings[0].said == "Set: PLEDG_ENVIRONMENT (environment). The mock server provides the rest."


def test_json_says_the_same_for_machines(configured):
    """The output is one object with the overall result and the findings of each vendor."""
    status, said = run("--json")
    result = json.loads(said)
    assert status == 0
    assert result["fine"] is True
    assert set(result["vendors"]) == set(VENDORS)
    checks = [finding["check"] for finding in result["vendors"]["mediagenix"]["findings"]]
    assert checks == ["settings", "test call", "TLS", "approved roots", "clock", "rate budget"]
    assert result["vendors"]["pledg"]["environment"] == "local"


def test_no_secret_is_shown(configured, monkeypatch):
    """The output has no secret of the mock servers and no wrong one, as plain text or in base64."""
    monkeypatch.setitem(configured["medipim"].credentials, "MEDIPIM_API_KEY_SECRET", "made-up-wrong-secret")
    said = run()[1] + run("--json")[1]
    for vendor in VENDORS:
        for name, value in configured[vendor].credentials.items():
            if not name.endswith(("_UID", "_COUNTRY")):
                assert value not in said, name
                assert base64.b64encode(value.encode()).decode().rstrip("=") not in said


def test_missing_settings_are_named_and_fail_one_vendor(configured, monkeypatch, tmp_path):
    """The other vendors are checked nevertheless."""
    monkeypatch.setenv("MEDIAGENIX_ENVIRONMENT", "production")
    (tmp_path / ".env").write_text("MEDIAGENIX_ROBOT_USER='made-up-robot'\n", encoding="utf-8")
    (tmp_path / ".env").chmod(0o600)
    status, said = run()
    said = " ".join(said.split())
    assert status == 1
    assert "MEDIAGENIX_ROBOT_USER (.env)" in said
    assert "needs MEDIAGENIX_ROBOT_PASSWORD" in said
    assert "made-up-robot" not in said
    assert said.count("FAILED") == 1


def test_credentials_without_an_environment_fail(vendors, monkeypatch):
    """Credentials are set, but `connect` would use the mock server."""
    monkeypatch.setenv("MEDIPIM_API_KEY_ID", "made-up-key-id")
    found = doctor.checkup("medipim")
    assert found.configured
    assert not found.fine
    assert found.findings[0].remedy == "Set it to sandbox or production."
    assert "Not set: MEDIPIM_API_KEY_SECRET." in found.findings[0].said
    assert "made-up" not in repr(found)


def test_broken_settings_file_is_named_by_line(vendors, tmp_path):
    """Every call of that vendor would fail. The other vendors are checked nevertheless."""
    (tmp_path / ".env").write_text("MEDIPIM_API_KEY_ID\n", encoding="utf-8")
    (tmp_path / ".env").chmod(0o600)
    status, said = run()
    assert status == 1
    assert said.count("Line 1") == 1
    assert said.count("Not configured") == 2


@pytest.mark.parametrize(
    ("rules", "fine", "said"),
    [(".env", True, "covers .env"), ("", None, "git itself was not run"), (None, None, "not run")],
)
def test_settings_file_in_a_work_tree_must_be_ignored_by_git(vendors, tmp_path, rules, fine, said):
    """N03, S07: The check reads .gitignore. If that is not conclusive, the finding says so."""
    (tmp_path / ".git").mkdir()
    if rules is not None:
        (tmp_path / ".gitignore").write_text(rules, encoding="utf-8")
    (tmp_path / ".env").write_text("MEDIPIM_ENVIRONMENT=local\n", encoding="utf-8")
    (tmp_path / ".env").chmod(0o600)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*git work tree")
        found = by_check(doctor.checkup("medipim"))["settings file"]
    assert found.fine is fine
    assert said in found.said
    assert bool(found.remedy) == (fine is None)


def test_settings_of_the_environment_are_in_no_file(configured, tmp_path):
    """There is no file that git could publish."""
    (tmp_path / ".git").mkdir()
    assert "settings file" not in by_check(doctor.checkup("medipim"))


def test_root_of_a_company_is_not_called_public(vendors, monkeypatch, tmp_path):
    """N12: Behind a gateway, users need to know which root ends the vendor's chain."""
    with raw_server(
        always(answer(b'{"meta": {"total": 0}, "results": []}', "Content-Type: application/json"))
    ) as server:
        (tmp_path / "ca.pem").write_text(server.ca_pem, encoding="ascii")
        values = {"ENVIRONMENT": "production", "BASE_URL": server.url, "CA_FILE": str(tmp_path / "ca.pem")}
        for name, value in {**values, "API_KEY_ID": "made-up-id", "API_KEY_SECRET": "made-up-secret"}.items():
            monkeypatch.setenv(f"MEDIPIM_{name}", value)
        found = by_check(doctor.checkup("medipim"))
    assert "ends in a MEDIPIM_CA_FILE root, Test CA" in found["TLS"].said
    assert "Additional trusted roots: 1 from" in found["CA file"].said


def test_wrong_password_is_distinguished_from_a_wrong_network(configured, monkeypatch):
    """The call fails. The chain and the clock are reported nevertheless."""
    monkeypatch.setitem(configured["mediagenix"].credentials, "MEDIAGENIX_ROBOT_PASSWORD", "made-up-wrong-secret")
    found = by_check(doctor.checkup("mediagenix"))
    assert found["test call"].fine is False
    assert "refused user name or password" in found["test call"].said
    assert found["TLS"].fine
    assert found["clock"].fine


def test_checks_that_need_a_connection_have_no_verdict_without_one(vendors, monkeypatch):
    """No server listens at that address."""
    remote(monkeypatch, "https://127.0.0.1:1")
    found = by_check(doctor.checkup("mediagenix"))
    assert found["test call"].fine is False
    assert found["TLS"].fine is None
    assert found["clock"].fine is None
    assert found["approved roots"].fine


def test_authority_that_is_not_approved_is_refused_before_anything_is_sent(vendors, monkeypatch):
    """The TLS line fails with OpenSSL's reason."""
    with raw_server(always(answer(b"{}"))) as server:
        remote(monkeypatch, server.url)
        found = by_check(doctor.checkup("mediagenix"))
        assert found["TLS"].fine is False
        assert "unable to get local issuer" in found["TLS"].said
        assert not server.heads


def test_missing_approved_root_is_reported(configured, monkeypatch):
    """L13: certifi no longer contains an approved root. Downloads still work, because few chains need it."""
    monkeypatch.setitem(tls.APPROVED_ROOTS, "00" * 32, ("Sectigo Limited", "A Root That Vanished"))
    found = by_check(doctor.checkup("mediagenix"))
    assert found["test call"].fine
    assert found["approved roots"].fine is False
    assert "6 of 7" in found["approved roots"].said
    assert "A Root That Vanished" in found["approved roots"].said
    assert run()[0] == 1


@pytest.mark.parametrize(
    ("ahead_s", "said"),
    [(0.4, "Within 1 s"), (-20, "Within 20 s"), (300, "300 s ahead of"), (-301, "301 s behind")],
)
def test_clock_is_compared_with_the_date_of_a_response(ahead_s, said):
    """A difference of seconds is fine. Minutes ahead or behind are not."""
    theirs = datetime(2026, 11, 25, 12, tzinfo=timezone.utc)
    answered = Exchange("GET", "https://vendor.example", 200, {}, {"Date": format_datetime(theirs, usegmt=True)}, 0.1)
    found = examine._clock([answered], theirs + timedelta(seconds=ahead_s))
    assert said in found.said
    assert found.fine == (abs(ahead_s) <= examine.CLOCK_TOLERANCE_S)


@pytest.mark.parametrize("date", ["", "yesterday", "Wed, 99 Foo 2026 00:00:00 GMT"])
def test_response_without_a_readable_date_gives_no_verdict_on_the_clock(date):
    """The report says so, and no check fails."""
    answered = Exchange("GET", "https://vendor.example", 200, {}, {"Date": date}, 0.1)
    found = examine._clock([answered], datetime.now(timezone.utc))
    assert found.fine is None


def test_budget_is_the_number_of_remaining_requests(monkeypatch, tmp_path):
    """The number is what is left of the vendor's documented rate on this machine."""
    monkeypatch.setenv("VENDORKIT_BUDGET_DIR", str(tmp_path / "budget"))
    remote(monkeypatch, "https://127.0.0.1:1")
    client = vk.connect("mediagenix")
    assert "144 of 144 requests in 30 s" in examine._budget(client).said


def test_vendor_that_hangs_does_not_delay_the_report(configured):
    """The other checks are reported, and the total time is bounded."""
    configured["pledg"].set(latency_s=3.0)
    started = time.monotonic()
    found = {one.vendor: one for one in doctor.checkups(total_s=1.5)}
    assert time.monotonic() - started < 2.5
    assert found["medipim"].fine
    assert "No response within 1.5 seconds." in found["pledg"].findings[0].said


def test_lines_are_as_long_as_the_terminal_is_wide(configured):
    """Words are not split, and continued lines are indented."""
    lines = list(doctor.report(doctor.checkups(), width=70))
    assert max(len(line) for text in lines for line in text.splitlines()) <= 70
    assert any(line.startswith(" " * 25) for text in lines for line in text.splitlines())
