"""Titles with documents, and questions that read all of their columns or some."""

from __future__ import annotations

from vendorkit.frames import Column, Kind, ListOf, Schema

DOCUMENTS = Schema(
    "titles",
    (
        Column("id", Kind.ID),
        Column("name", Kind.TEXT),
        Column("metadata", Kind.DOCUMENT),
        Column("tags", ListOf(Kind.TEXT)),
    ),
)
QUESTIONS = {
    "all": DOCUMENTS,
    "document": DOCUMENTS.project(["id", "metadata"]),
    "name": DOCUMENTS.project(["name", "id"]),
}
