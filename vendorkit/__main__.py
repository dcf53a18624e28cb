"""`python -m vendorkit` runs the command line, also where the command `vendorkit` is not on the PATH."""

from vendorkit.cli import run

run()
