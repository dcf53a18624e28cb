"""
What all benchmarks share: contenders measured in turns, equality of what they read, bars, and the printed result.

Contenders take turns inside each round (A B C, A B C, ...), so that a slow moment of the machine affects all of them.
Figures are medians over the rounds. Wall time decides; CPU time and peak memory are printed too.
"""

from __future__ import annotations

import gc
import json
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal

Facts = list[tuple[Any, ...]]
"""What a contender read, one tuple a record, in order: enough values from every depth to see that it is the same."""

ROUNDS: Final = 5
FEW_ROUNDS: Final = 3  # of what takes minutes
ONCE_S: Final = 4.0  # who takes so long runs once
ROOT: Final = Path(__file__).resolve().parents[1]


class DifferentDataError(AssertionError):
    """Two contenders did not read the same, so that their times cannot be compared."""


class Skip(Exception):
    """A benchmark cannot run yet; the message says what is missing."""


@dataclass(frozen=True)
class Size:
    """
    How much is measured.

    Attributes:
        tiny: Small data and few rounds, to see that all of it works; no bar is judged.
        rounds: Timed rounds of each contender.
    """

    tiny: bool = False
    rounds: int = ROUNDS

    def of(self, full: int, tiny: int) -> int:
        """Return the number for this size."""
        return tiny if self.tiny else full

    def at_most(self, rounds: int) -> Size:
        """Return this size with no more rounds."""
        return Size(self.tiny, min(self.rounds, rounds))


@dataclass(frozen=True)
class Contender:
    """
    One way to do the job.

    Attributes:
        name: For the tables.
        run: The job; all of it is timed, nothing else is.
        facts: What the result of `run` holds; None for a floor that keeps nothing.
    """

    name: str
    run: Callable[[], Any]
    facts: Callable[[Any], Facts] | None = None


@dataclass
class Measured:
    """The timed rounds of one contender: seconds, CPU seconds (children included), peak MB, and other counts."""

    name: str
    walls: list[float] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)
    counts: dict[str, Any] = field(default_factory=dict)

    @property
    def wall(self) -> float:
        """Median seconds."""
        return statistics.median(self.walls)

    @property
    def cpu(self) -> float:
        """Median CPU seconds."""
        return statistics.median(self.cpus)

    @property
    def peak(self) -> float | None:
        """Median peak memory in MB, if it was measured."""
        return statistics.median(self.peaks) if self.peaks else None

    def as_dict(self) -> dict[str, Any]:
        """Return it for build/bench.json."""
        peak = None if self.peak is None else round(self.peak, 1)
        medians = {"wall": round(self.wall, 5), "cpu": round(self.cpu, 5), "peak_mb": peak}
        return {"name": self.name, **medians, "walls": [round(wall, 5) for wall in self.walls], **self.counts}


@dataclass(frozen=True)
class Bar:
    """A requirement: `value` has to be at most, or at least, `limit`."""

    what: str
    value: float
    relation: Literal["at most", "at least"]
    limit: float

    @property
    def held(self) -> bool:
        """Whether the requirement holds."""
        return self.value <= self.limit if self.relation == "at most" else self.value >= self.limit


@dataclass
class Report:
    """What one benchmark found in at most `rounds`; the ratio column divides by the contender `base`."""

    number: str
    title: str
    rows: list[Measured] = field(default_factory=list)
    base: str = ""
    bars: list[Bar] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    packages: tuple[str, ...] = ()
    rounds: int = ROUNDS

    def __getitem__(self, name: str) -> Measured:
        return next(row for row in self.rows if row.name == name)

    def ratio(self, name: str, to: str) -> float:
        """Return the quotient of two median wall times."""
        return self[name].wall / self[to].wall


def installed(package: str, size: Size, report: Report) -> bool:
    """
    Tell whether a peer is there. A tiny run goes on without it and says so.

    Raises:
        RuntimeError: It is missing in a run that counts.
    """
    if find_spec(package) is not None:
        return True
    if not size.tiny:
        message = f"{package} is not installed here; `make bench` prepares .venv-bench with all peers"
        raise RuntimeError(message)
    report.notes.append(f"{package} is not installed: left out.")
    return False


def cpu_seconds() -> float:
    """CPU seconds of this process, all its threads, and its children that ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(use.ru_utime + use.ru_stime for use in used)


def measure(contenders: Sequence[Contender], size: Size) -> list[Measured]:
    """
    Run all contenders once, compare what they read, then time them in turns; that of the slowest is their only run.

    Raises:
        DifferentDataError: They did not read the same.
    """
    found = {one.name: Measured(one.name) for one in contenders}
    results = ((one, _timed(one, found)) for one in contenders)
    same({one.name: one.facts(result) for one, result in results if one.facts is not None})
    again = [one for one in contenders if found[one.name].wall < ONCE_S]
    for one in again:
        found[one.name] = Measured(one.name)
    for number in range(size.rounds):
        # In another order each time: what one leaves behind, in memory and caches, is not always the same one's luck.
        for one in random.Random(number).sample(again, len(again)):
            _timed(one, found)  # what it returns is freed outside of its time
    return list(found.values())


def _timed(one: Contender, found: Mapping[str, Measured]) -> Any:
    """Run the job, note its time, and return what it returns."""
    gc.collect()
    cpu, start = cpu_seconds(), time.perf_counter()
    result = one.run()
    found[one.name].walls.append(time.perf_counter() - start)
    found[one.name].cpus.append(cpu_seconds() - cpu)
    return result


def same(read: Mapping[str, Facts]) -> None:
    """Raise `DifferentDataError` at the first value in which two contenders differ; nothing read differs too."""
    (first, expected), *others = read.items()
    if not expected:
        message = f"{first} read nothing"
        raise DifferentDataError(message)
    for name, facts in others:
        if len(facts) != len(expected):
            message = f"{name} read {len(facts)} records, {first} {len(expected)}"
            raise DifferentDataError(message)
        for row, (ours, theirs) in enumerate(zip(expected, facts, strict=True)):
            if ours != theirs:
                pair = next((a, b) for a, b in zip(ours, theirs, strict=True) if a != b)
                message = f"record {row}: {first} read {pair[0]!r}, {name} read {pair[1]!r}"
                raise DifferentDataError(message)


def measure_isolated(names: Sequence[str], module: str, order: Mapping[str, Any], size: Size) -> list[Measured]:
    """
    Time each contender of `module` in a process of its own, in turns, with its peak memory; see `isolate`.

    The order says by `first` whether this is the first round: extracting facts can take longer than the job.

    Raises:
        DifferentDataError: They did not read the same.
    """
    found = {name: Measured(name) for name in names}
    first: dict[str, Any] = {}
    for number in range(size.rounds):
        for name in names:
            result = _alone(name, module, {**order, "first": number == 0})
            found[name].walls.append(result["wall"])
            found[name].cpus.append(result["cpu"])
            found[name].peaks.append(result["peak_mb"])
            found[name].counts["start_mb"] = round(result["start_mb"], 1)
            if result["facts"] is not None:
                found[name].counts["rows"] = result["rows"]
                first = first or result
                _same_hashes(first, result)
    return list(found.values())


def _alone(name: str, module: str, order: Mapping[str, Any]) -> dict[str, Any]:
    # Addresses and credentials go over standard input, where no other user of the machine can read them.
    text = json.dumps({"module": module, "contender": name, "order": dict(order)})
    command = [sys.executable, "-m", "benchmarks.isolate"]
    done = subprocess.run(command, input=text, stdout=subprocess.PIPE, text=True, check=False, cwd=ROOT)
    if done.returncode:
        message = f"{name} failed with status {done.returncode}; its error is above"
        raise RuntimeError(message)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result | {"name": name}


def _same_hashes(first: Mapping[str, Any], result: Mapping[str, Any]) -> None:
    if not first["rows"] or result["rows"] != first["rows"]:
        message = f"{result['name']} read {result['rows']} records, {first['name']} {first['rows']}"
        raise DifferentDataError(message)
    fields = [number for number, (a, b) in enumerate(zip(first["facts"], result["facts"], strict=True)) if a != b]
    if fields:
        message = f"{result['name']} and {first['name']} read other values in fact {fields[0]}"
        raise DifferentDataError(message)
