"""The house rules: which module may import which, what is public, and the picture of the error tree."""

from __future__ import annotations

import ast
import inspect
import io
import re
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

import vendorkit
from vendorkit import errors

PACKAGE = Path(vendorkit.__file__).parent

# The house from the top down: a file imports its own room and the rooms below it. The number is the room's budget in
# code lines (without docstrings and comments). These are today's sizes and may only shrink: the client is meant to
# have 8,800 lines, the local servers 3,800.
ROOMS = {
    "__init__": 50,
    "cli": 298,
    "doctor": 85,
    "panels": 2_805,
    "httpfile": 210,
    "vendors": 2_655,
    "query": 130,
    "saved": 1_000,
    "tools": 210,
    "pull": 690,
    "resource": 140,
    "frames": 1_740,
    "ask": 400,
    "http": 1_350,
    "auth": 1_110,
    "strictjson": 130,
    "settings": 525,
    "deadline": 65,
    "errors": 65,
    "local": 3_800,
}
CLIENT_BUDGET = 13_600


def name_of(path: Path) -> str:
    """The dotted name of a file of the package."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


# Files that belong to a room of another name.
SAME_ROOM = {
    "__main__": "cli",
    "demo": "cli",
    "installed": "cli",
    "sources": "settings",
    "envfile": "settings",
    "gitignore": "settings",
    "files": "settings",
    "arguments": "ask",
    "calls": "ask",
    "echoes": "settings",
}


def room_of(module: str) -> str:
    """The room of a dotted module name."""
    parts = module.split(".")
    return SAME_ROOM.get(parts[1], parts[1]) if len(parts) > 1 else "__init__"


def imports_of(module: str) -> set[str]:
    """Every module of the package that a file imports, also inside functions and for type checkers alone."""
    found = set()
    for node in ast.walk(ast.parse(FILES[module].read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (full & FILES.keys()) or {str(node.module)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return (found & FILES.keys()) - {module}


def code_lines(path: Path) -> int:
    """Lines that hold more than a docstring or a comment."""
    text = path.read_text("utf-8")
    docstrings: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and node.body:
            first = node.body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                docstrings |= {*range(first.lineno, (first.end_lineno or 0) + 1)}
    blank = {
        *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
        *(tokenize.ENDMARKER, tokenize.ENCODING),
    }
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in blank:
            lines |= {*range(token.start[0], token.end[0] + 1)}
    return len(lines - docstrings)


@pytest.mark.parametrize("module", FILES)
def test_module_imports_only_downwards(module):
    """The order of the rooms; the mock servers know nothing of the client but its errors."""
    if module == "vendorkit":
        return
    rooms, own = list(ROOMS), room_of(module)
    assert own in ROOMS, "every module belongs to a room"
    above = {name for name in imports_of(module) if rooms.index(room_of(name)) < rooms.index(own)}
    allowed = {"vendorkit.errors"} if own == "local" else set()
    # The command line is a user of the public package.
    allowed |= {"vendorkit"} if own == "cli" else set()
    assert above <= allowed


def test_no_import_cycle():
    """Among files, imports for type checkers and inside functions included."""
    graph = {name: imports_of(name) - {"vendorkit"} for name in FILES if name != "vendorkit"}
    while graph:
        free = {name for name, imported in graph.items() if not imported & graph.keys()}
        assert free, f"a cycle among {sorted(graph)}"
        graph = {name: imported for name, imported in graph.items() if name not in free}


@pytest.mark.parametrize("module", FILES)
def test_imports_are_absolute_and_plain(module):
    """No relative import, and no module imported by its name as a string outside the package's front door."""
    text = FILES[module].read_text("utf-8")
    for node in ast.walk(ast.parse(text)):
        assert not (isinstance(node, ast.ImportFrom) and node.level), f"{module}:{node.lineno}"
    assert module == "vendorkit" or "import_module" not in text
    assert "__import__" not in text


def test_rooms_keep_their_budgets():
    """A room that grows takes its lines from another one."""
    sizes = dict.fromkeys(ROOMS, 0)
    for module, path in FILES.items():
        sizes[room_of(module)] += code_lines(path)
    client = sum(size for room, size in sizes.items() if room != "local")
    assert client <= CLIENT_BUDGET, sizes
    assert sum(number for room, number in ROOMS.items() if room != "local") <= CLIENT_BUDGET + 900
    assert {room: size for room, size in sizes.items() if size > ROOMS[room]} == {}


def test_no_vendor_is_known_outside_its_room():
    """Panels, tools, doctor and the command line ask the client: they test no class and name no vendor's module."""
    for module, path in FILES.items():
        if room_of(module) in ("vendors", "local", "__init__"):
            continue
        imported = imports_of(module)
        assert not [name for name in imported if re.match(r"vendorkit\.vendors\.(medipim|mediagenix|pledg)", name)], (
            module
        )
        assert not re.search(r"isinstance\([^)]*(Medipim|Mediagenix|Pledg)\b", path.read_text("utf-8")), module


def test_frames_and_protocol_modules_do_no_http():
    """Digest, signatures and frames are functions of plain values."""
    pure = [*PACKAGE.glob("frames/*.py"), PACKAGE / "auth" / "signature.py", PACKAGE / "auth" / "challenge.py"]
    for path in pure:
        source = path.read_text(encoding="utf-8")
        assert not re.search(r"^\s*(import|from) (requests|urllib3|socket|http)\b", source, re.MULTILINE), path


def test_importing_the_package_needs_no_widgets_dask_or_servers():
    """`import vendorkit` is cheap: heavy parts come when they are used."""
    heavy = ("ipywidgets", "dask", "starlette", "uvicorn", "pandas", "pyarrow", "lxml")
    code = f"import sys, vendorkit; print([name for name in {heavy} if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"


def test_picture_of_the_error_tree_is_the_tree():
    """The drawing in the docstring names each class under its parent, with its second base."""
    drawn: dict[str, tuple[str, str | None]] = {}
    stack: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"^([ │├└─]*)([A-Z]\w+)(?: \((\w+)\))?", line)
        if not match or not hasattr(errors, match[2]):
            continue
        depth = len(match[1])
        stack = [(d, n) for d, n in stack if d < depth]
        drawn[match[2]] = (stack[-1][1] if stack else "Exception", match[3])
        stack.append((depth, match[2]))
    actual = {
        name: (cls.__bases__[0].__name__, cls.__bases__[1].__name__ if len(cls.__bases__) > 1 else None)
        for name, cls in inspect.getmembers(errors, inspect.isclass)
        if issubclass(cls, errors.VendorkitError)
    }
    assert drawn == actual


def test_public_surface():
    """What users may rely on; a change here is a change of the contract."""
    assert set(vendorkit.__all__) == {
        "Client",
        "Dataset",
        "Query",
        "SchemaDrift",
        "auth",
        "browse",
        "cancellable",
        "chain",
        "connect",
        "connect_panel",
        "errors",
        "load",
        "panel",
        "saved_requests",
        "table",
    }
    for name in vendorkit.__all__:
        assert getattr(vendorkit, name).__doc__, name
    assert set(vendorkit.auth.__all__) == {
        "Basic",
        "ClientCredentials",
        "Digest",
        "Notification",
        "sign_jwt",
        "verify_jwt",
        "verify_notification",
    }
    with pytest.raises(AttributeError):
        _ = vendorkit.nothing


def test_no_truth_test_of_a_response():
    """`bool(Response(404))` is False, so `if response` hides the answer one wanted to look at."""
    for path in FILES.values():
        if "local" in path.parts:  # Starlette's responses have no such trap
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            tested = [node.test] if isinstance(node, (ast.If, ast.IfExp, ast.While)) else []
            tested += node.values if isinstance(node, ast.BoolOp) else []
            tested += [node.operand] if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not) else []
            names = {one.id for one in tested if isinstance(one, ast.Name)}
            assert not names & {"response", "answer"}, f"{path}:{node.lineno}"


def test_every_test_says_what_it_holds():
    """A docstring on each test and each test module; and no function that looks like a test but never runs."""
    for path in Path(__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        assert ast.get_docstring(tree), path
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
                assert path.name.startswith("test_"), f"{path}: {node.name} is not collected"
                assert ast.get_docstring(node), f"{path}: {node.name}"
