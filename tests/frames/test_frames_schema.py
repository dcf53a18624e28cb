"""Declared columns, projections, names, drift, and frames whose dtypes never change."""

import json

import pandas as pd
import pyarrow as pa
import pytest
from frames_reference import SCHEMA

from vendorkit.errors import MalformedAnswer, UsageError
from vendorkit.frames import (
    Column,
    Drift,
    Kind,
    ListOf,
    Schema,
    SchemaDrift,
    TableReader,
    child_tables,
    combine,
    json_page,
    to_frame,
)
from vendorkit.frames.names import undeclared_column


def test_localised_and_nested_objects_spread_to_columns():
    """Top-level locales and objects become columns; lists stay lists."""
    assert SCHEMA.arrow.names == [
        *("id", "code", "count", "ratio", "flag", "touched_at", "day", "starts", "name_nl", "name_fr"),
        *("label", "label_nl", "label_fr", "tags", "parts", "meta_size"),
    ]
    assert SCHEMA.arrow.field("touched_at").type == pa.timestamp("us", tz="UTC")


def test_describe_says_where_each_column_comes_from():
    """The description has a row per column, with the vendor's path."""
    described = SCHEMA.describe().set_index("column")
    assert described.loc["touched_at", "source"] == "touchedAt"
    assert described.loc["meta_size", "source"] == "meta.size"
    assert described.loc["count", "dtype"] == "Int64"


def test_two_columns_of_one_name_are_refused():
    """A schema cannot declare a name twice, not even by spreading."""
    with pytest.raises(UsageError, match="name_nl"):
        Schema("x", (Column("name", Kind.LOCALISED), Column("name_nl", Kind.TEXT)), locales=("nl",))


def test_an_unknown_column_is_refused_with_the_nearest_name():
    """A typing slip gets a suggestion."""
    with pytest.raises(UsageError, match=r"no column 'conut'.*Did you mean count"):
        SCHEMA.project(["conut"])


def test_an_unknown_locale_is_refused_with_those_there_are():
    """A locale that the vendor does not have is named."""
    with pytest.raises(UsageError, match=r"no locale 'xx'.*nl, fr"):
        SCHEMA.project(locale="xx")


def test_a_projection_keeps_the_order_asked_for_and_expands_declared_names():
    """A declared name means all its columns."""
    assert SCHEMA.project(["name", "id"]).arrow.names == ["name_nl", "name_fr", "id"]


def test_a_locale_gives_one_column_with_a_fallback():
    """The asked locale comes first, then the declared order."""
    schema = SCHEMA.project(["name", "label"], locale="fr")
    body = (
        b'{"results":[{"name":{"nl":"a","fr":"b"},"label":"x"},{"name":{"nl":"a"},"label":{"nl":"y"}},{"name":null}]}'
    )
    table = json_page(body, "results").table(schema).table
    assert table.to_pydict() == {"name": ["b", "a", None], "label": ["x", "y", None]}
    first = json_page(body, "results").table(SCHEMA.project(["name"], locale="nl")).table
    assert first.to_pydict() == {"name": ["a", "a", None]}


def test_a_projection_does_not_look_at_other_fields():
    """What was not asked for is neither read nor reported."""
    page = json_page(b'{"results":[{"count":1,"ratio":"wrong","new":{}}]}', "results").table(SCHEMA.project(["count"]))
    assert page.table.to_pydict() == {"count": [1]}
    assert page.drift == Drift()


@pytest.mark.parametrize("rows", [0, 1, 3])
@pytest.mark.parametrize("kept", [{}, {"columns": ["id", "parts"]}, {"locale": "nl"}])
def test_dtypes_are_the_same_for_any_number_of_rows(rows, kept):
    """P14: an empty answer has the dtypes of a full one, and joining pages keeps them."""
    schema = SCHEMA.project(**kept)
    record = b'{"id":1,"count":9007199254740993,"flag":true,"day":"2026-01-31","parts":[{"id":1}]}'
    body = b'{"results":[' + b",".join([record] * rows) + b"]}"
    page = json_page(body, "results").table(schema)
    expected = to_frame(schema.empty()).dtypes
    pd.testing.assert_series_equal(to_frame(page.table).dtypes, expected)
    joined, _ = combine([page, json_page(b"[]", None).table(schema)], schema)
    pd.testing.assert_series_equal(to_frame(joined).dtypes, expected)
    assert len(joined) == rows


def test_no_pages_give_the_empty_frame():
    """A pull without a page has all columns."""
    table, drift = combine([], SCHEMA)
    assert table.equals(SCHEMA.empty())
    assert drift == Drift()


def test_drift_of_all_pages_is_one_warning_without_values():
    """The warning names fields and columns with counts; data stays out of it."""
    bodies = [b'{"results":[{"count":"hidden","fresh":"hidden"}]}', b'{"results":[{"count":"hidden"}]}']
    table, drift = combine([TableReader(SCHEMA).read([json_page(body, "results") for body in bodies])], SCHEMA)
    with pytest.warns(SchemaDrift) as caught:
        drift.warn("things")
    assert len(caught) == 1
    assert "count (2)" in str(caught[0].message)
    assert "fresh (1)" in str(caught[0].message)
    assert "hidden" not in str(caught[0].message)
    assert table.column_names[-2:] == ["count__raw", "fresh"]
    assert table["count__raw"].to_pylist() == ['"hidden"', '"hidden"']
    assert table["fresh"].to_pylist() == ['"hidden"', None]


def test_a_warning_cannot_rewrite_the_screen():
    """The vendor's names are escaped as in errors."""
    batch = json_page(rb'[{"\u001b[2J\u202e\u0000":1,"h\u00e9":1}]', None).table(Schema("x", ()))
    with pytest.warns(SchemaDrift) as caught:
        batch.drift.warn("things")
    assert str(caught[0].message).endswith(r": \x1b[2J\u202e\x00 (1), hé (1).")


def test_no_drift_is_no_warning():
    """Warnings are errors here: a clean pull says nothing."""
    Drift().warn("things")


def _columns(schema, body):
    batch = json_page(body, None).table(schema)
    return {name: column for name, column in batch.table.to_pydict().items() if name not in schema.arrow.names}


def test_an_undeclared_field_does_not_shadow_a_declared_column():
    """A new field whose snake_case name is taken gets another, in every projection and locale alike."""
    schema = Schema(
        "x", (Column("size", Kind.INTEGER, "theSize"), Column("name", Kind.LOCALISED)), locales=("nl",), style="camel"
    )
    found = _columns(schema, b'[{"theSize":1,"size":2,"nameNl":3}]')
    assert found == {"name_nl__f899": ["3"], "size__246a": ["2"]}
    assert [schema.undeclared((name,)) for name in ("size", "nameNl", "name", "other")] == [
        *("size__246a", "name_nl__f899", "name__7e06", "other"),
    ]
    for other in (schema.project(["size"]), schema.project(locale="nl")):
        assert [other.undeclared((name,)) for name in ("size", "nameNl", "name", "other")] == [
            schema.undeclared((name,)) for name in ("size", "nameNl", "name", "other")
        ]


@pytest.mark.parametrize("style", ["snake", "camel"])
def test_two_undeclared_fields_never_share_a_column(style):
    """Names that differ only in spelling or have a dot, and a field of an object with these words, row by row too."""
    record = '{"aB":1,"a-b":2,"a_b":3,"AB":4,"a b":5,"A-b":6,"a":{"b":7},"aB_":8,"a__b":9,"ab":10,"a.b":11}'
    schema = Schema("x", (Column("a_c", Kind.TEXT, "a.c"),), style=style)
    whole = _columns(schema, f"[{record}]".encode())
    assert sorted(value for (value,) in whole.values()) == sorted(map(str, range(1, 12)))
    assert len({name.lower() for name in whole}) == 11
    each = [(name, value) for name, value in json_page(record.encode(), None).records()[0].items() if name != "a"]
    for name, value in each:
        ((column, found),) = _columns(schema, json.dumps([{name: value}]).encode()).items()
        assert whole[column] == found == [str(value)]


@pytest.mark.parametrize("name", ["a\nb", 'a"b', "a\\b", "\x00", "a\x1f", "\x7f", "\ud800", "\u200b", "\U0001f600", ""])
def test_an_undeclared_field_may_have_any_name(name):
    """Also in all records of several pages."""
    schema = Schema("x", (Column("id", Kind.ID),))
    reader = TableReader(schema)
    for _ in range(3):
        batch = reader.read([json_page(json.dumps([{"id": "1", name: 7}] * 3).encode(), None)])
        assert [column.to_pylist() for column in batch.table.columns] == [["1"] * 3, ["7"] * 3]
        assert batch.drift.unknown == {name.encode(errors="backslashreplace").decode(): 3}


def test_the_column_of_an_undeclared_field_depends_on_its_name_only():
    """`meta.author` and `metaAuthor` have two columns, whichever comes, and the order does not matter."""
    schema = Schema("x", (Column("created_at", Kind.EPOCH, "meta.createdAt"),), style="camel")
    apart = _columns(schema, b'[{"meta":{"author":"a"}},{"metaAuthor":"b"}]')
    assert apart == {"meta_author__acb1": ['"a"', None], "meta_author": [None, '"b"']}
    assert _columns(schema, b'[{"metaAuthor":"b","meta":{"author":"a"}}]') == {
        "meta_author__acb1": ['"a"'],
        "meta_author": ['"b"'],
    }


def test_fields_of_one_column_by_chance_are_refused_in_one_record():
    """Where the digits of two names are equal, none of them is lost unseen."""
    names: dict[str, str] = {}
    for number in range(10_000):
        spelling = "".join("-_."[int(digit) % 3] for digit in str(number * 7919 + 10_000_000))
        first = names.setdefault(undeclared_column((f"a{spelling}b",), "snake", ()), spelling)
        if first != spelling:
            break
    pair = [f"a{first}b", f"a{spelling}b"]
    schema = Schema("x", ())
    column = schema.undeclared((pair[0],))
    assert _columns(schema, json.dumps([{pair[0]: 1}, {pair[1]: 2}]).encode()) == {column: ["1", "2"]}
    with pytest.raises(MalformedAnswer, match=column):
        _columns(schema, json.dumps([{}, dict.fromkeys(pair, 1)]).encode())


@pytest.mark.parametrize("columns", [None, ["id", "name"]])
def test_another_spelling_of_a_declared_name_is_an_undeclared_field(columns):
    """Whatever else the record holds, and whichever columns are asked for."""
    schema = Schema("x", (Column("id", Kind.ID), Column("name", Kind.TEXT))).project(columns)
    batch = json_page(b'[{"id":"1","Name":"one"},{"id":2,"Name":"two"},{"na-me":1,"NAME":1}]', None).table(schema)
    assert batch.table["name"].to_pylist() == [None] * 3
    assert batch.table["id"].to_pylist() == ["1", "2", None]
    assert batch.drift.unknown == ({} if columns else {"Name": 2, "NAME": 1, "na-me": 1})


def test_two_spellings_that_the_vendor_documents_are_two_columns():
    """Medipim's table says `zipCode`, its example `zipcode`."""
    schema = Schema("x", (Column("zipcode", Kind.CODE), Column("zip_code", Kind.CODE, "zipCode")))
    batch = json_page(b'[{"zipcode":"1070"},{"zipCode":"1080"}]', None).table(schema)
    assert batch.table.to_pydict() == {"zipcode": ["1070", None], "zip_code": [None, "1080"]}
    assert batch.drift == Drift()


def test_a_list_of_codes_keeps_leading_zeros_also_as_numbers():
    """P10: codes are text; one that came as a number is the text of that number."""
    schema = Schema("x", (Column("ean", ListOf(Kind.CODE)),))
    assert json_page(b'[{"ean":["00123",45]}]', None).table(schema).table.to_pylist() == [{"ean": ["00123", "45"]}]


@pytest.mark.parametrize("blank", ["", " ", "\t\r\n", "\u00a0", "\u2003\u202f\u3000", "\x85\u2028"])
def test_a_blank_text_is_passed_over_for_the_next_locale(blank):
    """Only if another locale has a text; and never in the column of one locale. The same if records do not fit."""
    schema = Schema(
        "x", (Column("name", Kind.LOCALISED), Column("label", Kind.TEXT_OR_LOCALISED)), locales=("nl", "fr", "en")
    )
    names = [{"nl": "Zalf", "fr": blank}, {"fr": blank, "en": "Salve"}, {"fr": blank}, {"fr": None, "nl": None}]
    for odd in ([], [{"name": 1}]):  # the second makes a reader of single values read them all
        records = [{"name": name, "label": name} for name in names] + odd
        body = json.dumps({"results": records}).encode()
        fr = json_page(body, "results").table(schema.project(locale="fr")).table.slice(0, 4).to_pydict()
        assert fr["name"] == fr["label"] == ["Zalf", "Salve", blank, None]
        each = json_page(body, "results").table(schema).table.slice(0, 4).to_pydict()
        assert each["name_fr"] == each["label_fr"] == [blank, blank, blank, None]


def test_a_blank_text_is_passed_over_in_child_tables_too():
    """`tables(locale=)` by the same rule."""
    part = ListOf((Column("name", Kind.LOCALISED),))
    schema = Schema("x", (Column("id", Kind.ID), Column("parts", part)), locales=("nl", "fr")).project(locale="fr")
    body = b'{"results":[{"id":1,"parts":[{"name":{"nl":"Zalf","fr":""}}]}]}'
    table = json_page(body, "results").table(schema).table
    assert child_tables(table, schema)["x_parts"]["name"].to_pylist() == ["Zalf"]
