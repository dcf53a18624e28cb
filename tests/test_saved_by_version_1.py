"""Datasets that version 1 saved, in `tests/saved_by_version_1`, load, and are not written to."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

import vendorkit as vk
from vendorkit.errors import IncompletePull, UsageError

pytestmark = pytest.mark.filterwarnings("ignore::vendorkit.frames.SchemaDrift")
STORED = Path(__file__).parent / "saved_by_version_1"


def test_a_complete_dataset_loads(mediagenix):
    """The same frame as today's."""
    columns = ["id", "name", "title_type"]
    frame = vk.load(STORED / "titles_whole")
    assert frame.attrs["vendorkit"]["complete"] is True
    pd.testing.assert_frame_equal(frame, mediagenix.titles.query().frame(columns=columns))


@pytest.mark.parametrize(
    ("vendor", "resource", "rows"),
    [("medipim", "products", 2000), ("mediagenix", "titles", 1200), ("medipim", "windows", 0)],
)
def test_a_begun_dataset_is_read_as_far_as_it_goes(tmp_path, vendor, resource, rows):
    """Its rows are in the error and by `partial=True`."""
    folder = STORED / f"{resource}_begun"
    with pytest.raises(IncompletePull, match=r"rows.* download was not finished") as caught:
        vk.load(folder)
    assert len(caught.value.arrived) == len(vk.load(folder, partial=True)) >= rows > -1


@pytest.mark.parametrize("name", ["products_begun", "titles_whole"])
def test_what_version_1_saved_is_not_written_to(medipim, vendors, tmp_path, name):
    """Neither save nor update: a typed error says what to do, before anything is sent; not a byte is changed."""
    folder = tmp_path / "old"
    shutil.copytree(STORED / name, folder)
    before = {path: path.read_bytes() for path in folder.rglob("*")}
    vendors["medipim"].clear_log()
    query = medipim.products.query()
    for write in (query.save, query.update):
        with pytest.raises(UsageError, match=r"saved by version 1 .*vk\.load\(\) reads it.*another folder, or delete"):
            write(folder)
    assert vendors["medipim"].requests == 0
    assert {path: path.read_bytes() for path in folder.rglob("*")} == before
    assert not vk.load(folder, columns="id", partial=True, filters=[("id", "!=", "")]).empty
    with pytest.raises(UsageError, match="has no version 0"):
        vk.load(folder, version=0)


@pytest.mark.parametrize("name", ["/etc/passwd", "../x.parquet", "part-00000.parquet/../x", 5, None])
def test_a_manifest_that_names_other_files_is_refused(tmp_path, name):
    """Names of parts only, so nothing outside the folder is opened."""
    folder = tmp_path / "old"
    shutil.copytree(STORED / "titles_whole", folder)
    found = json.loads((folder / "_manifest.json").read_text("utf-8"))
    found["parts"][0]["file"] = name
    (folder / "_manifest.json").write_text(json.dumps(found), "utf-8")
    with pytest.raises(UsageError, match="cannot be read as the manifest"):
        vk.load(folder)
