"""The vendors: for each its data, paging and client."""
