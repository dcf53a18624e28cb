"""
Which tests hold which case of the fault catalogue; `make docs` writes docs/faults.md from it.

A test holds a case when its name or docstring has the case's id ("T04", or "T06 to T08"), and one of the promises when
it says "Promise 1". Tests are read, not run.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tests.faults.cases import CASES, GROUPS, PROMISES, VERDICTS

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "faults.md"
_ID: Final = re.compile(r"\b([TPASLWNX])(\d\d)(?: to \1(\d\d))?\b")
_PROMISE: Final = re.compile(r"\bPromise (\d+)\b")
_HEAD: Final = """\
# What goes wrong, and the outcome

The fault catalogue of vendorkit. Each case is covered by the tests next to it, most of them against real sockets.
"Survived" means that the result is right and complete, at the cost of at most a wait or another request; if that does
not help, a typed error is raised. "Typed error" means that one of [`vendorkit.errors`](../vendorkit/errors.py) is
raised at once. `make faults` runs the tests in `tests/faults/`, and `make test` the others. `make docs` writes this
page from the docstrings of the tests.
"""


class Found(NamedTuple):
    """A test function: its file, its name, and its name with its docstring."""

    path: str
    name: str
    text: str

    @property
    def link(self) -> str:
        """Its name as a sentence, linked to its file."""
        return f"[{self.name.removeprefix('test_').replace('_', ' ')}](../{self.path})"


def written() -> Iterator[Found]:
    """Yield every test of the project."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test"):
                text = f"{node.name} {ast.get_docstring(node) or ''}"
                yield Found(path.relative_to(ROOT).as_posix(), node.name, text)


def held() -> dict[str, list[Found]]:
    """Return the tests that hold each case, by its id, and each promise, by its number."""
    found: dict[str, list[Found]] = defaultdict(list)
    for test in written():
        ids = set(_PROMISE.findall(test.text))
        for letter, first, last in _ID.findall(test.text):
            ids |= {f"{letter}{number:02}" for number in range(int(first), int(last or first) + 1)}
        for one in ids:
            found[one].append(test)
    return found


def page() -> str:
    """Return docs/faults.md as it has to be."""
    by_id = held()
    counts = ", ".join(f"{sum(case.verdict == verdict for case in CASES)} {verdict}" for verdict in VERDICTS)
    lines = [_HEAD, f"{len(CASES)} cases: {counts}.", "", "## Ten promises", ""]
    lines += ["| | promise | tests |", "|---|---|---|"]
    for number, words in enumerate(PROMISES, 1):
        lines.append(f"| {number} | {words} | {_links(by_id[str(number)])} |")
    for letter, title in GROUPS.items():
        lines += ["", f"## {title}", "", "| id | fault | verdict | what happens | tests |", "|---|---|---|---|---|"]
        for case in CASES:
            if case.id.startswith(letter):
                lines.append(f"| {' | '.join(case)} | {_links(by_id[case.id])} |")
    return "\n".join(lines) + "\n"


def _links(found: list[Found]) -> str:
    return "; ".join(test.link for test in found)


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
