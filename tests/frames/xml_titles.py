"""The schema of the XML tests, and a collection of its records."""

from vendorkit.frames import Column, Embedded, EmbeddedMany, Kind, Schema, xml_page

SHOW = (
    Column("resource_type", Kind.TEXT),
    Column("id", Kind.ID),
    Column("name", Kind.TEXT),
    Column("self_link", Kind.LINK),
)
EPISODE = (
    Column("resource_type", Kind.TEXT),
    Column("id", Kind.ID),
    Column("aired", Kind.BOOLEAN),
    Column("show_link", Kind.LINK),
    Column("show", Embedded(SHOW)),
)
TITLES = Schema(
    "titles",
    (
        Column("resource_type", Kind.TEXT),
        Column("id", Kind.ID),
        Column("external_id", Kind.CODE),
        Column("name", Kind.TEXT),
        Column("nth", Kind.INTEGER),
        Column("rate", Kind.NUMBER),
        Column("enabled", Kind.BOOLEAN),
        Column("due", Kind.DATE),
        Column("put_up", Kind.DATETIME),
        Column("runtime", Kind.DURATION),
        Column("self_link", Kind.LINK, "self"),
        Column("show_link", Kind.LINK),
        Column("episodes_link", Kind.LINK),
        Column("metadata_link", Kind.LINK),
        Column("show", Embedded(SHOW)),
        Column("episodes", EmbeddedMany(EPISODE)),
        Column("metadata", Kind.DOCUMENT),
    ),
)


def collection(inner):
    """The page of a collection with these elements."""
    return xml_page(f'<titles type="array">{inner}</titles>'.encode(), "entries")


def in_xml(inner, schema=TITLES):
    """The batch of such a page."""
    return collection(inner).table(schema)


def rows(inner, *columns):
    """Some columns of the rows of such a page."""
    return in_xml(inner).table.select(columns).to_pylist()
