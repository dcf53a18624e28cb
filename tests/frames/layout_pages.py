"""Pages of records written alike, and readers that have learned how, beside the parser alone."""

from datetime import timezone
from xml.sax.saxutils import escape

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from vendorkit.errors import MalformedAnswer
from vendorkit.frames import Column, Kind, Schema, XmlReader

SCHEMA = Schema(
    "titles",
    (
        Column("resource_type", Kind.TEXT),
        Column("id", Kind.ID),
        Column("external_id", Kind.CODE),
        Column("name", Kind.TEXT),
        Column("nth", Kind.INTEGER),
        Column("rate", Kind.NUMBER),
        Column("enabled", Kind.BOOLEAN),
        Column("due", Kind.DATE),
        Column("put_up", Kind.DATETIME),
        Column("runtime", Kind.DURATION),
        Column("self_link", Kind.LINK, "self"),
        Column("show_link", Kind.LINK),
    ),
)
PROJECTIONS = [None, ["id", "name"], ["put_up", "self_link", "nth"], ["resource_type"], ["show_link", "rate"]]
TYPES = {"id": "integer", "nth": "integer", "rate": "decimal", "enabled": "boolean", "put-up": "datetime"}
TEXTS = st.one_of(
    st.text(st.sampled_from("a0<>&\"' \t\n-;]é€\ufffd\U0001f600"), max_size=6),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters="\ufffe\uffff"), max_size=6),
)
FIELDS = {
    "id": st.integers(0, 2**60).map(str),
    "external-id": TEXTS,
    "name": TEXTS,
    "nth": st.integers(-(2**59), 2**59).map(str),
    "rate": st.decimals(-1000, 1000, places=2).map(str),
    "enabled": st.sampled_from(["true", "false"]),
    "due": st.dates().map(str),
    "put-up": st.datetimes(timezones=st.just(timezone.utc)).map(lambda at: at.isoformat(timespec="seconds")),
    "runtime": TEXTS,
}
OPTIONAL = {
    **{tag: st.one_of(values, values, st.sampled_from([None, ""])) for tag, values in FIELDS.items()},
    "self": st.text(st.sampled_from("/a0<>&' é€"), max_size=6),
    "show": TEXTS,
}
RECORDS = st.lists(
    st.fixed_dictionaries({}, optional=OPTIONAL).map(
        lambda record: {name: record[name] for name in OPTIONAL if name in record}
    ),
    min_size=1,
    max_size=4,
)
STYLES = st.fixed_dictionaries(
    {
        "blanks": st.sampled_from(["", "\n  ", " \t\n"]),
        "types": st.sampled_from([TYPES, {}]),
        "link": st.sampled_from(['<link rel="{}" href="{}"/>', '<link href="{1}" rel="{0}" ></link>']),
        "short": st.sampled_from([False, False, True]),
        "around": st.sampled_from(["", "<total-entries>9</total-entries>", '<link rel="next" href="n?a&amp;b"/>']),
    }
)
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def _element(name, text, types, link, short):
    """One element as a vendor writes it: nil, empty, with a text, or a link."""
    escaped = escape(text or "", {'"': "&quot;", "'": "&apos;"})
    if name in {"self", "show"}:
        return link.format(name, escaped)
    given = f' type="{types[name]}"' if name in types else ""
    if text is None:
        return f'<{name}{given} nil="true"/>'
    return f"<{name}{given}>{escaped}</{name}>" if text or not short else f"<{name}{given}/>"


def page_of(records, blanks="", types=TYPES, link='<link rel="{}" href="{}"/>', *, short=False, around=""):
    """A collection of such records."""
    parts = [f'<titles type="array">{around}']
    for record in records:
        parts += ["<title>", *(_element(name, text, types, link, short) for name, text in record.items()), "</title>"]
    return blanks.join([*parts, "</titles>"]).encode()


def outcome(reader, body):
    """The page, or the text of the error."""
    try:
        return reader.read(body)
    except MalformedAnswer as error:
        return str(error)


def same(*bodies, schema=SCHEMA):
    """Read pages with one reader, and by the parser alone, which must be the same; what came of the last one."""
    reader, alone = XmlReader(schema), XmlReader(schema)
    alone._layout = None
    for body in bodies:
        found = outcome(reader, body)
        assert found == outcome(alone, body), body[:2000]
    return found


def taught(*bodies, schema=SCHEMA):
    """A reader that has read pages before."""
    reader = XmlReader(schema)
    for body in bodies:
        reader.read(body)
    return reader


def by_pattern(lesson, body, schema=SCHEMA):
    """Whether a reader that has read one page reads the other one by its pattern."""
    return taught(lesson, schema=schema)._layout.read(body) is not None


FULL = {
    "id": "1",
    "external-id": "",
    "name": " <&>\"'é€\t\n ",
    "nth": "-5",
    "rate": "0.25",
    "enabled": "true",
    "due": "2026-01-31",
    "put-up": "2026-01-31T10:00:00+01:00",
    "runtime": "30m",
    "self": "/t?a=1&b='é €'",
    "show": "",
}
NIL = {"id": "2"} | dict.fromkeys(list(FULL)[1:9])
GOOD = (
    '<titles type="array"><link rel="next" href="n"/>\n<title><id type="integer">1</id><name>a&lt;é</name>'
    '<nth nil="true"/>\n<link rel="self" href="/t"/></title><title><id type="integer">2</id></title></titles>'
).encode()
LESSON = GOOD.replace(b"</id></title>", b'</id><name>b</name><nth type="integer">3</nth></title>')
