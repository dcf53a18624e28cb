"""The house rules: which module may import which, what is public, and the picture of the error tree."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import vendorkit
from vendorkit import errors

PACKAGE = Path(vendorkit.__file__).parent

# Lower rooms first; a module may import from its own room and those before it.
ROOMS = [
    {"errors"},
    {"deadline", "settings", "strictjson"},
    {"http", "auth"},
    {"frames"},
    {"ask", "vendors", "resource", "query", "pages", "pull", "saved", "tools"},
    {"doctor"},
    {"panels"},
    {"cli", "__main__"},
]


def room_of(module: str) -> int | None:
    """The floor of a dotted module name; None for the package itself and the local vendors."""
    parts = module.split(".")
    if len(parts) < 2 or parts[0] != "vendorkit" or parts[1] == "local":
        return None
    return next((i for i, room in enumerate(ROOMS) if parts[1] in room), None)


def imports_of(path: Path) -> set[str]:
    """Every module of the package that a file imports, also inside functions, but not under TYPE_CHECKING."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("vendorkit"):
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("vendorkit")}
    return found


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_imports_only_downwards(path):
    """A module imports from its own room and lower ones; a query reaches `snippets` and `cluster` when asked to."""
    module = "vendorkit." + ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    own = room_of(module)
    imported = imports_of(path)
    if ".local." in module:
        assert {name for name in imported if not name.startswith(("vendorkit.local", "vendorkit.errors"))} <= {
            "vendorkit"
        }
        return
    if module == "vendorkit.query":
        imported -= {f"vendorkit.{name}" for name in ("tools", "tools.snippets")}
    assert own is not None, "every module belongs to a room"
    upwards = {name for name in imported if (room_of(name) or 0) > own}
    assert not upwards


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
    for path in FILES:
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
