"""
Guessed URLs of the next pages, so that several can be requested at once. Each guess is checked.

The first `next` link must be the URL of the first request with `page=2` added. Later pages are expected to differ from
it only in the number. A guessed page is accepted only if the page before links to it. If that link, the total or the
end is not as expected, or a request fails, the guessed pages are discarded and links are followed one by one. Links
with cursors and links to another origin are not guessed.
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
    The expected pages of a collection.

    Attributes:
        second: The link to the second page.
        total: The total that the first page announced.
        last: The number of the last expected page; 0 if nothing is guessed.
        number: The number of the page that was received last.
    """

    second: str = ""
    total: int = 0
    last: int = 0
    number: int = 1

    def begin(self, call: Call, url: str, link: str, total: int, pages: int) -> None:
        """Expect *pages* if *link*, in the response to *call* from *url*, has the expected URL of the second page."""
        first_url = url or f"{call.url}{'&' if '?' in call.url else '?'}{urlencode(call.params, doseq=True)}"
        (origin, path, query), (link_origin, *link_parts) = _parts(first_url), _parts(link)
        expected = [path, sorted([*query, ("page", "2")])]
        if link_origin in {"", origin} and link_parts == expected and SECOND_PAGE.search(link):
            self.second, self.total, self.last = link, total, pages

    @property
    def is_open(self) -> bool:
        """Whether guessed pages were requested that no received page links to yet."""
        return self.number < self.last

    def leads_to(self, link: str, total: int | None) -> bool:
        """Count the received page; return whether its *link* and *total* are as expected."""
        self.number += self.is_open
        return not self.is_open or (total == self.total and _parts(link) == _parts(self._address(self.number + 1)))

    def ahead(self, link: str) -> list[str]:
        """Return the URLs to request now: *link*, or those of further expected pages, so that several are requested."""
        before = 1 if self.number == 1 else min(self.last, self.number - 1 + AHEAD)
        numbers = range(before + 1, min(self.last, self.number + AHEAD) + 1)
        return [self._address(number) for number in numbers] if self.is_open else [link]

    def _address(self, number: int) -> str:
        return SECOND_PAGE.sub(rf"\g<1>{number}", self.second)


def _parts(url: str) -> tuple[str, str, list[tuple[str, str]]]:
    """Return origin, path and query of a URL, in a form that does not depend on order and escaping."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:  # not a valid URL; equal to no valid one
        return "", url, []
    origin = f"{parts.scheme}://{parts.netloc}".lower() if parts.netloc else ""
    return origin, unquote(parts.path), sorted(parse_qsl(parts.query, keep_blank_values=True))
