"""Results as plain values, as text on the screen, and as the tables of README.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from benchmarks.harness import Report, Size

BEGIN: Final = "<!-- results: written by `make bench`, not by hand -->"
END: Final = "<!-- end of results -->"
_FIXED: Final = {"name", "wall", "cpu", "peak_mb", "walls"}


def entry(report: Report, size: Size) -> dict[str, Any]:
    """Return a report for build/bench.json, with what is needed to judge it: when, where, with which versions."""
    base = report[report.base].wall
    return {
        "title": report.title,
        "base": report.base,
        "tiny": size.tiny,
        "rounds": min(size.rounds, report.rounds),
        "date": datetime.now(timezone.utc).date().isoformat(),
        "machine": machine(),
        "versions": {name: version(name) for name in ("vendorkit", *report.packages) if known(name)},
        "rows": [{**row.as_dict(), "ratio": round(row.wall / base, 3)} for row in report.rows],
        "bars": [
            {"what": bar.what, "value": round(bar.value, 3), "asked": f"{bar.relation} {bar.limit:g}", "held": bar.held}
            for bar in report.bars
        ],
        "notes": report.notes,
    }


def known(package: str) -> bool:
    """Return whether a package is installed; a tiny run may lack some."""
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def machine() -> dict[str, Any]:
    """Return cores, Python and system; nothing that names the machine."""
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "load": round(os.getloadavg()[0], 1),
    }


def text(one: Mapping[str, Any]) -> str:
    """Return the lines for the screen."""
    lines = ["", f"{one['title']} ({one['rounds']} rounds, {one['date']})"]
    lines += [f"  {'seconds':>9} {'CPU':>8} {'peak MB':>8} {'ratio':>7}"]
    for row in one["rows"]:
        peak = "" if row["peak_mb"] is None else f"{row['peak_mb']:,.0f}"
        figures = f"{row['wall']:>9.3f} {row['cpu']:>8.3f} {peak:>8} {row['ratio']:>7.2f}"
        lines.append(f"  {figures}  {row['name']}{_counts(row)}")
    for bar in one["bars"]:
        lines.append(f"  {_verdict(one, bar).upper()}: {bar['what']} = {bar['value']:g}, limit: {bar['asked']}")
    return "\n".join([*lines, *(f"  {note}" for note in one["notes"])])


def _counts(row: Mapping[str, Any]) -> str:
    counts = {name: value for name, value in row.items() if name not in _FIXED | {"ratio", "rows", "start_mb"}}
    return "".join(f"; {value:,} {name.replace('_', ' ')}" for name, value in counts.items())


def _verdict(one: Mapping[str, Any], bar: Mapping[str, Any]) -> str:
    return "not judged" if one["tiny"] else ("met" if bar["held"] else "missed")


def write(stored: Mapping[str, Any], readme: Path) -> None:
    """Put the tables of all results that count between the two marks of *readme*."""
    before, rest = readme.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    readme.write_text(f"{before}{BEGIN}\n\n{markdown(stored)}\n{END}{after}", encoding="utf-8")


def markdown(stored: Mapping[str, Any]) -> str:
    """Return the results as Markdown: the bars of all, then a table for each."""
    full = {number: one for number, one in sorted(stored.items()) if not one["tiny"]}
    lines = ["| no. | figure | measured | limit | |", "|---|---|---|---|---|"]
    lines += [
        f"| {number} | {bar['what']} | {bar['value']:g} | {bar['asked']} | {_verdict(one, bar)} |"
        for number, one in full.items()
        for bar in one["bars"]
    ]
    for number, one in full.items():
        lines += ["", *_section(number, one)]
    return "\n".join(lines) + "\n"


def _section(number: str, one: Mapping[str, Any]) -> list[str]:
    where, versions = one["machine"], ", ".join(f"{name} {found}" for name, found in one["versions"].items())
    when = f"{one['date']}, medians of {one['rounds']}, {where['cores']} cores, Python {where['python']}"
    lines = [
        *(f"### {number}. {one['title']}", ""),
        f"{when}, {where['system']}, load {where['load']:g} at the end; {versions}.",
        "",
        f"| contender | seconds | CPU s | peak MB | times {one['base']} | |",
        "|---|---|---|---|---|---|",
    ]
    for row in one["rows"]:
        peak = "" if row["peak_mb"] is None else f"{row['peak_mb']:,.0f}"
        counts = _counts(row).removeprefix("; ")
        lines.append(
            f"| {row['name']} | {row['wall']:.3f} | {row['cpu']:.3f} | {peak} | {row['ratio']:.2f} | {counts} |"
        )
    return [*lines, *(["", *(f"- {note}" for note in one["notes"])] if one["notes"] else [])]
