"""Declared columns, projections, drift, and frames whose dtypes never change."""

import pandas as pd
import pyarrow as pa
import pytest
from frames_reference import SCHEMA

from vendorkit.errors import UsageError
from vendorkit.frames import Column, Drift, JsonReader, Kind, ListOf, Page, Schema, SchemaDrift, combine, to_frame


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
    assert described.loc["count", "dtype"] == "int64"


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
    """A declared name stands for all its columns."""
    assert SCHEMA.project(["name", "id"]).arrow.names == ["name_nl", "name_fr", "id"]


def test_a_locale_gives_one_column_with_a_fallback():
    """The asked locale comes first, then the declared order."""
    schema = SCHEMA.project(["name", "label"], locale="fr")
    body = (
        b'{"results":[{"name":{"nl":"a","fr":"b"},"label":"x"},{"name":{"nl":"a"},"label":{"nl":"y"}},{"name":null}]}'
    )
    table = JsonReader(schema).read(body).table
    assert table.to_pydict() == {"name": ["b", "a", None], "label": ["x", "y", None]}
    first = JsonReader(SCHEMA.project(["name"], locale="nl")).read(body).table
    assert first.to_pydict() == {"name": ["a", "a", None]}


def test_a_projection_does_not_look_at_other_fields():
    """What was not asked for is neither read nor reported."""
    page = JsonReader(SCHEMA.project(["count"])).read(b'{"results":[{"count":1,"ratio":"wrong","new":{}}]}')
    assert page.table.to_pydict() == {"count": [1]}
    assert page.drift == Drift()


@pytest.mark.parametrize("rows", [0, 1, 3])
@pytest.mark.parametrize("kept", [{}, {"columns": ["id", "parts"]}, {"locale": "nl"}])
def test_dtypes_are_the_same_for_any_number_of_rows(rows, kept):
    """P14: an empty answer has the dtypes of a full one, and joining pages keeps them."""
    schema = SCHEMA.project(**kept)
    record = b'{"id":1,"count":9007199254740993,"flag":true,"day":"2026-01-31","parts":[{"id":1}]}'
    body = b'{"results":[' + b",".join([record] * rows) + b"]}"
    page = JsonReader(schema).read(body)
    expected = to_frame(schema.empty()).dtypes
    pd.testing.assert_series_equal(to_frame(page.table).dtypes, expected)
    joined, _ = combine([page, JsonReader(schema).read(b'{"results":[]}')], schema)
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
    table, drift = combine(JsonReader(SCHEMA).read_all(bodies), SCHEMA)
    with pytest.warns(SchemaDrift) as caught:
        drift.warn("things")
    assert len(caught) == 1
    assert "count (2)" in str(caught[0].message)
    assert "fresh (1)" in str(caught[0].message)
    assert "hidden" not in str(caught[0].message)
    assert table.column_names[-2:] == ["count__raw", "fresh"]
    assert table["count__raw"].to_pylist() == ['"hidden"', '"hidden"']
    assert table["fresh"].to_pylist() == ['"hidden"', None]


def test_no_drift_is_no_warning():
    """Warnings are errors here: a clean pull says nothing."""
    Drift().warn("things")


def test_an_undeclared_field_does_not_shadow_a_declared_column():
    """A new field whose snake_case name is taken stands beside it."""
    schema = Schema("x", (Column("size", Kind.INTEGER, "theSize"),))
    page = JsonReader(schema, None).read(b'[{"theSize":1,"size":2}]')
    assert page.table.to_pydict() == {"size": [1], "size__extra": ["2"]}


def test_two_undeclared_fields_of_one_name_are_both_kept():
    """Names that differ only in spelling do not overwrite each other."""
    page = JsonReader(Schema("x", ()), None).read(b'[{"fooBar":1,"foo_bar":2}]')
    assert sorted(page.table.to_pylist()[0].values()) == ["1", "2"]


def test_other_spellings_of_a_declared_name_are_read():
    """Vendors write `zipCode` and `zipcode`, `external-id` and `external_id`."""
    schema = Schema("x", (Column("zip_code", Kind.CODE, "zipCode"), Column("external_id", Kind.CODE)))
    page = JsonReader(schema, None).read(b'[{"zipcode":"1070","external-id":"A"}]')
    assert page.table.to_pylist() == [{"zip_code": "1070", "external_id": "A"}]
    assert page.drift == Drift()


def test_a_page_knows_its_rows():
    """Paging code counts records without looking into the table."""
    assert Page(SCHEMA.empty()).rows == 0


def test_a_list_of_codes_keeps_leading_zeros_also_as_numbers():
    """P10: codes are text; one that came as a number is the text of that number."""
    schema = Schema("x", (Column("ean", ListOf(Kind.CODE)),))
    assert JsonReader(schema, None).read(b'[{"ean":["00123",45]}]').table.to_pylist() == [{"ean": ["00123", "45"]}]
