"""Medipim: health products."""
