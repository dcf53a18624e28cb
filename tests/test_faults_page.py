"""The table of faults, docs/faults.md, is what the tests say of themselves."""

from __future__ import annotations

from tests.faults import catalogue
from tests.faults.cases import CASES, GROUPS, PROMISES, VERDICTS


def test_the_catalogue_has_each_case_once_with_fault_verdict_and_reason():
    """37 transport, 32 data, 43 authentication, 21 secrets, 13 TLS, 14 widgets, 15 networks, 11 processes."""
    sizes = dict(zip(GROUPS, (37, 32, 43, 21, 13, 14, 15, 11), strict=True))
    assert [case.id for case in CASES] == [f"{g}{n:02}" for g, size in sizes.items() for n in range(1, size + 1)]
    assert {case.verdict for case in CASES} <= set(VERDICTS)
    assert all(all(case) for case in CASES)


def test_no_test_names_a_case_that_there_is_not():
    """A slip in an id would hide that nothing holds the case."""
    known = {case.id for case in CASES} | {str(number) for number in range(1, 11)}
    assert set(catalogue.held()) <= known


def test_every_case_that_can_occur_is_held_by_a_test():
    """And each of the ten promises."""
    held = catalogue.held()
    wanted = [case.id for case in CASES if case.verdict != "not applicable"]
    wanted += [str(number) for number in range(1, len(PROMISES) + 1)]
    assert [one for one in wanted if not held.get(one)] == []


def test_the_page_is_what_the_tests_say():
    """`make docs` writes it."""
    assert catalogue.PAGE.read_text(encoding="utf-8") == catalogue.page(), "run: make docs"
