"""Damaged and changed XML pages, to a reader that knows how their records are written."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layout_pages import FULL, GOOD, LESSON, NIL, PROJECTIONS, QUICK, SCHEMA, by_pattern, page_of, same

SMALL = b"""<titles type="array">
<title><id>1</id><name nil="true"/><link rel="self" href="/t"/></title>
</titles>"""
SNIPPETS = [
    *(b"&#65;", b"&x;", b"&lt;", b"&", b"&lt", b"<![CDATA[a]]>", b"<!-- -->", b"<!--", b"-->", b"<?x y?>", b"]]>"),
    *(b"\r", b"\r\n", b"\t", b"\n", b" ", b"\0", b"\x01", b"\x0b", b"\x0c", b"\x7f", b"\xc2\x85"),
    *(b"\xef\xbf\xbe", b"\xef\xbf\xbf", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe9", b"\xc0\x80"),
    *(b"<", b">", b"/", b'"', b"'", b"=", b"x", b"<x/>", b"<x>", b"</x>", b"<title>", b"</title>", b"</titles>"),
    *(b"<name>b</name>", b"<name/>", b"<new>1</new>", b' nil="true"', b' type="integer"', b' xmlns="u"', b" a='b'"),
    *(b"<title><id>3</id></title>", b"<show><id>3</id></show>", b"<titles/>", b'<link rel="self" href="/"/>'),
    *(b"<!DOCTYPE t>", b'<?xml version="1.0"?>', b"<total-entries>1</total-entries>", b"<errors/>"),
]


def test_the_pages_that_are_damaged_here_are_read_by_the_pattern():
    """Else these tests would compare the parser with itself."""
    assert by_pattern(LESSON, GOOD)
    assert by_pattern(SMALL, SMALL)
    assert same(LESSON, GOOD).table["name"].to_pylist() == ["a<é", None]


def test_a_page_cut_at_any_byte_is_what_the_parser_makes_of_it():
    """So is one that lacks any one byte, or has it twice."""
    for at in range(len(GOOD)):
        for rest in (b"", GOOD[at + 1 :], GOOD[at : at + 1] + GOOD[at:]):
            same(LESSON, GOOD[:at] + rest)


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_a_page_with_anything_anywhere_is_what_the_parser_makes_of_it(snippet):
    """Names, attributes, texts, blanks, comments: whatever it hits."""
    for at in range(len(SMALL) + 1):
        same(SMALL, SMALL[:at] + snippet + SMALL[at:])


@st.composite
def damaged(draw):
    """A page with a few parts left out, doubled, moved, or replaced."""
    body = draw(st.sampled_from([GOOD, LESSON, page_of([FULL, NIL]), page_of([FULL, {}], "\n")]))
    for _ in range(draw(st.integers(1, 3))):
        marks = [at for at, byte in enumerate(body) if byte in b"<>"] or [0]
        place = st.one_of(st.sampled_from(marks), st.integers(0, len(body)))
        at, to = sorted((draw(place), draw(place)))
        part = draw(
            st.one_of(st.sampled_from([b"", body[at:to] * 2]), st.sampled_from(SNIPPETS), st.binary(max_size=3))
        )
        body = body[:at] + part + body[draw(st.sampled_from([at, to])) :]
    return body


@settings(QUICK, max_examples=400)
@given(st.lists(damaged(), min_size=1, max_size=3), st.sampled_from(PROJECTIONS))
def test_damaged_pages_are_what_the_parser_makes_of_them(bodies, columns):
    """And a good page after them is read as ever."""
    same(LESSON, page_of([FULL, NIL]), *bodies, GOOD, schema=SCHEMA.project(columns))


NAME, TITLE = "<name>a&lt;é</name>", '<title><id type="integer">2</id></title>'


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (NAME, NAME * 2),
        (NAME, f"{NAME}<brand-new>1</brand-new>"),
        (NAME, "<name><b>x</b></name>"),
        (NAME, '<name nil="true">a</name>'),
        (NAME, '<name nil="true"></name>'),
        (NAME, '<name nil="true"> </name>'),
        (NAME, '<name nil="false"/>'),
        (NAME, '<name type="array"/>'),
        (NAME, '<name type="array" nil="true"/>'),
        (NAME, '<name type="document"></name>'),
        (NAME, '<name lang="fr">a</name>'),
        (NAME, f"text{NAME}text"),
        (NAME, "<resource-type>show</resource-type><resource-type>b</resource-type>"),
        ('<id type="integer">1</id>' + NAME, NAME + '<id type="integer">1</id>'),
        ('<id type="integer">1</id>', "<id>1</id>"),
        ('<id type="integer">1</id>', '<id type="integer" type="integer">1</id>'),
        (TITLE, TITLE.replace("title>", "show>")),
        (TITLE, f"{TITLE}<total-entries>3</total-entries>"),
        (TITLE, f"<!-- {TITLE} -->"),
        (TITLE, f"{TITLE}text<link rel='prev' href='p'/>"),
        (TITLE, f"<title>{TITLE}</title>"),
        ("/t", "/t\t\n/u"),
        ("/t", "/t/&#9;"),
        ('rel="self"', "rel='self'"),
        ('rel="self"', 'rel="other"'),
        (' href="/t"', ""),
        ('href="/t"/>', f'href="/t">{TITLE}</link>'),
        ('href="n"/>', f'href="n">{TITLE}</link>'),
        ('href="n"/>', f'href="n"/><!-- {TITLE} -->'),
        ('<titles type="array">', "<titles>"),
        ('<titles type="array">', '<titles type="array" xmlns="urn:x">'),
        ('<titles type="array">', '<titles type="array" xmlns:x="urn:x">'),
        ('<titles type="array">', '<x:titles type="array">'),
        ('<titles type="array">', '<!DOCTYPE titles><titles type="array">'),
        ('<titles type="array">', '<?xml version="1.0" encoding="ISO-8859-1"?><titles type="array">'),
        ('<titles type="array">', '<errors type="array">'),
        ('<titles type="array">', '<title type="array">'),
        ("</titles>", "</titles><titles/>"),
        ("</titles>", "</titles>\n<!-- bye -->\n"),
        ("</titles>", "</titles >\n"),
        ("</titles>", "</titles-->"),
    ],
)
def test_what_a_vendor_may_yet_change_is_what_the_parser_makes_of_it(old, new):
    """Elements, attributes and roots of other kinds, alone and before the page as it was."""
    body = GOOD.decode().replace(old, new, 1)
    body = body.replace("</titles>", f"</{body[1:].split()[0]}>") if old.startswith("<titles") else body
    assert body != GOOD.decode()
    same(LESSON, body.encode(), GOOD, body.encode(), schema=SCHEMA)
    same(LESSON, body.encode(), GOOD, body.encode(), schema=SCHEMA.project(["id", "self_link"]))


@pytest.mark.parametrize(
    "empty", ['<titles type="array"/>', '<titles type="array"><link rel="next" href="n"/></titles>']
)
@pytest.mark.parametrize("aside", ["<!-- {}</x-->", "<?x {}</x?>", "<!-- {}--></x>", "<?x {}?></x>", "{}</x>"])
def test_records_behind_the_root_are_none(empty, aside):
    """In a comment or an instruction, whose end may look like that of an element."""
    body = empty + aside.format(TITLE * 2)
    same(LESSON, body.encode(), GOOD)
    same(LESSON, body.replace("array", "list").encode(), GOOD)
