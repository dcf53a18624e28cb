"""The tests. This file makes them a package, so that they can import shared helpers from each other."""
