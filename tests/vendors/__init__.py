"""Tests of the three vendors, end to end."""
