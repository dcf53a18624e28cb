"""Bytes to Arrow to DataFrames under declared schemas; nothing here sends a request."""

from __future__ import annotations

from vendorkit.frames.drift import Drift, SchemaDrift
from vendorkit.frames.json import JsonReader
from vendorkit.frames.lines import LinesReader
from vendorkit.frames.page import Page, combine, to_frame
from vendorkit.frames.schema import Column, Embedded, EmbeddedMany, Kind, ListOf, Schema, Struct
from vendorkit.frames.tables import child_tables
from vendorkit.frames.xml import XmlReader

__all__ = [
    "Column",
    "Drift",
    "Embedded",
    "EmbeddedMany",
    "JsonReader",
    "Kind",
    "LinesReader",
    "ListOf",
    "Page",
    "Schema",
    "SchemaDrift",
    "Struct",
    "XmlReader",
    "child_tables",
    "combine",
    "to_frame",
]
