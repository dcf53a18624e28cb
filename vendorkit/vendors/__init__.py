"""The vendors: each one its data, its paging and its client."""
