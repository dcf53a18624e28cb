"""The one HTTP policy for all vendors."""
