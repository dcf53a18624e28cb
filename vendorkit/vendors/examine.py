"""
Checks of one connected vendor: test call, TLS, approved roots, clock, rate budget.

Each check returns one sentence and a remedy, which never contain the value of a setting. The connect panel checks the
chosen vendor; `vendorkit doctor` checks all of them.
"""

from __future__ import annotations

import math
import os
import re
import ssl
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

import certifi
import pandas as pd

from vendorkit.errors import Cancelled, TlsError, TransportError, VendorkitError
from vendorkit.http import tls
from vendorkit.http.call import Policy
from vendorkit.http.chains import chain_rows
from vendorkit.http.exchanges import Exchange
from vendorkit.http.proxy import PROXY_VARIABLE
from vendorkit.settings import read_settings
from vendorkit.vendors.client import Client
from vendorkit.vendors.registry import CLIENTS, all_setting_names

# Short timeouts and no retries, so that the checks show what is slow or unreliable.
POLICY: Final = Policy(connect_timeout_s=5.0, read_timeout_s=10.0, deadline_s=20.0, attempts=1)
CLOCK_TOLERANCE_S: Final = 30.0  # signatures and tokens are valid for minutes
_REALM: Final = re.compile(r'^Digest .*\brealm="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Finding:
    """
    The result of one check.

    Attributes:
        check: "settings", "settings file", "test call", "host", "credentials", "CA file", "proxy", "TLS",
            "approved roots", "clock" or "rate budget".
        fine: Whether the check passed; None for a remark, or if it could not be checked.
        said: The result in one sentence.
        remedy: What to do, in one sentence; "" if there is nothing to do.
    """

    check: str
    fine: bool | None
    said: str
    remedy: str = ""


@dataclass(frozen=True)
class Checkup:
    """
    The results of all checks of one vendor.

    Attributes:
        vendor: The name of the vendor, as for `connect`.
        environment: The environment that `connect` would choose.
        configured: Whether any of the vendor's settings is set.
        findings: Ordered so that each check assumes the previous ones passed.
        error: The error of the test call; None if it passed.
    """

    vendor: str
    environment: str
    configured: bool
    findings: tuple[Finding, ...]
    error: VendorkitError | None = None

    @property
    def fine(self) -> bool:
        """True if no check failed. An unconfigured vendor counts as fine."""
        return not any(finding.fine is False for finding in self.findings)

    def plain(self) -> dict[str, Any]:
        """Return this as plain values, for JSON."""
        rows = [asdict(finding) for finding in self.findings]
        return {"environment": self.environment, "configured": self.configured, "fine": self.fine, "findings": rows}


def settings_found(vendor: str, environment: str) -> pd.DataFrame:
    """
    Return one row per setting of the vendor: its name, whether it is set, and its source; never its value.

    Raises:
        SettingsError: The `.env` file is malformed.
    """
    is_local, kind = environment == "local", CLIENTS[vendor]
    found = {} if is_local else read_settings(all_setting_names(kind)).sources
    unset = dict.fromkeys(kind.setting_names, "provided by the mock server" if is_local else "missing")
    rows = [(name, is_local or name in found, source) for name, source in {**unset, **found}.items()]
    return pd.DataFrame(rows, columns=["setting", "set", "source"])


def examine(client: Client) -> Checkup:
    """
    Make the vendor's cheapest authenticated call, then check TLS, clock and rate budget.

    Raises:
        Cancelled: The user cancelled.
    """
    error, started = None, time.perf_counter()
    try:
        message = client.ping()
        message = _sentence(f"{_realm(client)}{message} It took {(time.perf_counter() - started) * 1000:.0f} ms.")
        test_call = Finding("test call", fine=True, said=message)
    except Cancelled:
        raise
    except VendorkitError as exc:
        error, test_call = exc, failed("test call", exc)
    now = datetime.now(timezone.utc)
    answered = [exchange for exchange in client.session.exchanges.all() if exchange.status is not None]
    findings = [test_call, *_remarks(client), _chain(client, error, reached=bool(answered))]
    findings += [_roots()] if client.approved_roots_only else []
    findings += [_clock(answered, now), _budget(client)]
    return Checkup(client.vendor_name, client.environment, True, tuple(findings), error)


def _remarks(client: Client) -> list[Finding]:
    """Return the deviations from the vendor's defaults: host, trusted roots, proxy."""
    remarks = client.endpoint.remarks
    findings = [Finding(check, fine=None, said=_sentence(f"{remark}.")) for check, remark in remarks.items()]
    ignored = [name for name in os.environ if name.upper() == "ALL_PROXY" and os.environ[name]]
    if ignored and "proxy" not in remarks and client.environment != "local":
        message = f"{ignored[0]} is set, but vendorkit does not use it."
        findings.append(Finding("proxy", None, message, f"If you need a proxy, set HTTPS_PROXY or {PROXY_VARIABLE}."))
    return findings


def _chain(client: Client, error: VendorkitError | None, *, reached: bool) -> Finding:
    url, trust, route = client.endpoint.base_url, client.endpoint.trust, client.endpoint.route
    host = urlsplit(url).netloc
    if isinstance(error, TlsError):
        return failed("TLS", error)
    if not reached:
        return Finding("TLS", fine=None, said=f"{host} was not reached.")
    try:
        certificates = chain_rows(url, trust, route, POLICY.connect_timeout_s)
    except TransportError as exc:
        return failed("TLS", exc)
    leaf, root = certificates[0], certificates[-1]
    if not leaf["verified"]:
        return Finding("TLS", False, f"The chain of {host} cannot be trusted: {leaf['problem']}.", "Do not continue.")
    until = datetime.fromtimestamp(ssl.cert_time_to_seconds(leaf["not_after"]), timezone.utc).date()
    public = "a public" if tls.is_public_root(root["sha256"]) else f"a {trust.ca_setting}"
    name = f"{'an approved' if root['approved'] else public} root, {root['subject'] or root['organisation']}"
    if trust.loopback_only:  # without the port, which differs at each start and would change saved notebooks
        host, name = "the mock server", "its own root"
    return Finding("TLS", fine=True, said=f"The chain of {host} ends in {name}; its certificate is good until {until}.")


def _roots() -> Finding:
    missing, total = tls.vanished_roots(), len(tls.APPROVED_ROOTS)
    summary = f"certifi {certifi.__version__} contains {total - len(missing)} of {total} approved roots"
    if not missing:
        return Finding("approved roots", fine=True, said=f"{summary}.")
    remedy = "Calls fail if the vendor's chain ends in a missing root: update vendorkit, and ask the vendor."
    return Finding("approved roots", False, f"{summary}; missing: {', '.join(missing.values())}.", remedy)


def _clock(answered: Sequence[Exchange], now: datetime) -> Finding:
    """Compare *now*, by this machine's clock, with the Date header of the last response, which has just arrived."""
    try:
        vendor_time = parsedate_to_datetime(answered[-1].received.get("Date", ""))
    except (IndexError, ValueError, TypeError):
        return Finding("clock", fine=None, said="No response contained the vendor's time.")
    vendor_time = vendor_time if vendor_time.tzinfo else vendor_time.replace(tzinfo=timezone.utc)
    ahead = (now - vendor_time).total_seconds()
    if abs(ahead) <= CLOCK_TOLERANCE_S:
        return Finding("clock", fine=True, said=f"Within {math.ceil(abs(ahead))} s of the vendor's.")
    message = f"This machine's clock is {abs(ahead):,.0f} s {'ahead of' if ahead > 0 else 'behind'} the vendor's."
    return Finding("clock", False, message, "Set the clock: signatures, tokens and certificates depend on it.")


def _budget(client: Client) -> Finding:
    remaining = client.session.budget.left()
    if remaining is None:
        subject = "The mock server has" if client.environment == "local" else "The vendor documents"
        return Finding("rate budget", fine=True, said=f"{subject} no limit.")
    requests, seconds = min(client.session.budget.rates)
    return Finding("rate budget", fine=True, said=f"{remaining} of {requests} requests in {seconds:g} s are left.")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _realm(client: Client) -> str:
    """Return the realm of the last Digest header as the start of a sentence; "" if there is none."""
    headers = [exchange.sent.get("Authorization", "") for exchange in client.session.exchanges.all()]
    match = _REALM.match(headers[-1]) if headers else None
    return "" if match is None else f"Realm {match[1]}: "


def failed(check: str, exc: VendorkitError) -> Finding:
    """Return the finding of a check that raised *exc*."""
    return Finding(check, fine=False, said=exc.what, remedy=exc.remedy)
