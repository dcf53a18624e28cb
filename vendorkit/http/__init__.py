"""The HTTP policy of all vendors."""
