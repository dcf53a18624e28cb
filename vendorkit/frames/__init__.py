"""Bytes to Arrow to DataFrames under declared schemas; nothing here sends a request."""

from __future__ import annotations

from vendorkit.frames.drift import Drift, SchemaDrift
from vendorkit.frames.schema import Column, Embedded, EmbeddedMany, Kind, ListOf, Schema, Struct

__all__ = ["Column", "Drift", "Embedded", "EmbeddedMany", "Kind", "ListOf", "Schema", "SchemaDrift", "Struct"]
