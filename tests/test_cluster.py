"""A query on Dask has the frame's rows, whichever worker downloads them, and no credential leaves the planner."""

from __future__ import annotations

import base64
import json
import pickle
import stat
import subprocess
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import vendorkit as vk
from vendorkit import local
from vendorkit.ask import Span
from vendorkit.errors import IncompletePull, SettingsError, UsageError
from vendorkit.local.server.address_file import address_file, servers_at
from vendorkit.pull import run
from vendorkit.tools import dask as cluster

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")
cloudpickle = pytest.importorskip("cloudpickle")

pytestmark = pytest.mark.filterwarnings("ignore::vendorkit.frames.SchemaDrift")


@pytest.fixture(scope="module")
def large():
    """A mock server with more products than the paging window."""
    with local.start(vendors=("medipim",), products=10_600) as running:
        yield running


@pytest.fixture(autouse=True)
def _small_budget_folder(monkeypatch, tmp_path):
    """Use a folder for budget files that no other test uses."""
    monkeypatch.setenv("VENDORKIT_BUDGET_DIR", str(tmp_path / "budget"))


def declared(query):
    """Return the frame's declared columns, with lists as text."""
    return query.frame(nested="json")[query.schema.arrow.names]


def fixed(frame):
    """Return the rows of a Dask frame without the column of undeclared fields."""
    return frame.drop(columns="__undeclared")


def test_dask_frame_equals_the_frame(medipim):
    """Rows, their order, index, columns and dtypes are equal."""
    query = medipim.products.query(status="inactive")
    frame = query.dask(partitions=3)
    assert frame.npartitions == 3
    assert frame.known_divisions
    assert fixed(frame).dtypes.to_dict() == declared(query).dtypes.to_dict()
    pd.testing.assert_frame_equal(fixed(frame.compute(scheduler="threads")), declared(query))


@pytest.mark.parametrize(
    ("vendor", "resource", "asked", "parts"),
    [
        ("medipim", "brands", {}, 1),
        ("medipim", "products", {"brand": 8, "status": "inactive"}, 1),
        ("medipim", "products", {"id": "M-no-such"}, 1),
        ("mediagenix", "titles", {"expand": ["metadata"]}, 4),
        ("mediagenix", "titles", {"accept": "json"}, 4),
        ("mediagenix", "linear_schedulings", {"linear_channel": 1}, 1),
        ("mediagenix", "events", {"newer_than": 1800}, 1),
        ("mediagenix", "metadata", {"title": 1}, 1),
        ("pledg", "payment_schedule", {"amount_cents": 20_000, "created": "2026-01-31"}, 1),
    ],
)
def test_every_vendor_is_parted_as_its_paging_allows(request, vendor, resource, asked, parts):
    """Numbered pages give several parts; links, feeds and single answers one. The rows equal the frame's."""
    query = getattr(request.getfixturevalue(vendor), resource).query(**asked)
    frame = query.dask(4)
    assert frame.npartitions == parts
    pd.testing.assert_frame_equal(fixed(frame.compute(scheduler="threads")), declared(query))


def test_followed_link_is_parted_too(mediagenix):
    """A collection at an address from the vendor is also split into parts."""
    query = mediagenix.root().links["titles"].follow()
    assert query.dask(3).npartitions == 3
    pd.testing.assert_frame_equal(fixed(query.dask(3).compute(scheduler="threads")), declared(query))


def test_used_columns_only_are_parsed(medipim, monkeypatch):
    """Dask passes the selected columns to the download."""
    parsed, table_of = [], cluster.table_of

    def noting(source, ask, schema):
        parsed.append(schema.arrow.names)
        return table_of(source, ask, schema)

    monkeypatch.setattr(cluster, "table_of", noting)
    names = medipim.brands.query().dask()["name"].compute(scheduler="synchronous")
    assert parsed == [["name"]]
    assert len(names) == 300


def test_rows_are_counted_without_columns(medipim):
    """A part gives only the index if no column is needed."""
    frame = cluster.part(medipim.brands.query().ask, 5, reopen=medipim.reopen(), nested="json", columns=[])
    assert frame.shape == (300, 0)
    assert frame.index[0] == 5


@pytest.mark.slow
def test_past_the_window_parts_are_windows_of_creation(large, monkeypatch):
    """10,600 products are split into five parts of similar size, with the same rows as the stream."""
    monkeypatch.setattr(local, "shared", lambda *_: large)
    query = vk.connect("medipim", environment="local").products.query()
    frame = query.dask(5)
    assert frame.npartitions == 5
    sizes = frame.map_partitions(len).compute(scheduler="threads")
    assert max(sizes) < 2 * min(sizes)
    found = frame[["id", "name_nl"]].compute(scheduler="threads")
    expected = query.frame(columns=["id", "name_nl"])
    pd.testing.assert_frame_equal(found.sort_values("id", ignore_index=True), expected)


def forms_of(secret: str) -> list[bytes]:
    """Return the forms in which a pickle may contain a credential."""
    return [secret.encode(), base64.b64encode(secret.encode()).rstrip(b"="), secret.encode("utf-16-le")]


@pytest.mark.parametrize("vendor", ["medipim", "mediagenix", "pledg"])
def test_graph_and_pickles_hold_no_credential(request, vendors, vendor):
    """S14: They hold plain values, but neither the client nor the mock server's key. Promise 3."""
    client = request.getfixturevalue(vendor)
    asked = {"amount_cents": 20_000, "created": "2026-01-31"} if vendor == "pledg" else {}
    resource = {"medipim": "products", "mediagenix": "titles", "pledg": "payment_schedule"}[vendor]
    frame = getattr(client, resource).query(**asked).dask(2)
    graph = dict(frame.optimize().__dask_graph__())
    packed = [cloudpickle.dumps(frame), pickle.dumps(frame.expr), cloudpickle.dumps(graph)]
    secrets = [value for name, value in vendors[vendor].credentials.items() if not name.endswith(("_ID", "_UID"))]
    assert secrets
    for body in packed:
        assert b"vendors.json" in body  # the plan itself, which has the path of the mock servers' address file
        assert not [form for secret in secrets for form in forms_of(secret) if form in body]


def test_worker_takes_its_own_credentials(monkeypatch):
    """A worker uses its own settings for a real environment, and the error names the missing ones."""
    monkeypatch.setenv("MEDIPIM_API_KEY_ID", "42")
    monkeypatch.setenv("MEDIPIM_API_KEY_SECRET", "made-up-words-for-planning")
    query = vk.connect("medipim", environment="sandbox", country="fr").brands.query(search="a")
    packed = pickle.dumps((query.client.reopen(), query.ask))
    assert b"made-up" not in packed
    monkeypatch.setenv("MEDIPIM_API_KEY_SECRET", "made-up-words-of-a-worker")
    reopen, ask = pickle.loads(packed)  # noqa: S301 - pickled above
    again = vk.Query(reopen(), ask)
    assert again.client.settings.get("MEDIPIM_API_KEY_SECRET") == "made-up-words-of-a-worker"
    assert again.describe() == query.describe()
    assert (again.client.environment, again.client.country) == ("sandbox", "fr")
    monkeypatch.delenv("MEDIPIM_API_KEY_SECRET")
    with pytest.raises(SettingsError, match="MEDIPIM_API_KEY_SECRET"):
        reopen()


def test_meeting_point_is_its_users_only_and_goes_with_the_servers(vendors):
    """The file has mode 0600 in a folder of 0700, leads to the same vendor, and is deleted with the servers."""
    with local.start(vendors=("medipim",), products=10, brands=2) as servers:
        path = address_file(servers)
        assert address_file(servers) == path
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert servers_at(path)["medipim"].base_url == servers["medipim"].base_url
    del servers
    assert not path.parent.exists()
    with pytest.raises(UsageError, match="cannot be reached"):
        servers_at(path)


@pytest.mark.parametrize("parts", [0, -1, 1.5, True, "8"])
def test_number_of_parts_is_checked(medipim, parts):
    """An invalid number is refused before a request."""
    with pytest.raises(UsageError, match="number of parts"):
        medipim.brands.query().dask(parts)


def test_missing_dask_is_named_with_the_extra(medipim, monkeypatch):
    """The error has one sentence of cause and one of remedy."""
    monkeypatch.setattr(cluster, "find_spec", lambda _: None)
    with pytest.raises(SettingsError, match=r"vendorkit\[dask\]"):
        medipim.brands.query().dask()


@pytest.mark.parametrize(("vendor", "resource"), [("medipim", "products"), ("mediagenix", "titles")])
def test_data_that_changed_since_the_plan_is_an_incomplete_pull(request, vendor, resource):
    """A part whose size differs from the plan ends the download."""
    client = request.getfixturevalue(vendor)
    query = getattr(client, resource).query()
    ask = run(query.resource.paging.split(query.ask, 2), client)[1]
    planned = json.loads(json.dumps(ask.span.asked))
    inner = planned[0] if isinstance(planned[0], list) else planned
    inner[-1] -= 1
    with pytest.raises(IncompletePull, match="changed") as caught:
        cluster.part(replace(ask, span=Span(ask.span.rows, planned)), 0, reopen=client.reopen(), nested="json")
    assert caught.value.arrived is None
    with pytest.raises(IncompletePull, match="rows arrived, but"):
        cluster.part(
            replace(ask, span=Span(ask.span.rows + 1, ask.span.asked)), 0, reopen=client.reopen(), nested="json"
        )


@pytest.mark.filterwarnings("default::vendorkit.frames.SchemaDrift")
def test_what_is_not_declared_is_in_one_column_and_named(medipim, vendors):
    """Undeclared fields and misfits are in one column, as in `frame()`, and a warning names them."""
    vendors["medipim"].set(wrong_type_rate=0.2)
    query = medipim.products.query(status="inactive")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = query.dask(1).compute(scheduler="synchronous")["__undeclared"]
        whole = query.frame()
    appended = [name for name in whole if name not in query.schema.arrow.names]
    assert {"ean_gtin13__raw", "new_field"} <= {*appended}
    names = {query.schema.undeclared((name,)): name for name in ("embedUrl", "newField")}
    expected = [
        {names.get(name, name): json.loads(row[name]) for name in appended if pd.notna(row[name])}
        for _, row in whole[appended].iterrows()
    ]
    assert [json.loads(text) if pd.notna(text) else {} for text in found] == expected
    said = str(caught[0].message)
    assert caught[0].category is vk.SchemaDrift
    assert all(name in said for name in appended)


@pytest.mark.slow
def test_frames_shuffle_merge_and_sort_on_a_cluster(medipim):
    """Times, merges on an id, and indexes of ids and times behave as in pandas, with lists as text."""
    query = medipim.products.query(status="inactive")
    whole = query.frame(nested="json")[[*query.schema.arrow.names]]
    options = {"n_workers": 1, "threads_per_worker": 2, "processes": True, "dashboard_address": "127.0.0.1:0"}
    with distributed.LocalCluster(**options, host="127.0.0.1") as running, distributed.Client(running):
        frame = query.dask(3)
        prices = frame[["id", "public_price", "brands"]]
        merged = fixed(frame).merge(prices, on="id", suffixes=("", "_again")).compute()
        by_id = frame.set_index("id").compute()
        by_time = frame.set_index("created_at")[["id"]].compute()
        new = frame[frame["created_at"] > "2024-01-01"].groupby("status").size().compute()
        months = frame["created_at"].dt.year.value_counts().compute()
        with dask.config.set({"dataframe.convert-string": False}):  # otherwise strings of other parts get another dtype
            codes = frame.merge(whole[["id"]].head(3), on="id").compute()
        lists = frame.drop_duplicates(subset="brands").compute()
    expected = whole.merge(whole[["id", "public_price", "brands"]], on="id", suffixes=("", "_again"))
    order = {"by": "id", "ignore_index": True}
    pd.testing.assert_frame_equal(merged.sort_values(**order), expected.sort_values(**order))
    assert by_id.index.tolist() == sorted(whole["id"])
    assert by_time["id"].sort_values().tolist() == sorted(whole["id"])
    assert by_time.index.is_monotonic_increasing
    assert new.sum() == (whole["created_at"] > "2024-01-01").sum()
    assert months.sum() == len(whole)
    assert sorted(codes["id"]) == sorted(whole["id"].head(3))
    assert len(lists) == whole["brands"].nunique(dropna=False)


@pytest.mark.parametrize("nested", ["list", "drop"])
def test_lists_can_be_kept_or_left_out(medipim, nested):
    """Every worker treats lists as `frame()` does."""
    query = medipim.products.query(brand=9)
    found = query.dask(1, nested=nested)
    expected = query.frame(nested=nested)
    expected = expected[[name for name in query.schema.arrow.names if name in expected]]
    assert found.dtypes.drop("__undeclared").to_dict() == expected.dtypes.to_dict()
    pd.testing.assert_frame_equal(fixed(found.compute(scheduler="synchronous")), expected)


def test_local_cluster_of_processes_pulls_the_frame(medipim):
    """A worker process reaches the planner's vendor, and its warning arrives at the planner."""
    query = medipim.products.query(status="inactive")
    options = {"n_workers": 1, "threads_per_worker": 2, "processes": True, "dashboard_address": "127.0.0.1:0"}
    with (
        distributed.LocalCluster(**options, host="127.0.0.1") as running,
        distributed.Client(running),
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always")
        found = query.dask(2).compute()
        until = time.monotonic() + 10.0  # the warning arrives independently, perhaps after the result
        while not caught and time.monotonic() < until:
            time.sleep(0.01)
    assert any("only in the column __undeclared" in str(one.message) for one in caught)
    pd.testing.assert_frame_equal(fixed(found), declared(query))


def started(*arguments: str) -> subprocess.Popen[bytes]:
    """Run a process of Dask's command line."""
    return subprocess.Popen(
        [sys.executable, "-m", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=Path.cwd()
    )


@pytest.mark.slow
def test_remote_scheduler_and_worker_pull_the_frame(mediagenix, tmp_path):
    """A separately started scheduler and worker inherit nothing from the planner and download the frame."""
    file = str(tmp_path / "scheduler.json")
    common = ("--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0", "--scheduler-file", file)
    query = mediagenix.titles.query(accept="json")
    processes = [started("distributed.cli.dask_scheduler", "--port", "0", *common)]
    try:
        processes.append(started("distributed.cli.dask_worker", "--nthreads", "2", "--no-nanny", *common))
        with distributed.Client(scheduler_file=file, timeout=30) as client:
            client.wait_for_workers(1, timeout=30)
            pd.testing.assert_frame_equal(fixed(query.dask(4).compute()), declared(query))
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait(timeout=15)
