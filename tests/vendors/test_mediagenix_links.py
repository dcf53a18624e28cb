"""Every link of every record of small mock servers, followed in both formats and in three ways."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest

from vendorkit import local
from vendorkit.errors import NotFound
from vendorkit.vendors.mediagenix.paging import is_single
from vendorkit.vendors.registry import connect_local

DELETED = 100_000_000  # ids above it are only in events
ELSEWHERE = ("web_link", "file_link", "payload_link", "log_link")  # a page for people, and files of another host


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("titles", "least", "most"), [(2, 75, 100), pytest.param(20, 4_000, None, marks=pytest.mark.slow)]
)
def test_every_link_gives_the_same_records_in_both_formats_and_in_every_way(titles, least, most):
    """4,255 links of 20 titles, here 100 of two titles; only missing notes and deleted records fail."""
    with local.start(vendors=("mediagenix", "sequence"), titles=titles) as servers:
        found, missing = followed(connect_local("mediagenix", servers, country=None), most)
    print(f"{titles} titles: {len(found):,} links, {len(missing)} of them to what is not there")  # noqa: T201 - for -rP
    assert all(url.endswith("/note") or int(url.rsplit("/", 1)[1]) > DELETED for url in missing)
    assert len(found) - len(missing) > least, len(found)


def followed(od, most):
    """The links that lead from the roots to anything, *most* at most, and those of them to what is not there."""
    found, missing = set(), set()
    todo = {link.href for product in ("movida", "sequence") for link in od.root(product).links.values()}
    with ThreadPoolExecutor(4) as pool:
        while todo:
            found |= todo
            answers = list(pool.map(lambda url: (url, links_of(od, url)), sorted(todo)))
            missing |= {url for url, links in answers if links is None}
            todo = {link for _, links in answers for link in links or ()} - found
            if most is not None:
                todo = set(sorted(todo, key=lambda url: url[::-1])[: most - len(found)])  # of all kinds
    return found, missing


def links_of(od, url):
    """The links of the records at an address, after comparing all ways to it; None if nothing is there."""
    xml, as_json = od.follow(url), od.follow(url, accept="json")
    try:
        records = list(as_json.records())
    except NotFound:
        return None
    frame = xml.frame()
    pd.testing.assert_frame_equal(frame, as_json.frame())
    assert list(frame.columns) == xml.schema.arrow.names, url
    seen = od.browsing.read(od.browsing.at(url))
    if is_single(url):
        documents = [one.get("metadata", one) for one in records]
        assert [od.entity(url)] == documents == [seen.resource.get("metadata", seen.resource)], url
    else:
        assert seen.records == records[: len(seen.records)], url
        assert len(records) <= len(seen.records) or seen.after, url
    links = [record[key] for record in records for key in record if key.endswith("_link") and key not in ELSEWHERE]
    return [link for link in links if link]
