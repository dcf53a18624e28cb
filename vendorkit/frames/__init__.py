"""Parses responses to Arrow tables and DataFrames under declared schemas; sends no requests."""

from __future__ import annotations

from vendorkit.frames.drift import UNDECLARED as UNDECLARED
from vendorkit.frames.drift import Drift as Drift
from vendorkit.frames.drift import SchemaDrift as SchemaDrift
from vendorkit.frames.drift import expand as expand
from vendorkit.frames.drift import fold as fold
from vendorkit.frames.drift import gathered as gathered
from vendorkit.frames.drift import members_of as members_of
from vendorkit.frames.frame import NESTED as NESTED
from vendorkit.frames.frame import Nested as Nested
from vendorkit.frames.frame import flattened as flattened
from vendorkit.frames.frame import row_codes as row_codes
from vendorkit.frames.frame import to_frame as to_frame
from vendorkit.frames.json import json_page as json_page
from vendorkit.frames.json import lines_page as lines_page
from vendorkit.frames.json import page_of as page_of
from vendorkit.frames.kinds import FRAME_TYPES as FRAME_TYPES
from vendorkit.frames.kinds import Column as Column
from vendorkit.frames.kinds import Embedded as Embedded
from vendorkit.frames.kinds import EmbeddedMany as EmbeddedMany
from vendorkit.frames.kinds import Kind as Kind
from vendorkit.frames.kinds import ListOf as ListOf
from vendorkit.frames.kinds import Struct as Struct
from vendorkit.frames.page import Batch as Batch
from vendorkit.frames.page import Page as Page
from vendorkit.frames.page import TableReader as TableReader
from vendorkit.frames.page import combine as combine
from vendorkit.frames.schema import Schema as Schema
from vendorkit.frames.tables import child_tables as child_tables
from vendorkit.frames.values import count_of as count_of
from vendorkit.frames.xml import xml_page as xml_page
