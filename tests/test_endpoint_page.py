"""The page of all documented endpoints: generated, and complete."""

from __future__ import annotations

import pytest

from tests import endpoint_page


@pytest.fixture(scope="module")
def rows():
    """All documented endpoints."""
    return endpoint_page.rows()


def test_every_documented_endpoint_that_reads_has_a_resource_or_a_reason(rows):
    """So does the other way round: no reason is given where there is a resource."""
    without = [row for row in rows if row.reads and not row.resource]
    assert [row for row in without if not row.note.startswith("no resource: ")] == []


def test_the_mock_servers_have_every_documented_endpoint(rows):
    """All that read; of those that write, some are refused, as without a subscription."""
    assert {row.mock for row in rows if row.reads} == {"yes"}
    assert [row.path for row in rows if row.mock == "no"] == []


def test_the_page_is_up_to_date():
    """`make docs` writes it."""
    assert endpoint_page.PAGE.read_text(encoding="utf-8") == endpoint_page.page(), "run: make docs"
