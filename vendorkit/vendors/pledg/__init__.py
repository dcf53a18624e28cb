"""Pledg: instalment payments."""
