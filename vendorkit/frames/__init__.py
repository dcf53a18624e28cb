"""Bytes to Arrow to DataFrames under declared schemas; nothing here sends a request."""

from __future__ import annotations

from vendorkit.frames.drift import UNDECLARED, Drift, SchemaDrift, expand, fold, gathered, members_of
from vendorkit.frames.frame import NESTED, Nested, flattened, to_frame
from vendorkit.frames.json import json_page, lines_page, page_of
from vendorkit.frames.kinds import FRAME_TYPES, Column, Embedded, EmbeddedMany, Kind, ListOf, Struct
from vendorkit.frames.page import Batch, Page, TableReader, combine
from vendorkit.frames.schema import Schema
from vendorkit.frames.tables import child_tables
from vendorkit.frames.values import count_of
from vendorkit.frames.xml import xml_page

__all__ = [
    "FRAME_TYPES",
    "NESTED",
    "UNDECLARED",
    "Batch",
    "Column",
    "Drift",
    "Embedded",
    "EmbeddedMany",
    "Kind",
    "ListOf",
    "Nested",
    "Page",
    "Schema",
    "SchemaDrift",
    "Struct",
    "TableReader",
    "child_tables",
    "combine",
    "count_of",
    "expand",
    "flattened",
    "fold",
    "gathered",
    "json_page",
    "lines_page",
    "members_of",
    "page_of",
    "to_frame",
    "xml_page",
]
