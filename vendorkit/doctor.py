"""
What stands between this machine and a vendor: settings, network, TLS, clock, credentials, rate budget.

Each is looked at once, by one cheap call, and told in a sentence with its remedy; never with a value of a setting.
`vendorkit doctor` looks at all vendors, the connect panel at the one that is chosen.
"""

from __future__ import annotations

import math
import re
import ssl
import textwrap
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

import certifi
import pandas as pd

from vendorkit.errors import Cancelled, TlsError, VendorkitError
from vendorkit.http import tls
from vendorkit.http.call import Policy
from vendorkit.http.exchanges import Exchange
from vendorkit.settings import read_settings
from vendorkit.vendors.client import Client
from vendorkit.vendors.registry import CLIENTS, connect

# Short, and no second attempt: what is slow or shaky is what is looked for here.
POLICY: Final = Policy(connect_timeout_s=5.0, read_timeout_s=10.0, deadline_s=20.0, attempts=1)
TOTAL_S: Final = 60.0  # also bounds the resolver, which takes no timeout
CLOCK_TOLERANCE_S: Final = 30.0  # signatures and tokens live for minutes, certificates begin to count at once
_MODIFIERS: Final = ("ENVIRONMENT", "BASE_URL", "ISSUER")
_REALM: Final = re.compile(r'^Digest .*\brealm="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Finding:
    """
    One thing that was looked at.

    Attributes:
        check: What: "settings", "test call", "TLS", "approved roots", "clock" or "rate budget".
        fine: Whether it is as it should be; None where it could not be looked at.
        said: One sentence on what was found.
        remedy: One sentence on what to do; empty where all is fine.
    """

    check: str
    fine: bool | None
    said: str
    remedy: str = ""


@dataclass(frozen=True)
class Checkup:
    """
    What was found about one vendor.

    Attributes:
        vendor: "medipim", "pledg" or "mediagenix".
        environment: The one that `connect` would choose.
        configured: Whether any of the vendor's settings is there.
        findings: In the order in which they build on each other.
        error: What the test call raised.
    """

    vendor: str
    environment: str
    configured: bool
    findings: tuple[Finding, ...]
    error: VendorkitError | None = None

    @property
    def fine(self) -> bool:
        """Whether nothing is wrong; a vendor that is not configured is not."""
        return not any(finding.fine is False for finding in self.findings)

    def plain(self) -> dict[str, Any]:
        """Return this as plain values, for JSON."""
        found = [asdict(finding) for finding in self.findings]
        return {"environment": self.environment, "configured": self.configured, "fine": self.fine, "findings": found}


def settings_found(vendor: str, environment: str) -> pd.DataFrame:
    """
    Return one row a setting of the vendor: its name, whether it is set, and where it was found; never a value.

    Raises:
        SettingsError: The `.env` file is malformed.
    """
    names = CLIENTS[vendor].setting_names
    if environment == "local":
        rows = [(name, True, "made up by the local vendor") for name in names]
    else:
        found = read_settings(_all_names(vendor))
        listed = [*names, *(name for name in found.sources if name not in names)]
        rows = [(name, name in found.sources, found.sources.get(name, "missing")) for name in listed]
    return pd.DataFrame(rows, columns=["setting", "set", "source"])


def checkups(vendors: Sequence[str] = tuple(CLIENTS), total_s: float = TOTAL_S) -> list[Checkup]:
    """Look at the vendors side by side, as they are configured; whatever hangs is left behind after *total_s*."""
    done: dict[str, Checkup] = {}
    threads = []
    for vendor in vendors:
        # Daemons, so that a resolver that hangs does not keep the process.
        thread = threading.Thread(target=lambda name=vendor: done.update({name: checkup(name)}), daemon=True)
        thread.start()
        threads.append(thread)
    until = time.monotonic() + total_s
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    said, remedy = f"Nothing came back within {total_s:g} seconds.", "Check the network and its name servers."
    late = (Finding("test call", fine=False, said=said, remedy=remedy),)
    return [done.get(vendor) or Checkup(vendor, "", configured=True, findings=late) for vendor in vendors]


def checkup(vendor: str) -> Checkup:
    """Look at one vendor as it is configured; one that is not is only told so."""
    prefix = vendor.upper()
    try:
        found = read_settings(_all_names(vendor))
    except VendorkitError as exc:
        return Checkup(vendor, "", configured=True, findings=(_failed("settings", exc),), error=exc)
    if not found.sources:
        said = f"Not configured: none of its settings is in {found.looked_in}."
        return Checkup(vendor, "local", configured=False, findings=(Finding("settings", fine=None, said=said),))
    chosen = found.get(f"{prefix}_ENVIRONMENT")
    told = _told(vendor, found.sources, local=chosen == "local")
    if chosen is None:
        said = f"{told} Without {prefix}_ENVIRONMENT connect() means the local vendor."
        remedy = f"Set it to {' or '.join(CLIENTS[vendor].environments)}."
        return Checkup(vendor, "local", configured=True, findings=(Finding("settings", False, said, remedy),))
    try:
        client = connect(vendor, policy=POLICY)
    except VendorkitError as exc:
        settings = Finding("settings", False, f"{told} {exc.what}", exc.remedy)
        return Checkup(vendor, chosen, configured=True, findings=(settings,), error=exc)
    examined = examine(client)
    settings = Finding("settings", fine=True, said=told)
    return Checkup(vendor, chosen, True, (settings, *examined.findings), examined.error)


def examine(client: Client) -> Checkup:
    """
    Make the vendor's cheapest authenticated call, and look at what it showed on the way.

    Raises:
        Cancelled: Somebody pressed stop.
    """
    error: VendorkitError | None = None
    started = time.perf_counter()
    try:
        said = client.ping()
    except Cancelled:
        raise
    except VendorkitError as exc:
        error = exc
        call = _failed("test call", exc)
    else:
        milliseconds = (time.perf_counter() - started) * 1000
        said = f"{_realm(client)}{said}"
        said = f"{said[:1].upper()}{said[1:]} It took {milliseconds:.0f} ms."
        call = Finding("test call", fine=True, said=said)
    now = datetime.now(timezone.utc)
    answers = [exchange for exchange in client.session.exchanges.all() if exchange.status is not None]
    findings = [call, _chain(client, error, reached=bool(answers))]
    findings += [_roots()] if client.approved_roots_only else []
    findings += [_clock(answers, now), _budget(client)]
    return Checkup(client.vendor_name, client.environment, True, tuple(findings), error)


def report(found: Sequence[Checkup], width: int = 120) -> Iterator[str]:
    """Yield the lines of a report for people, at most *width* characters long where words allow."""
    for one in found:
        yield f"{CLIENTS[one.vendor].label}{f' ({one.environment})' if one.configured and one.environment else ''}"
        for finding in one.findings:
            mark = {True: "ok", False: "FAILED", None: "-"}[finding.fine]
            start, blank = f"  {mark:<7}{finding.check:<16}", " " * 25
            text = f"{finding.said} {finding.remedy}".strip()
            wrapper = textwrap.TextWrapper(width, initial_indent=start, subsequent_indent=blank)
            wrapper.break_on_hyphens = wrapper.break_long_words = False  # a path in two lines cannot be copied
            yield wrapper.fill(text)


def _all_names(vendor: str) -> tuple[str, ...]:
    return (*CLIENTS[vendor].setting_names, *(f"{vendor.upper()}_{name}" for name in _MODIFIERS))


def _told(vendor: str, sources: Mapping[str, str], *, local: bool) -> str:
    there = [f"{name} ({source})" for name, source in sources.items()]
    missing = [name for name in CLIENTS[vendor].setting_names if name not in sources]
    not_set = f" Not set: {', '.join(missing)}." if missing else ""
    not_set = " The local vendor makes up the rest." if local else not_set
    return f"Set: {', '.join(there)}.{not_set}"


def _chain(client: Client, error: VendorkitError | None, *, reached: bool) -> Finding:
    host = urlsplit(client.endpoint.base_url).netloc
    if isinstance(error, TlsError):
        return _failed("TLS", error)
    if not reached:
        return Finding("TLS", fine=None, said=f"{host} was not reached.")
    try:
        certificates = tls.chain(host, trust=client.endpoint.trust, timeout_s=POLICY.connect_timeout_s)
    except TlsError as exc:
        return _failed("TLS", exc)
    leaf, root = certificates.iloc[0], certificates.iloc[-1]
    until = datetime.fromtimestamp(ssl.cert_time_to_seconds(leaf["not_after"]), timezone.utc).date()
    name = f"{'an approved' if root['approved'] else 'a public'} root, {root['subject'] or root['organisation']}"
    if client.endpoint.trust.loopback_only:  # its port differs at each start, and would in a saved notebook
        host, name = "the local vendor", "its own root"
    return Finding("TLS", fine=True, said=f"The chain of {host} ends in {name}; its certificate is good until {until}.")


def _roots() -> Finding:
    gone, all_of_them = tls.vanished_roots(), len(tls.APPROVED_ROOTS)
    carried = f"certifi {certifi.__version__} carries {all_of_them - len(gone)} of {all_of_them} approved roots"
    if not gone:
        return Finding("approved roots", fine=True, said=f"{carried}.")
    remedy = "Pulls fail once the vendor's chain ends in one that is gone: update vendorkit, and ask the vendor."
    return Finding("approved roots", False, f"{carried}; gone: {', '.join(gone.values())}.", remedy)


def _clock(answers: Sequence[Exchange], now: datetime) -> Finding:
    """Compare *now*, by this machine's clock, with the Date of the last answer, which has just come."""
    try:
        theirs = parsedate_to_datetime(answers[-1].received.get("Date", ""))
    except (IndexError, ValueError, TypeError):
        return Finding("clock", fine=None, said="No answer told the vendor's time.")
    theirs = theirs if theirs.tzinfo else theirs.replace(tzinfo=timezone.utc)
    ahead = (now - theirs).total_seconds()
    if abs(ahead) <= CLOCK_TOLERANCE_S:
        return Finding("clock", fine=True, said=f"Within {math.ceil(abs(ahead))} s of the vendor's.")
    said = f"This machine's clock is {abs(ahead):,.0f} s {'ahead of' if ahead > 0 else 'behind'} the vendor's."
    return Finding("clock", False, said, "Set the clock: signatures, tokens and certificates depend on it.")


def _budget(client: Client) -> Finding:
    left = client.session.budget.left()
    if left is None:
        whose = "The local vendor has" if client.environment == "local" else "The vendor documents"
        return Finding("rate budget", fine=True, said=f"{whose} no limit.")
    requests, seconds = min(client.session.budget.rates)
    return Finding("rate budget", fine=True, said=f"{left} of {requests} requests in {seconds:g} s are left.")


def _realm(client: Client) -> str:
    """Return the realm of the last digest answer, as the start of a sentence."""
    sent = [exchange.sent.get("Authorization", "") for exchange in client.session.exchanges.all()]
    found = _REALM.match(sent[-1]) if sent else None
    return "" if found is None else f"Realm {found[1]}: "


def _failed(check: str, exc: VendorkitError) -> Finding:
    return Finding(check, fine=False, said=exc.what, remedy=exc.remedy)
