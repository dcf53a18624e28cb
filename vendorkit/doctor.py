"""Checks all configured vendors. The checks of one connected client are in `vendorkit.vendors.examine`."""

from __future__ import annotations

import textwrap
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from vendorkit.envfile import env_path
from vendorkit.errors import VendorkitError
from vendorkit.files import real_path
from vendorkit.gitignore import is_ignored, work_tree
from vendorkit.settings import read_settings
from vendorkit.vendors.connecting import connect
from vendorkit.vendors.examine import POLICY, Checkup, Finding, examine, failed
from vendorkit.vendors.registry import CLIENTS, all_setting_names

TOTAL_S: Final = 60.0  # also limits name resolution, which otherwise has no timeout


def checkups(total_s: float = TOTAL_S) -> list[Checkup]:
    """Check all vendors in parallel. A check that takes longer than *total_s* seconds is reported as failed."""
    vendors = tuple(CLIENTS)  # a copy, because a vendor may be registered while the checks run
    done: dict[str, Checkup] = {}

    def check(vendor: str) -> None:
        done[vendor] = checkup(vendor)

    # Daemon threads, so that a name lookup that hangs does not keep the process alive.
    threads = [threading.Thread(target=check, args=(vendor,), daemon=True) for vendor in vendors]
    for thread in threads:
        thread.start()
    until = time.monotonic() + total_s
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    message, remedy = f"No response within {total_s:g} seconds.", "Check the network and its name servers."
    late = (Finding("test call", fine=False, said=message, remedy=remedy),)
    return [done.get(vendor) or Checkup(vendor, "", configured=True, findings=late) for vendor in vendors]


def checkup(vendor: str) -> Checkup:
    """Check one vendor with the settings of this process. If it has none, the only finding reports that."""
    prefix = vendor.upper()
    try:
        settings = read_settings(all_setting_names(CLIENTS[vendor]))
    except VendorkitError as exc:
        return Checkup(vendor, "", configured=True, findings=(failed("settings", exc),), error=exc)
    if not any(name.startswith(f"{prefix}_") for name in settings.sources):
        message = f"Not configured: none of its settings is in {settings.looked_in}."
        return Checkup(vendor, "local", configured=False, findings=(Finding("settings", fine=None, said=message),))
    environment = (settings.get(f"{prefix}_ENVIRONMENT") or "").lower()  # connect() also ignores the case
    summary = _summary(vendor, settings.sources, local=environment == "local")
    if not environment:
        message = f"{summary} Without {prefix}_ENVIRONMENT connect() uses mock data."
        remedy = f"Set it to {' or '.join(CLIENTS[vendor].environments)}."
        return Checkup(vendor, "local", configured=True, findings=(Finding("settings", False, message, remedy),))
    try:
        client = connect(vendor, policy=POLICY)
    except VendorkitError as exc:
        finding = Finding("settings", False, f"{summary} {exc.what}", exc.remedy)
        return Checkup(vendor, environment, configured=True, findings=(finding,), error=exc)
    examined = examine(client)
    local_findings = (Finding("settings", fine=True, said=summary), *_git_findings(settings.sources))
    return Checkup(vendor, environment, True, (*local_findings, *examined.findings), examined.error)


def report(checkups: Sequence[Checkup], width: int = 120) -> Iterator[str]:
    """Yield the lines of a report for people, wrapped at *width* characters between words."""
    for checkup in checkups:
        environment = f" ({checkup.environment})" if checkup.configured and checkup.environment else ""
        yield f"{CLIENTS[checkup.vendor].label}{environment}"
        for finding in checkup.findings:
            mark = {True: "ok", False: "FAILED", None: "-"}[finding.fine]
            start, blank = f"  {mark:<7}{finding.check:<16}", " " * 25
            wrapper = textwrap.TextWrapper(width, initial_indent=start, subsequent_indent=blank)
            wrapper.break_on_hyphens = wrapper.break_long_words = False  # a path split over two lines cannot be copied
            yield wrapper.fill(f"{finding.said} {finding.remedy}".strip())


def next_step(checkups: Sequence[Checkup]) -> str:
    """Return a sentence on what to do after these checks."""
    failed = [CLIENTS[checkup.vendor].label for checkup in checkups if not checkup.fine]
    if failed:
        return f"Correct what failed ({', '.join(failed)}), then run vendorkit doctor again."
    ready = [checkup.vendor for checkup in checkups if checkup.configured]
    if not ready:
        return "Run vendorkit init and fill in .env; until then vk.connect() uses mock data."
    return f'In a notebook (vendorkit lab): vk.connect("{ready[0]}").'


def _git_findings(sources: Mapping[str, str]) -> list[Finding]:
    """Check whether git ignores the settings file, if it is in use and in a work tree. Does not run git."""
    path, _ = env_path()
    real = real_path(path)
    root = work_tree(real)
    if root is None or str(path) not in sources.values():
        return []
    if is_ignored(real, root):
        return [Finding("settings file", fine=True, said=f"A .gitignore in its work tree covers {path}.")]
    message = f"No .gitignore in its work tree clearly covers {path}; git itself was not run."
    return [Finding("settings file", None, message, "Add it there. If git tracks it, run `git rm --cached` on it.")]


def _summary(vendor: str, sources: Mapping[str, str], *, local: bool) -> str:
    is_set = ", ".join(f"{name} ({source})" for name, source in sources.items())
    # The country has a default.
    unset = [name for name in CLIENTS[vendor].setting_names if name not in sources and not name.endswith("_COUNTRY")]
    rest = " The mock server provides the rest." if local else f" Not set: {', '.join(unset)}." if unset else ""
    return f"Set: {is_set}.{rest}"
