"""Requests as code, and queries on Dask."""
