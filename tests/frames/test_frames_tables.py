"""Child tables: tidy, keyed by their parents, nothing missing."""

import pyarrow as pa

from vendorkit.frames import Column, Embedded, Kind, ListOf, Schema, Struct, child_tables, json_page

MEDIA = (
    Column("id", Kind.ID),
    Column("title", Kind.LOCALISED),
    Column("meta", Struct((Column("size", Kind.INTEGER),))),
    Column("owners", ListOf((Column("name", Kind.TEXT_OR_LOCALISED),))),
    Column("position", Kind.INTEGER),
)
SCHEMA = Schema(
    "categories",
    (
        Column("id", Kind.ID),
        Column("tags", ListOf(Kind.TEXT)),
        Column("photos", ListOf(MEDIA)),
        Column("show", Embedded((Column("name", Kind.TEXT), Column("codes", ListOf(Kind.CODE))))),
        Column("metadata", Kind.JSON),
    ),
    locales=("nl", "fr"),
)
BODY = b"""[
{"id":1,"tags":["a",null],"photos":[{"id":7,"title":{"nl":"x"},"meta":{"size":3},"owners":[{"name":"o"}],"position":9},
 {"id":8,"owners":[{"name":{"fr":"p"}},{"name":"q"}]}],"show":{"name":"s","codes":["01"]}},
{"id":2,"tags":[],"photos":null,"metadata":{"year":1994,"cast":["A",null,""],"rate":1.50,"on":true,"deep":{"a":[1]},
 "none":null,"empty":[]}},
{"id":3,"photos":[{"id":7}],"metadata":{}}]"""


def _tables():
    return child_tables(json_page(BODY, None).table(SCHEMA).table, SCHEMA)


def test_the_names_say_whose_children_they_are():
    """The singular of the parent, then the column."""
    assert list(_tables()) == [
        "categories",
        "category_tags",
        "category_photos",
        "category_photo_owners",
        "category_show_codes",
        "category_metadata",
    ]


def test_records_keep_their_scalars_and_spread_their_structs():
    """Each list and each kind of document has its own table."""
    assert _tables()["categories"].to_pylist() == [
        {"id": "1", "show_name": "s"},
        {"id": "2", "show_name": None},
        {"id": "3", "show_name": None},
    ]


def test_plain_lists_give_a_row_per_value():
    """Null and empty lists have no rows; a null element has one."""
    assert _tables()["category_tags"].to_pylist() == [
        {"category_id": "1", "position": 0, "value": "a"},
        {"category_id": "1", "position": 1, "value": None},
    ]
    assert _tables()["category_show_codes"].to_pylist() == [{"category_id": "1", "position": 0, "value": "01"}]


def test_lists_of_objects_are_flattened_next_to_their_keys():
    """Locales and structs spread; a field named like a key gets another name."""
    photos = _tables()["category_photos"]
    assert photos.column_names == [
        *("category_id", "position", "id", "title_nl", "title_fr", "meta_size", "photo_position")
    ]
    assert photos["position"].to_pylist() == [0, 1, 0]
    assert photos["category_id"].to_pylist() == ["1", "1", "3"]
    assert photos["photo_position"].to_pylist() == [9, None, None]
    assert photos["meta_size"].to_pylist() == [3, None, None]


def test_lists_inside_lists_carry_all_positions():
    """A grandchild finds its way back to its parent and its parent's parent."""
    assert _tables()["category_photo_owners"].to_pylist() == [
        {"category_id": "1", "photo_position": 0, "position": 0, "name": "o", "name_nl": None, "name_fr": None},
        {"category_id": "1", "photo_position": 1, "position": 0, "name": "p", "name_nl": None, "name_fr": "p"},
        {"category_id": "1", "photo_position": 1, "position": 1, "name": "q", "name_nl": None, "name_fr": None},
    ]


def test_documents_become_long_tables_with_null_and_empty_apart():
    """A row per field, or per value of a plain list, with its type."""
    rows = [tuple(row.values()) for row in _tables()["category_metadata"].to_pylist()]
    assert rows == [
        ("2", "year", None, "integer", "1994"),
        ("2", "cast", 0, "text", "A"),
        ("2", "cast", 1, "null", None),
        ("2", "cast", 2, "text", ""),
        ("2", "rate", None, "number", "1.50"),
        ("2", "on", None, "boolean", "true"),
        ("2", "deep", None, "json", '{"a":[1]}'),
        ("2", "none", None, "null", None),
        ("2", "empty", None, "json", "[]"),
    ]


def test_half_a_surrogate_pair_in_a_document_is_escaped():
    """UTF-8 has no other form for it; such a text has the type json."""
    schema = Schema("categories", (Column("id", Kind.ID), Column("metadata", Kind.JSON)))
    batch = json_page(b'[{"id":1,"metadata":{"a":["x","\\ud800"],"b\\udc00":1}}]', None).table(schema)
    rows = [tuple(row.values())[1:] for row in child_tables(batch.table, schema)["category_metadata"].to_pylist()]
    assert rows == [("a", 0, "text", "x"), ("a", 1, "json", '"\\ud800"'), ("b\\udc00", None, "integer", "1")]


def test_no_records_give_the_same_tables_with_the_same_columns():
    """Tables of an empty answer have the types of a full one."""
    empty = child_tables(SCHEMA.empty(), SCHEMA)
    assert {name: table.schema for name, table in empty.items()} == {
        name: table.schema for name, table in _tables().items()
    }


def test_pages_joined_in_pieces_give_the_tables_of_the_whole():
    """Chunks and slices of the frame do not show in positions or keys."""
    table = json_page(BODY, None).table(SCHEMA).table
    pieces = pa.concat_tables([table.slice(0, 1), table.slice(1, 2)])
    assert all(found.equals(_tables()[name]) for name, found in child_tables(pieces, SCHEMA).items())


def test_one_locale_is_one_column_in_child_tables_too():
    """The first text in the order of fallback; a plain text, if the value is one, is that of all locales."""
    schema = SCHEMA.project(locale="fr")
    tables = child_tables(json_page(BODY, None).table(schema).table, schema)
    assert tables["category_photos"]["title"].to_pylist() == ["x", None, None]
    owners = tables["category_photo_owners"]
    assert owners.select(["name"]).to_pydict() == {"name": ["o", "p", "q"]}
    assert not [name for name in owners.column_names if name.startswith("name_")]


def test_records_without_a_key_are_numbered():
    """A resource without an id, or a projection without it, is joined by row."""
    schema = SCHEMA.project(["tags"])
    tables = child_tables(json_page(BODY, None).table(schema).table, schema)
    assert tables["categories"].to_pydict() == {"category_row": [0, 1, 2]}
    assert tables["category_tags"]["category_row"].to_pylist() == [0, 0]


def test_appended_columns_stay_with_their_record():
    """Raw and new fields are part of the parent's table."""
    batch = json_page(b'[{"id":1,"tags":"one","new":{}}]', None).table(SCHEMA)
    assert child_tables(batch.table, SCHEMA)["categories"].to_pylist() == [
        {"id": "1", "show_name": None, "new": "{}", "tags__raw": '"one"'}
    ]


def test_a_field_and_what_an_object_spreads_to_are_two_columns():
    """Declared or not, and inside of lists: Mediagenix's schedulings have a `workflow_status` and a `workflow`."""
    show = Column("show", Embedded((Column("name", Kind.TEXT), Column("id", Kind.ID))))
    fields = (Column("id", Kind.ID), Column("show_name", Kind.TEXT), show)
    schema = Schema("things", (*fields, Column("parts", ListOf(fields))))
    record = b'{"id":1,"show_name":"a","show":{"name":"b","id":2}%b}'
    body = record % (b',"show_id":3,"parts":[%b]' % (record % b""))
    tables = child_tables(json_page(body, None).table(schema).table, schema)
    spread = {"id": "1", "show_name": "a", "show__name": "b"}
    assert tables["things"].to_pylist() == [{**spread, "show__id": "2", "show_id": "3"}]
    assert tables["thing_parts"].to_pylist() == [{"thing_id": "1", "position": 0, **spread, "show_id": "2"}]
