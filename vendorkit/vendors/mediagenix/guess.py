"""
Addresses of linked pages, asked for before the page that links to them has arrived; nothing is trusted.

The guess is made from the first `next` link: its query has to be that of the first request and `page=2`, at the same
address. Later pages differ from it only in the number. A page counts only if the page before links to it; at the
first other link, error, end or total, what was asked for ahead is discarded and links are followed. Links by cursors
and links to another origin are not guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from vendorkit.http.call import Call
from vendorkit.pull.drive import AHEAD

SECOND_PAGE: Final = re.compile(r"([?&]page=)2(?=&|$)")  # not that of per_page


@dataclass
class Guess:
    """
    The pages of a collection that can be expected.

    Attributes:
        second: The link to the second page.
        total: The total that the first page announced.
        last: The number of the last page that is expected; 0: none is.
        number: The number of the page that arrived last.
    """

    second: str = ""
    total: int = 0
    last: int = 0
    number: int = 1

    def begin(self, call: Call, url: str, link: str, total: int, pages: int) -> None:
        """Expect so many *pages* if *link*, that of the answer of *url* to *call*, leads to the second one."""
        asked = url or f"{call.url}{'&' if '?' in call.url else '?'}{urlencode(call.params, doseq=True)}"
        (origin, path, query), there = _parts(asked), _parts(link)
        expected = (path, sorted([*query, ("page", "2")]))
        if there[0] in {"", origin} and there[1:] == expected and SECOND_PAGE.search(link):
            self.second, self.total, self.last = link, total, pages

    @property
    def is_open(self) -> bool:
        """Whether pages were asked for to which no link has led yet."""
        return self.number < self.last

    def leads_to(self, link: str, total: int | None) -> bool:
        """Go on to the page that arrived; return whether its *link* is to the next one, and its total the same."""
        self.number += self.is_open
        return not self.is_open or (total == self.total and _parts(link) == _parts(self._address(self.number + 1)))

    def ahead(self, link: str) -> list[str]:
        """Return the addresses to ask for now: *link*, or those of expected pages, so that some are under way."""
        before = 1 if self.number == 1 else min(self.last, self.number - 1 + AHEAD)
        numbers = range(before + 1, min(self.last, self.number + AHEAD) + 1)
        return [self._address(number) for number in numbers] if self.is_open else [link]

    def _address(self, number: int) -> str:
        return SECOND_PAGE.sub(rf"\g<1>{number}", self.second)


def _parts(url: str) -> tuple[str, str, list[tuple[str, str]]]:
    """Return origin, path and query of an address, which compare without regard to order and escaping."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:  # no address at all: it is equal to none
        return "", url, []
    origin = f"{parts.scheme}://{parts.netloc}".lower() if parts.netloc else ""
    return origin, unquote(parts.path), sorted(parse_qsl(parts.query, keep_blank_values=True))
