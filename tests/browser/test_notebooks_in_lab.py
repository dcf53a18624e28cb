"""Each notebook, opened in JupyterLab by a browser and run from top to bottom; a picture of each."""

from __future__ import annotations

import nbformat
import pytest

from vendorkit.installed import NOTEBOOKS

pytest.importorskip("playwright")

from tests.browser.serving import open_in_lab, outputs, run_all, wait_until_run

PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))
_TALLEST = 12_000  # pixels


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_notebook(page, lab, folder, path):
    """No cell ends in an error, and none shows nothing where a panel or a table is meant."""
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    shown = [len(cell.outputs) for cell in code]
    for cell in code:
        cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, folder / path.name)
    open_in_lab(page, lab, path.name)
    run_all(page)
    wait_until_run(page)
    made = outputs(page)
    assert not [out for out in made if out["output_type"] == "error"]
    assert len(made) >= sum(shown)
    height = page.evaluate("() => document.querySelector('.jp-WindowedPanel-outer').scrollHeight")
    page.set_viewport_size({"width": 1280, "height": min(height + 200, _TALLEST)})
    page.evaluate("() => { document.querySelector('.jp-WindowedPanel-outer').scrollTop = 0; }")
    page.wait_for_timeout(1_000)  # the page lays itself out anew for the picture
