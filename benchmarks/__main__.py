"""
`python -m benchmarks [--only 01] [--tiny] [--rounds N] [--out FILE] [--readme FILE]`.

Each benchmark runs in a process of its own, so that no peer's threads or memory meet the next one's. The status is 0
when all that ran held their bars, 1 when one was missed or a benchmark failed. A tiny run judges no bar.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from benchmarks import results
from benchmarks.harness import ROUNDS, Report, Size, Skip

MODULES: Final = {path.name[1:3]: path.stem for path in sorted(Path(__file__).parent.glob("b[0-9][0-9]_*.py"))}


def main(given: list[str] | None = None) -> int:
    """Run the chosen benchmarks; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure vendorkit next to its peers.")
    parser.add_argument("--only", choices=MODULES, help="one benchmark, in this very process")
    parser.add_argument("--tiny", action="store_true", help="small data, to see that it works; judges nothing")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="timed rounds of each contender")
    parser.add_argument("--out", type=Path, help="default: build/bench.json, for a tiny run build/bench-tiny.json")
    parser.add_argument("--readme", type=Path, help="a file whose table of results is written anew")
    options = parser.parse_args(given)
    out = options.out or Path("build", "bench-tiny.json" if options.tiny else "bench.json")
    # Progress bars count, as they do for everybody, but are not drawn. Read when tqdm is imported, in children too.
    os.environ["TQDM_MININTERVAL"] = "3600"
    if options.only:
        return _one(options.only, Size(tiny=options.tiny, rounds=options.rounds), out, options.readme)
    # One after the other: each adds its result to the file.
    options = sys.argv[1:] if given is None else given
    statuses = [
        subprocess.run([sys.executable, "-m", "benchmarks", *options, "--only", number], check=False).returncode
        for number in MODULES
    ]
    return int(any(statuses))


def _one(number: str, size: Size, out: Path, readme: Path | None) -> int:
    bench = importlib.import_module(f"benchmarks.{MODULES[number]}").bench
    _store(out, number, None)  # what fails or is skipped now must not show an old result
    try:
        report: Report = bench(size)
    except Skip as skip:
        print(f"\n{number}. skipped: {skip}", flush=True)
        return 0
    entry = results.entry(report, size)
    print(results.text(entry), flush=True)
    stored = _store(out, number, entry)
    if readme is not None and not size.tiny:
        results.write(stored, readme)
    return int(not size.tiny and not all(bar["held"] for bar in entry["bars"]))


def _store(out: Path, number: str, entry: dict[str, Any] | None) -> dict[str, Any]:
    """Add one result to the others, or remove it; return all."""
    stored: dict[str, Any] = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}
    stored.pop(number, None)
    stored |= {} if entry is None else {number: entry}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(dict(sorted(stored.items())), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return stored


if __name__ == "__main__":
    sys.exit(main())
