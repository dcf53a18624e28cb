"""Installs the notebooks and the example of a settings file with the package, which pyproject.toml cannot express."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithNotebooks(build_py):
    """Copies both next to the modules; an editable installation uses the files of the checkout."""

    def run(self) -> None:
        """Build as usual, then copy."""
        super().run()
        if self.editable_mode:
            return
        root, package = Path(__file__).parent, Path(self.build_lib, "vendorkit")
        shutil.copy(root / ".env.example", package / ".env.example")
        # The folder of an earlier build may contain notebooks that were deleted since.
        shutil.rmtree(package / "notebooks", ignore_errors=True)
        (package / "notebooks").mkdir()
        for notebook in sorted((root / "notebooks").glob("*.ipynb")):
            shutil.copy(notebook, package / "notebooks")


setup(cmdclass={"build_py": BuildWithNotebooks})
