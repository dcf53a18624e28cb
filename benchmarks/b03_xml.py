"""
3. XML to frame: titles in pages of 200, as the mock server serves them, in memory.

The floor is lxml's parse with nothing taken out of the tree. pandas.read_xml keeps one of a record's links and no
attribute of it, so links are compared between the others alone.
"""

from __future__ import annotations

import io
from typing import Any, Final

import pandas as pd
from lxml import etree

from benchmarks import vendor
from benchmarks.harness import Bar, Contender, Facts, Report, Size, installed, measure, same
from vendorkit import local

OURS: Final = "vendorkit frame(), XML"
FLOOR: Final = "lxml.etree.fromstring alone"
FIELDS: Final = ("id", "name", "title", "external-id", "title-type", "episode-number", "tags")
LINKS: Final = ("self", "images", "licensor")


def bench(size: Size) -> Report:
    """Measure it."""
    count = size.of(20_000, 400)
    report = Report("03", f"XML to frame, {count:,} titles in pages of 200", base=FLOOR)
    report.packages = ("lxml", "pandas", "pyarrow", "xmltodict")
    with local.start(vendors=("mediagenix", "sequence"), titles=count, gzip=False) as servers:
        bodies = vendor.titles_xml(servers, count)
        query = vendor.mediagenix_on(bodies, servers).titles.query(accept="xml")
        contenders = [Contender(FLOOR, lambda: _parse(bodies), lambda _: _by_lxml(bodies))]
        contenders += [Contender(OURS, lambda: vendor.frame(query), _of_ours)]
        contenders += [Contender("pandas.read_xml", lambda: _read_xml(bodies), _of_pandas)]
        links = {FLOOR: _links_by_lxml(bodies), OURS: _links_of_ours(query.frame())}
        if installed("xmltodict", size, report):
            contenders.append(Contender("xmltodict, to pandas", lambda: _xmltodict(bodies), _of_xmltodict))
            links["xmltodict"] = [_links(row) for row in _xmltodict(bodies)["link"]]
        same(links)
        report.rows = measure(contenders, size)
    report.bars = [
        Bar("frame() from XML / lxml parse alone", report.ratio(OURS, FLOOR), "at most", 2.5),
        Bar("frame() from XML / pandas.read_xml", report.ratio(OURS, "pandas.read_xml"), "at most", 0.6),
    ]
    megabytes = sum(map(len, bodies)) / 1e6
    report.notes.append(f"{megabytes:,.1f} MB; CPU time of frame() / lxml: {report[OURS].cpu / report[FLOOR].cpu:.2f}.")
    return report


def _parse(bodies: list[bytes]) -> int:
    return sum(len(etree.fromstring(body)) for body in bodies)


def _by_lxml(bodies: list[bytes]) -> Facts:
    titles = [title for body in bodies for title in etree.fromstring(body).iterchildren("title")]
    return [tuple(_text(title.findtext(name)) for name in FIELDS) for title in titles]


def _links_by_lxml(bodies: list[bytes]) -> Facts:
    titles = [title for body in bodies for title in etree.fromstring(body).iterchildren("title")]
    return [_links([{"@rel": link.get("rel"), "@href": link.get("href")} for link in t.iter("link")]) for t in titles]


def _of_ours(frame: pd.DataFrame) -> Facts:
    columns = [frame[name.replace("-", "_")].astype(object).tolist() for name in FIELDS]
    return [tuple(map(_text, row)) for row in zip(*columns, strict=True)]


def _links_of_ours(frame: pd.DataFrame) -> Facts:
    columns = [frame[f"{rel}_link"].astype(object).tolist() for rel in LINKS]
    return [tuple(map(_text, row)) for row in zip(*columns, strict=True)]


def _read_xml(bodies: list[bytes]) -> pd.DataFrame:
    """pandas.read_xml by lxml, page by page: as fast as all pages merged, and nothing has to be merged first."""
    read = [pd.read_xml(io.BytesIO(body), xpath="/titles/title", parser="lxml") for body in bodies]
    return pd.concat(read, ignore_index=True)


def _of_pandas(frame: pd.DataFrame) -> Facts:
    columns = [frame[name].tolist() for name in FIELDS]
    return [tuple(map(_text, row)) for row in zip(*columns, strict=True)]


def _xmltodict(bodies: list[bytes]) -> pd.DataFrame:
    """Read by xmltodict as documented; lists are forced so that a page of one record has the same shape."""
    import xmltodict  # type: ignore[import-untyped]  # noqa: PLC0415 - a peer that may be missing

    return pd.DataFrame(
        [record for body in bodies for record in xmltodict.parse(body, force_list=("link",))["titles"]["title"]]
    )


def _of_xmltodict(frame: pd.DataFrame) -> Facts:
    columns = [frame[name].tolist() for name in FIELDS]
    return [
        tuple(_text(value.get("#text") if isinstance(value, dict) else value) for value in row)
        for row in zip(*columns, strict=True)
    ]


def _links(found: list[dict[str, Any]]) -> tuple[Any, ...]:
    by_rel = {link["@rel"]: link["@href"] for link in found}
    return tuple(by_rel.get(rel) for rel in LINKS)


def _text(value: Any) -> str | None:
    """Return a value as text; nothing, NaN and "" are one, as pandas and xmltodict have it."""
    if value is None or value is pd.NA or value != value or value == "":  # noqa: PLR0124 - only NaN differs from itself
        return None
    return str(int(value)) if isinstance(value, float) else str(value)
