"""The data files of the vendors: what each kind of line declares, and errors that name file and line."""

from __future__ import annotations

from itertools import count

import pytest

from vendorkit.ask import Filter
from vendorkit.errors import UsageError
from vendorkit.frames import Column, Kind, ListOf, Schema, Struct
from vendorkit.vendors.declared import read_countries, read_resources
from vendorkit.vendors.mediagenix.client import FILE as MEDIAGENIX
from vendorkit.vendors.medipim.client import FILE as MEDIPIM
from vendorkit.vendors.pledg.plans import FILE as PLEDG

SHOP = """\
# A comment.
style camel
property host  Where the shop is.
property find  The path of one record by its id,
  and the keys that it may be under.
country be
  host: be.example
  locales: nl fr
country fr
  host: fr.example
  locales: fr

group size
  columns: width

group named
  columns:
    id          id
    name        localised
  filters:
    id          code*  An id.

resource brands  Brands, with: their makers.
  path: /brands
  find: /brands/find
    brand brandItem
  sort: id name
  columns:
    +named
    # A comment at any depth.
    netWeight                     number [g]  Without the box; "[net]" in the documents.
    meta.createdAt as created_at  epoch
    meta.updatedAt                epoch
    codes<code-list>  code*
    only be:
      cnk       code
    makers      object*
      +named
      address as place  object
        zipCode  code
        only fr:
          region  text
  filters:
    only fr be:
      +named
    kind        text* [new, second hand]
    from        required date  The first day.
    merchant    code $SHOP_UID  The shop's uid.
    search      object

resource words  Columns as words.
  path: /words
  columns: id:id name +size at:datetime
    and:integer more
"""


@pytest.fixture
def written(tmp_path):
    """Write a data file; each gets its own name, because what is read is kept by name."""
    numbers = count()

    def write(text):
        file = tmp_path / f"resources{next(numbers)}.txt"
        file.write_text(text, encoding="utf-8")
        return file

    return write


@pytest.fixture
def shop(written):
    """The data file of a shop with two countries."""
    return written(SHOP)


def test_columns_have_name_kind_unit_and_meaning_and_objects_nest(shop):
    """Python's name is the snake_case of the vendor's unless it is given; a star makes a list, a tag is for XML."""
    brands = read_resources(shop, "fr")["brands"]
    named = (Column("id", Kind.ID, "id"), Column("name", Kind.LOCALISED, "name"))
    place = Struct((Column("zip_code", Kind.CODE, "zipCode"), Column("region", Kind.TEXT, "region")))
    assert brands.schema.columns == (
        *named,
        Column("net_weight", Kind.NUMBER, "netWeight", "g", 'Without the box; "[net]" in the documents.'),
        Column("created_at", Kind.EPOCH, "meta.createdAt"),
        Column("meta_updated_at", Kind.EPOCH, "meta.updatedAt"),
        Column("codes", ListOf(Kind.CODE), "codes", tag="code-list"),
        Column("makers", ListOf((*named, Column("place", place, "address"))), "makers"),
    )
    assert (brands.schema.locales, brands.schema.style, brands.schema.key) == (("fr",), "camel", "id")


def test_a_country_has_its_own_columns_and_locales(shop):
    """What follows `only` is left out elsewhere, also inside objects."""
    names = read_resources(shop, "be")["brands"].schema.arrow.names
    assert names[:3] == ["id", "name_nl", "name_fr"]
    assert "cnk" in names
    assert "region" not in str(read_resources(shop, "be")["brands"].schema.arrow)
    assert "cnk" not in read_resources(shop, "fr")["brands"].schema.arrow.names
    assert read_countries(shop) == {
        "be": {"host": ("be.example",), "locales": ("nl", "fr")},
        "fr": {"host": ("fr.example",), "locales": ("fr",)},
    }


def test_filters_have_kind_choices_setting_and_meaning(shop):
    """A star takes several values; `required` and a setting are said on the line."""
    assert read_resources(shop, "be")["brands"].filters == (
        Filter("id", "code", about="An id."),
        Filter("kind", choices=("new", "second hand")),
        Filter("from", "date", many=False, about="The first day.", required=True),
        Filter("merchant", "code", many=False, about="The shop's uid.", setting="SHOP_UID"),
        Filter("search", "object", many=False),
    )


def test_other_properties_are_words_and_may_go_on_below(shop):
    """The vendor's own ones are declared at the top of the file."""
    brands = read_resources(shop, "be")["brands"]
    assert (brands.name, brands.about) == ("brands", "Brands, with: their makers.")
    assert brands.values == {
        "path": ("/brands",),
        "find": ("/brands/find", "brand", "brandItem"),
        "sort": ("id", "name"),
    }


def test_columns_as_words_are_texts_unless_a_kind_is_given(shop):
    """One line can declare many columns, groups among them."""
    columns = read_resources(shop, "be")["words"].schema.columns
    assert [(column.name, column.kind.value) for column in columns] == [
        ("id", "id"),
        ("name", "text"),
        ("width", "text"),
        ("at", "datetime"),
        ("and", "integer"),
        ("more", "text"),
    ]


@pytest.mark.parametrize(
    ("columns", "key"),
    [
        ("  columns: id:id name", "id"),
        ("  columns: name uid", ""),
        ("  key: uid\n  columns: name uid", "uid"),
        ("  key: none\n  columns: id name", ""),
        ("", ""),
    ],
)
def test_key_of_a_record_is_its_id_unless_another_is_named(written, columns, key):
    """`none` if the ids are not unique, or there is none."""
    schema = read_resources(written(f"resource things  Things.\n{columns}\n"))["things"].schema
    assert isinstance(schema, Schema)
    assert (schema.key, schema.style, schema.locales) == (key, "snake", ())


HEAD = "country be\nresource brands  Brands.\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("\n\nresorce brands  Brands.\n", 3),
        ("resource\n", 1),
        ("resource brands\n# and\nresource brands  Again.\n", 3),
        (f"style kebab\n{HEAD}", 3),
        (f"{HEAD}  pth: /brands\n", 3),
        (f"{HEAD}  path: /brand\n  path: /brands\n", 4),
        (f"{HEAD}   path: /brands\n", 3),
        (f"{HEAD}      path: /brands\n", 3),
        (f"{HEAD}  columns:\n    name  txt  The name.\n", 4),
        (f"{HEAD}  columns: id:id name:txt\n", 3),
        (f"{HEAD}  columns:\n    name\n", 4),
        (f"{HEAD}  columns:\n    name  text\n      first  text\n", 4),
        (f"{HEAD}  columns:\n    maker  object*\n    name  text\n", 4),
        (f"group a\n  columns:\n    x  text\n    +a\n{HEAD}", 4),
        (f"group a\n  columns: x\n{HEAD}  columns:\n    +a\n      y  text\n", 6),
        (f"{HEAD}  columns:\n    only bee:\n      x  text\n", 4),
        (f"{HEAD}  key: uid\n  columns: x\n", 2),
        (f"{HEAD}  key:\n  columns: x\n", 2),
        (f"{HEAD}  filters:\n    name  number\n", 4),
        (f"{HEAD}  filters:\n    name  text\n      more  text\n", 4),
    ],
)
def test_errors_name_file_and_line(written, text, line):
    """And quote the line, or the name of the block."""
    file = written(text)
    with pytest.raises(UsageError) as raised:
        read_resources(file, "be")
    assert str(raised.value).startswith(f"{file}, line {line}: ")


def test_columns_declared_twice_are_refused(written):
    """The error names the resource and the columns."""
    with pytest.raises(UsageError, match="Columns of brands are declared twice: x"):
        read_resources(written(f"{HEAD}  columns: x x\n"))


@pytest.mark.parametrize(
    ("file", "country"),
    [*((MEDIPIM, country) for country in ("be", "fr", "de", "es", "au", "us")), (MEDIAGENIX, ""), (PLEDG, "")],
    ids=lambda value: value if isinstance(value, str) else value.parent.name,
)
def test_every_resource_of_the_vendors_says_what_it_is(file, country):
    """Each has a sentence and columns, and the columns make a schema."""
    found = read_resources(file, country)
    assert found
    for one in found.values():
        assert one.about.endswith("."), one.name
        assert one.schema.columns or one.values["links"], one.name


def test_links_of_mediagenix_lead_to_declared_resources():
    """A target that a link names is one of the resources of the file; its parents' links are among its links."""
    found = read_resources(MEDIAGENIX)
    for one in found.values():
        links = {word.partition(":")[0].strip("*!"): word.partition(":")[2] for word in one.values.get("links", ())}
        assert {name for target in links.values() if target for name in target.split(",")} <= found.keys(), one.name
        parents = [word.partition(":")[2] for word in one.values.get("parents", ())]
        assert {link for link in parents if link} <= links.keys(), one.name
