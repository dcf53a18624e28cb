"""
One contender in a separate process: `python -m benchmarks.isolate`, the order as JSON on standard input.

The module's `prepare(contender, order)` imports and connects, untimed, and returns the job and the function that
extracts its facts. The output is one line of JSON: seconds, CPU seconds, memory before and at the peak, and a hash of
each fact.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.harness import Facts, cpu_seconds


def memory_mb(name: str) -> float:
    """
    Return a figure of /proc/self/status in MB: VmRSS is now, VmHWM the peak.

    Not `getrusage`: its peak is inherited from the process that started this one.
    """
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(name)) / 1024


def hashes(facts: Facts) -> list[str]:
    """Return one hash for each fact, over all records in order."""
    columns = zip(*facts, strict=True)
    return [hashlib.sha256(repr(column).encode()).hexdigest()[:16] for column in columns]


def do(job: Mapping[str, Any]) -> dict[str, Any]:
    """Run one contender and return its measurements."""
    run, facts_of = importlib.import_module(job["module"]).prepare(job["contender"], job["order"])
    start_mb = memory_mb("VmRSS")
    cpu, start = cpu_seconds(), time.perf_counter()
    result = run()
    measured: dict[str, Any] = {"wall": time.perf_counter() - start, "cpu": cpu_seconds() - cpu, "start_mb": start_mb}
    # Read before the facts are extracted, which takes more memory than the job.
    measured["peak_mb"] = memory_mb("VmHWM")
    facts = facts_of(result) if facts_of is not None else None
    measured["rows"] = None if facts is None else len(facts)
    measured["facts"] = None if facts is None else hashes(facts)
    return measured


def main() -> None:
    """Run the ordered contender, and exit."""
    sys.stdout.write(json.dumps(do(json.loads(sys.stdin.read()))) + "\n")
    sys.stdout.flush()
    # Some peers leave threads running.
    os._exit(0)


if __name__ == "__main__":
    main()
