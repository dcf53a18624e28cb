"""The tests; they import helpers from each other by this name."""
