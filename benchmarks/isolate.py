"""
One contender in a process of its own: `python -m benchmarks.isolate`, the order as JSON on standard input.

The module's `prepare(contender, order)` imports and connects, untimed, and returns the job and what tells its facts.
One line of JSON goes out: seconds, CPU seconds, memory before and at the peak, and a hash of each fact.
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


def do(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Run one contender and return what is told of it."""
    run, tell = importlib.import_module(asked["module"]).prepare(asked["contender"], asked["order"])
    start_mb = memory_mb("VmRSS")
    cpu, start = cpu_seconds(), time.perf_counter()
    result = run()
    told: dict[str, Any] = {"wall": time.perf_counter() - start, "cpu": cpu_seconds() - cpu, "start_mb": start_mb}
    # Before the facts are drawn, which takes more memory than the job.
    told["peak_mb"] = memory_mb("VmHWM")
    facts = tell(result) if tell is not None else None
    told["rows"] = None if facts is None else len(facts)
    told["facts"] = None if facts is None else hashes(facts)
    return told


def main() -> None:
    """Do what the order says, and leave."""
    sys.stdout.write(json.dumps(do(json.loads(sys.stdin.read()))) + "\n")
    sys.stdout.flush()
    # Some peers leave threads behind.
    os._exit(0)


if __name__ == "__main__":
    main()
