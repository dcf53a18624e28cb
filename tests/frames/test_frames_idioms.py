"""Everyday pandas on the frames of six resources, with lists and with JSON texts; on each supported pandas if slow."""

from __future__ import annotations

import ast
import io
import json
import os
import pickle
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import duckdb
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression

import vendorkit as vk
from tests.frames.idioms import COLUMNS, IDIOMS, PAGE, page_with_idioms

mpl.use("agg")
pytestmark = pytest.mark.filterwarnings("ignore::vendorkit.frames.SchemaDrift")

ROOT = Path(__file__).resolve().parents[2]
_QUERIES = {
    "products": ("medipim", "products", {"brand": 9}),
    "brands": ("medipim", "brands", {}),
    "media": ("medipim", "media", {}),
    "titles": ("mediagenix", "titles", {"expand": ["metadata", "images"]}),
    "schedulings": ("mediagenix", "linear_schedulings", {"linear_channel": 1}),
    "schedule": ("pledg", "payment_schedule", {"amount_cents": 20_000, "created": "2026-01-31"}),
}
_frames: dict[tuple[str, str], pd.DataFrame] = {}


def frame_of(resource: str, nested: str) -> pd.DataFrame:
    """The first rows of a resource; each is fetched once."""
    if (resource, nested) not in _frames:
        vendor, name, asked = _QUERIES[resource]
        query = getattr(vk.connect(vendor, environment="local"), name).query(**asked)
        _frames[resource, nested] = query.frame(limit=200, nested=nested)
    return _frames[resource, nested].copy()


def same(found: pd.DataFrame, expected: pd.DataFrame) -> bool:
    """Equal values, and dtypes of the same names: pandas 2 reads texts into another storage than ours."""
    assert list(map(str, found.dtypes)) == list(map(str, expected.dtypes))
    pd.testing.assert_frame_equal(found.astype(expected.dtypes), expected)
    return True


def fails(call) -> bool:
    """Whether pandas refuses it."""
    try:
        call()
    except (TypeError, ValueError):
        return True
    return False


def run(code: str, names: dict[str, object]) -> object:
    """Run the statements; return the value of the last one."""
    *before, last = ast.parse(code).body
    exec(compile(ast.Module(before, []), "page", "exec"), names)  # noqa: S102 - the project's own page
    return eval(compile(ast.Expression(last.value), "page", "eval"), names)  # noqa: S307


@pytest.mark.parametrize("resource", COLUMNS)
@pytest.mark.parametrize("idiom", IDIOMS, ids=lambda one: one.title)
def test_everyday_pandas_works_on_the_frames_of_a_resource(idiom, resource, vendors, tmp_path):
    """With `nested="json"` all that does not take lists apart; with lists all that the page says needs no option."""
    if not idiom.fits(resource):
        pytest.skip("the resource has no such column")
    for nested in ("list", "json") if idiom.needs == "any" else (idiom.needs,):
        df = frame_of(resource, nested)
        (tmp_path / nested).mkdir()
        with closing(sqlite3.connect(":memory:")) as connection:
            names = {
                "df": df,
                "folder": tmp_path / nested,
                "connection": connection,
                "buffer": io.StringIO(),
                "pd": pd,
                "np": np,
                "pa": pa,
                "pl": pl,
                "duckdb": duckdb,
                "json": json,
                "pickle": pickle,
                "LinearRegression": LinearRegression,
            }
            with mpl.rc_context():
                result = run(idiom.code_for(resource), names)
            plt.close("all")
        checks = {"same": same, "fails": fails, "_again": lambda name: f"{name}_again"}
        checks["blank_is_null"] = lambda frame: frame.replace("", None).astype(frame.dtypes)
        scope = {**names, **checks, "result": result}
        assert eval(idiom.check_for(resource), scope), nested  # noqa: S307 - of the table above


def test_there_are_enough_of_them_and_each_runs_somewhere():
    """At least forty, and no row of the page that no resource runs."""
    assert len(IDIOMS) >= 40
    assert all(any(one.fits(resource) for resource in COLUMNS) for one in IDIOMS)
    assert all(any(one.fits(resource) for one in IDIOMS) for resource in COLUMNS)


def test_page_has_a_row_for_each():
    """`make docs` brings the page up to date."""
    assert PAGE.read_text(encoding="utf-8") == page_with_idioms()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("version", ["2.2.3", "3.1.1"])
def test_everyday_pandas_works_on_each_supported_pandas(version):
    """The oldest and the newest, in processes of their own."""
    folder = ROOT / "build" / f"pandas-{version}"
    assert folder.exists(), "`make slow` installs it"
    code = (
        "import pandas, sys, pytest; assert pandas.__version__ == sys.argv.pop(1); sys.exit(pytest.main(sys.argv[1:]))"
    )
    tests = [str(Path(__file__).resolve()), str(Path(__file__).with_name("test_frames_dtypes.py"))]
    options = ["-q", "-p", "no:cacheprovider", "-W", "ignore::DeprecationWarning", "-W", "ignore::FutureWarning"]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}
    command = [sys.executable, "-c", code, version, *options, *tests]
    done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
