"""Calls as people write them by mistake: one typed error that says what to write, and never a built-in error."""

from __future__ import annotations

import copy
import pickle
from dataclasses import fields
from importlib import metadata

import pandas as pd
import pytest

import vendorkit as vk
from vendorkit import calls
from vendorkit.errors import UnknownName, UsageError
from vendorkit.http.call import Policy

# What is called, and what the error leads to.
CALLS = {
    'medipim.products.query({"brand": 9})': "Its arguments: where, sort, expand, accept, strategy, since, **filters.",
    'medipim.products.query(brand="Aderlis")': "medipim.brands.query(search='Aderlis')",
    'medipim.products.query(srot="id")': "Did you mean sort?",
    "medipim.products.query(updated_since=1, updatedSince=2)": "updated_since is given twice, also as updatedSince",
    'medipim.products.query(status="activ")': "one of active, replaced, inactive",
    "medipim.products.query(limit=5)": "query(…).frame(limit=…)",
    'medipim.products.query(search="soap")': 'a dictionary, not \'soap\'. Give {"query": …, "locale": …',
    "query.fram()": "Did you mean frame?",
    "query.head()": "Write frame().head.",
    "query.frame(limt=3)": "Did you mean limit?",
    "query.frame(3)": "Its arguments: columns, limit, locale",
    "query.count(3)": "Its arguments: none.",
    'query.frame(locale="x" * 256)': "locale must be at most 255 characters long, not ",
    "pledg.purchase_url(table.frame.iloc[0])": "Convert a row with to_dict().",
    'query.frame(locale="xx")': "Available: nl, fr, en, de.",
    "query.save()": "missing a required argument: 'path'",
    "medipim.product": "Did you mean products",
    "medipim.products.qery()": "Did you mean query?",
    "medipim.products.frame()": "Write query().frame.",
    "medipim.products.sort": "Available: columns, filters, for_each, get,",
    "medipim.products.limit": "Available: columns, filters, for_each, get,",
    "medipim.brands.get()": "missing a required argument: 'identifier'",
    'medipim.get("/v4/brands", parms={})': "Did you mean params?",
    "pledg.purchase_ulr({})": "Did you mean purchase_url",
    "pledg.purchase_url()": "missing a required argument: 'settings'",
    "vk.connect()": "Available: medipim, pledg, mediagenix.",
    "vk.connect(3)": "Available: medipim, pledg, mediagenix.",
    'vk.connect("medipin")': "Did you mean medipim?",
    'vk.connect("medipim", "production")': "Available: country, environment",
    'vk.connect("medipim", enviroment="local")': "Did you mean environment?",
    'vk.connect("medipim", environment="prod")': "production",
    "vk.conect": "Did you mean connect?",
    'vk.panel("medipim")': "vk.connect(",
    "vk.panel()": "missing a required argument: 'client'",
    "vk.panel(medipim, 3)": "too many positional arguments",
    'vk.panel(medipim).choose("product")': "Did you mean products",
    "vk.panel(medipim).fetchh()": "Did you mean fetch",
    'vk.panel(medipim).form.conditions.choose("some")': "all, any, none",
    'vk.connect_panel("medipin")': "Did you mean medipim?",
    'vk.connect_panel().choose(vendor="medipin")': "Did you mean medipim?",
    "vk.table(3)": "not 3",
    "vk.table()": "missing a required argument: 'frame'",
    'vk.table(table.frame, "many")': "a number of rows",
    'table.go("next")': "a number",
    "table.resize(None)": "a number of rows",
    "table.filter(5)": "a string",
    'table.sort("nam")': "Did you mean name?",
    "table.choose(3)": "a list of column names",
    "table.save(3)": "the path of a file",
    "vk.load()": "missing a required argument: 'path'",
    "vk.browse(medipim, starts=3)": "Did you mean start?",
}


@pytest.mark.parametrize("code", CALLS)
def test_wrong_call_leads_to_the_right_one(code, medipim, pledg):
    """A `UsageError`, and what to write instead."""
    query, table = medipim.products.query(brand=9), vk.table(pd.DataFrame({"name": ["oil"]}))
    names = {"vk": vk, "medipim": medipim, "pledg": pledg, "query": query, "table": table}
    with pytest.raises(UsageError) as raised:
        eval(code, names)  # noqa: S307 - of the table above
    assert CALLS[code] in str(raised.value)


def test_unknown_name_is_an_attribute_error_too(medipim):
    """`hasattr`, `getattr` with a default, copies and pickles work as with any object."""
    query = medipim.products.query(brand=9)
    assert issubclass(UnknownName, AttributeError)
    for one in (medipim, medipim.products, query, vk):
        assert not hasattr(one, "nothing")
        assert not hasattr(one, "_repr_nothing_")
    assert copy.copy(query.ask) == pickle.loads(pickle.dumps(query.ask)) == query.ask  # noqa: S301


def test_version_is_that_of_the_installed_package():
    """As nearly every package has it; it is not looked up before somebody reads it."""
    assert vk.__version__ == metadata.version("vendorkit")
    assert "__version__" not in vars(vk)


@pytest.mark.parametrize("name", ["Medipim", "MEDIPIM", "medipim"])
def test_names_are_taken_without_regard_to_case(name, vendors, monkeypatch):
    """Of vendors, environments, countries, locales, formats and choices; what is sent is the vendor's spelling."""
    client = vk.connect(name, environment="Local", country="BE")
    assert (client.environment, client.country) == ("local", "be")
    query = client.products.query(status="ACTIVE", sort="CREATEDAT", accept="JSON")
    assert query.filters == {"status": "active"}
    frame = query.frame(locale="FR", columns=["name"], limit=1)
    assert list(frame) == ["name"]
    assert client.products.query(sort="-CREATEDAT").sort == "-createdAt"
    assert query.snippet("CURL") == query.snippet("curl")
    od = vk.connect("mediagenix", environment="local")
    assert od.titles.query(expand=["METADATA"], accept="XML").ask.expand == ("metadata",)
    monkeypatch.setenv("MEDIPIM_ENVIRONMENT", "LOCAL")
    assert vk.connect(name).environment == "local"


def test_checked_functions_keep_their_signature_and_errors_of_their_own():
    """A TypeError from inside is not taken for a wrong call."""

    @calls.checked
    def inner(number: int) -> int:
        """Return one more."""
        return number + 1

    assert inner(1) == 2
    assert inner.__doc__ == "Return one more."
    with pytest.raises(TypeError):
        inner("1")


@pytest.mark.parametrize("shape", [dict, lambda pairs: list(pairs.items()), pd.Series])
def test_settings_in_the_place_of_another_argument_are_not_shown(shape):
    """Only `settings=` expects credentials, but any argument may receive them by mistake."""
    wrong = shape({"PLEDG_API_SECRET": "sentinel"})
    for call in (
        lambda: vk.connect(wrong),
        *(lambda name=name: vk.connect("pledg", **{name: wrong}) for name in ("environment", "policy", "writable")),
        lambda: vk.panel(wrong),
        lambda: vk.table([wrong]),
    ):
        with pytest.raises(UsageError) as raised:
            call()
        assert "sentinel" not in str(raised.value)


MOCKED = ["medipim", "pledg", "mediagenix"]


@pytest.mark.parametrize("vendor", MOCKED)
def test_mock_data_is_never_silent(vendors, vendor, capsys, tmp_path, monkeypatch):
    """Without settings `connect` says so in one line, with the file it looked for; not if it was asked for."""
    vk.connect(vendor)
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "mock data" in line
    assert f"{vendor.upper()}_ENVIRONMENT" in line
    assert str(tmp_path / ".env") in line
    vk.connect(vendor, environment="local")
    (tmp_path / ".env").write_text(f"{vendor.upper()}_ENVIRONMENT=local\n")
    (tmp_path / ".env").chmod(0o600)
    vk.connect(vendor)
    monkeypatch.setenv(f"{vendor.upper()}_ENVIRONMENT", "local")
    vk.connect(vendor)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", [field.name for field in fields(Policy)])
@pytest.mark.parametrize("value", [0, -1, "5", None, float("nan")])
def test_policy_accepts_only_numbers_above_zero(name, value):
    """Promise 8: Other values would give a built-in error during a call, or a call that never ends."""
    with pytest.raises(UsageError, match=f"{name} of a Policy"):
        Policy(**{name: value})
