"""
Guessed URLs of the next pages, so that several can be requested at once. Each guess is checked.

The first `next` link must be the URL of the first request with `page=2` added. Later pages are expected to differ from
it only in the number. A guessed page is accepted only if the page before links to it. If that link, the total or the
end is not as expected, or a request fails, the guessed pages are discarded and links are followed one by one. Links
with cursors and links to another origin are not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from vendorkit.http.call import Call

SECOND_PAGE: Final = re.compile(r"([?&]page=)2(?=&|$)")  # not that of per_page


def numbered(second: str, numbers: Iterable[int]) -> list[str]:
    """Return the URLs of the pages with these *numbers*, which differ from *second* only in the number."""
    return [SECOND_PAGE.sub(rf"\g<1>{number}", second) for number in numbers]


def guessed(call: Call, url: str, link: str, last: int) -> list[str]:
    """Return the URLs of pages 2 to *last*; none if *link*, in the response to *call* from *url*, is unexpected."""
    first_url = url or f"{call.url}{'&' if '?' in call.url else '?'}{urlencode(call.params, doseq=True)}"
    (origin, path, query), (link_origin, *link_parts) = _parts(first_url), _parts(link)
    is_expected = link_origin in {"", origin} and link_parts == [path, sorted([*query, ("page", "2")])]
    return numbered(link, range(2, last + 1)) if is_expected and SECOND_PAGE.search(link) else []


def equal(one: str, other: str) -> bool:
    """Return whether two URLs differ only in the order and the escaping of their parameters."""
    return _parts(one) == _parts(other)


def _parts(url: str) -> tuple[str, str, list[tuple[str, str]]]:
    try:
        parts = urlsplit(url.strip())
    except ValueError:  # not a valid URL; equal to no valid one
        return "", url, []
    origin = f"{parts.scheme}://{parts.netloc}".lower() if parts.netloc else ""
    return origin, unquote(parts.path), sorted(parse_qsl(parts.query, keep_blank_values=True))
