"""
7. `import vendorkit` against `import requests, pandas`: seconds inside a new interpreter, its own start left out.

vendorkit imports its heavy parts when they are first used, so the time until it is ready to connect is measured too.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Final

from benchmarks.harness import Bar, Measured, Report, Size, cpu_seconds

BASE: Final = "import requests, pandas"
OURS: Final = "import vendorkit"
READY: Final = "import vendorkit; vendorkit.connect"
CODE: Final = "import time as t; s = t.perf_counter(); {}; print(t.perf_counter() - s)"


def bench(size: Size) -> Report:
    """Measure it; it is quick and noisy, so there are three times the usual rounds."""
    report = Report("07", "Import", base=BASE, packages=("requests", "pandas", "pyarrow"))
    report.rows = [Measured(name) for name in (BASE, OURS, READY)]
    warm_up = size.of(1, 0)  # the first finds cold files
    for number in range(warm_up + size.rounds * size.of(3, 1)):
        for row in report.rows:
            cpu = cpu_seconds()
            done = subprocess.run(
                [sys.executable, "-c", CODE.format(row.name)], stdout=subprocess.PIPE, text=True, check=True
            )
            if number >= warm_up:
                row.walls.append(float(done.stdout))
                row.cpus.append(cpu_seconds() - cpu)
    report.bars = [Bar(f"{OURS} / {BASE}", report.ratio(OURS, BASE), "at most", 1.1)]
    report.notes.append("CPU seconds include the interpreter's own start.")
    return report
