"""Datasets that version 1 saved, in `tests/saved_by_version_1`, load and continue where it stopped."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

import vendorkit as vk
from vendorkit import local
from vendorkit.errors import IncompletePull

pytestmark = pytest.mark.filterwarnings("ignore::vendorkit.frames.SchemaDrift")
STORED = Path(__file__).parent / "saved_by_version_1"


def test_a_complete_dataset_loads(mediagenix):
    """The same frame as today's."""
    columns = ["id", "name", "title_type"]
    frame = vk.load(STORED / "titles_whole")
    assert frame.attrs["vendorkit"]["complete"] is True
    pd.testing.assert_frame_equal(frame, mediagenix.titles.query().frame(columns=columns))


@pytest.mark.parametrize(
    ("vendor", "resource", "columns"),
    [("medipim", "products", ["id", "cnk", "name"]), ("mediagenix", "titles", ["id", "name", "title_type"])],
)
def test_a_begun_dataset_continues_at_its_cursor(vendors, tmp_path, vendor, resource, columns):
    """Numbers of pages and `next` links; what is stored is not fetched again."""
    requests = {"medipim": 12, "mediagenix": 4 + 1}[vendor]  # the pages that are missing, and the digest challenge
    folder = tmp_path / "begun"
    shutil.copytree(STORED / f"{resource}_begun", folder)
    with pytest.raises(IncompletePull):
        vk.load(folder)
    before = (folder / "part-00000.parquet").read_bytes()
    client = vk.connect(vendor, environment="local")
    vendors[vendor].clear_log()
    query = getattr(client, resource).query()
    assert query.save(folder, columns=columns).complete
    assert vendors[vendor].requests == requests
    assert (folder / "part-00000.parquet").read_bytes() == before
    pd.testing.assert_frame_equal(vk.load(folder), query.frame(columns=columns))


def test_windows_continue_at_theirs(tmp_path, monkeypatch):
    """A window, and the number of the next page in it."""
    folder = tmp_path / "begun"
    shutil.copytree(STORED / "windows_begun", folder)
    with local.start(vendors=("medipim",), products=10_600) as running:
        monkeypatch.setattr(local, "shared", lambda *_: running)
        query = vk.connect("medipim", environment="local").products.query(strategy="windows")
        assert query.save(folder, columns=["id"]).complete
        pages = running["medipim"].requests
        pd.testing.assert_frame_equal(vk.load(folder), query.frame(columns=["id"]))
    assert pages <= 20  # the stream's first line, 14 pages, a probe and a count
