"""Checks of all configured vendors; those of one connected client are in `vendorkit.vendors.examine`."""

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

TOTAL_S: Final = 60.0  # also bounds the resolver, which takes no timeout


def checkups(total_s: float = TOTAL_S) -> list[Checkup]:
    """Check all vendors at the same time, as they are configured; after *total_s* those that hang are abandoned."""
    vendors = tuple(CLIENTS)  # now, because vendors can be registered later
    done: dict[str, Checkup] = {}

    def check(vendor: str) -> None:
        done[vendor] = checkup(vendor)

    # Daemons, so that a resolver that hangs does not keep the process.
    threads = [threading.Thread(target=check, args=(vendor,), daemon=True) for vendor in vendors]
    for thread in threads:
        thread.start()
    until = time.monotonic() + total_s
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    said, remedy = f"No response within {total_s:g} seconds.", "Check the network and its name servers."
    late = (Finding("test call", fine=False, said=said, remedy=remedy),)
    return [done.get(vendor) or Checkup(vendor, "", configured=True, findings=late) for vendor in vendors]


def checkup(vendor: str) -> Checkup:
    """Check one vendor as it is configured; if it is not, the only finding says so."""
    prefix = vendor.upper()
    try:
        found = read_settings(all_setting_names(CLIENTS[vendor]))
    except VendorkitError as exc:
        return Checkup(vendor, "", configured=True, findings=(failed("settings", exc),), error=exc)
    if not any(name.startswith(f"{prefix}_") for name in found.sources):
        said = f"Not configured: none of its settings is in {found.looked_in}."
        return Checkup(vendor, "local", configured=False, findings=(Finding("settings", fine=None, said=said),))
    chosen = found.get(f"{prefix}_ENVIRONMENT")
    summary = _summary(vendor, found.sources, local=chosen == "local")
    if chosen is None:
        said = f"{summary} Without {prefix}_ENVIRONMENT connect() gives mock data."
        remedy = f"Set it to {' or '.join(CLIENTS[vendor].environments)}."
        return Checkup(vendor, "local", configured=True, findings=(Finding("settings", False, said, remedy),))
    try:
        client = connect(vendor, policy=POLICY)
    except VendorkitError as exc:
        settings = Finding("settings", False, f"{summary} {exc.what}", exc.remedy)
        return Checkup(vendor, chosen, configured=True, findings=(settings,), error=exc)
    examined = examine(client)
    fine = (Finding("settings", fine=True, said=summary), *_published(found.sources))
    return Checkup(vendor, chosen, True, (*fine, *examined.findings), examined.error)


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


def next_step(found: Sequence[Checkup]) -> str:
    """Return the sentence that says what to do after these checks."""
    failed = [CLIENTS[one.vendor].label for one in found if not one.fine]
    if failed:
        return f"Correct what failed ({', '.join(failed)}), then run vendorkit doctor again."
    ready = [one.vendor for one in found if one.configured]
    if not ready:
        return "Run vendorkit init and fill in .env; until then vk.connect() gives mock data."
    return f'In a notebook (vendorkit lab): vk.connect("{ready[0]}").'


def _published(sources: Mapping[str, str]) -> list[Finding]:
    """Check whether a `.gitignore` names the settings file, if it is in use and in a work tree; git is not run."""
    path, _ = env_path()
    real = real_path(path)
    root = work_tree(real)
    if root is None or str(path) not in sources.values():
        return []
    if is_ignored(real, root):
        return [Finding("settings file", fine=True, said=f"A .gitignore of its work tree names {path}.")]
    said = f"No .gitignore of its work tree is known to name {path}; git itself is not asked."
    return [Finding("settings file", None, said, "Add it there; if git tracks it already, `git rm --cached` it.")]


def _summary(vendor: str, sources: Mapping[str, str], *, local: bool) -> str:
    there = ", ".join(f"{name} ({source})" for name, source in sources.items())
    missing = ", ".join(name for name in CLIENTS[vendor].setting_names if name not in sources)
    not_set = " The mock server provides the rest." if local else f" Not set: {missing}." if missing else ""
    return f"Set: {there}.{not_set}"
