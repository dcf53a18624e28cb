"""Mediagenix On-Demand: a video catalogue."""
