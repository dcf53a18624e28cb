"""
12. Cold start: from `python` to the first frame of the mock server, against importing what any such program imports.

Seconds inside a new interpreter, its own start left out. The mock server is a process of its own, whose start is
measured apart and is not compared: with credentials nothing is started.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Final

from benchmarks.b07_import import CODE
from benchmarks.harness import Bar, Measured, Report, Size, cpu_seconds

BASE: Final = "import requests, pandas, pyarrow, lxml.etree"
OURS: Final = "connect, first frame of brands"
MOCK: Final = "start of the mock servers alone"
JOBS: Final = {
    BASE: BASE,
    OURS: "import vendorkit as vk; vk.connect('medipim', environment='local').brands.query().frame()",
    MOCK: "from vendorkit import local; local.start()",
}


def bench(size: Size) -> Report:
    """Measure it; it is noisy, so there are twice the usual rounds."""
    report = Report("12", "Cold start", base=BASE, packages=("requests", "pandas", "pyarrow", "lxml"))
    report.rows = [Measured(name) for name in JOBS]
    warm_up = size.of(1, 0)  # the first finds cold files
    for number in range(warm_up + size.rounds * size.of(2, 1)):
        for row in report.rows:
            cpu, command = cpu_seconds(), [sys.executable, "-c", CODE.format(JOBS[row.name])]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            if number >= warm_up:
                row.walls.append(float(done.stdout))
                row.cpus.append(cpu_seconds() - cpu)
    without_mock = report[OURS].wall - report[MOCK].wall
    report.bars = [Bar(f"({OURS} - {MOCK}) / {BASE}", without_mock / report[BASE].wall, "at most", 1.3)]
    report.notes.append("CPU seconds include the interpreter's own start, and the mock servers'.")
    return report
