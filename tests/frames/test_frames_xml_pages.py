"""XML answers: what is a page of records, what is refused, and with which words."""

import json

import pytest
from xml_titles import TITLES, collection, in_xml, rows

from vendorkit.errors import MalformedAnswer
from vendorkit.frames import xml_page


def test_the_envelope_is_spelled_as_in_json():
    """Links of the collection are not links of a record."""
    links = '<link rel="prev" href="p"/><link rel="next" href="n?a&amp;b"/>'
    body = f'<titles type="array"><total-entries> 326 </total-entries>{links}</titles>'
    page = xml_page(body.encode(), "entries", at=7.5)
    assert page.envelope == {"total_entries": 326, "prev_link": "p", "next_link": "n?a&b"}
    assert page.at == 7.5
    assert page.rows == 0
    assert page.table(TITLES).table.equals(TITLES.empty())


@pytest.mark.parametrize(
    "body",
    [
        '<titles type="array"><title><id type="integer">1</id><name>a</name></title></titles>',
        "<titles><title><id>1</id><name>a</name></title></titles>",
        '<listing type="array"><title><name>a</name><id>1</id></title></listing>',
        "<listing><total-entries>1</total-entries><link rel='next'/><title><name>a</name><id>1</id></title></listing>",
        "<!-- <titles> --><titles><?x?><title><!-- --><id>1</id><name><![CDATA[a]]></name></title></titles>",
        "<titles><title><id>1</id><name>a<!-- in between --></name></title></titles>",
        '\ufeff<?xml version="1.0" encoding="UTF-8"?><titles><title><id>1</id><name>a</name></title></titles>',
    ],
)
def test_a_collection_is_an_array_or_children_of_one_name_with_children(body):
    """Array roots may lack their type in old samples; comments are no content, CDATA is text."""
    table = xml_page(body.encode(), "entries").table(TITLES.project(["resource_type", "id", "name"])).table
    assert table.to_pylist() == [{"resource_type": "title", "id": "1", "name": "a"}]


@pytest.mark.parametrize(
    "body",
    [
        "<title><id>1</id><name>a</name></title>",
        "<workflow><id>1</id></workflow>",
        "<titles/>",
        "<titles><link rel='next' href='n'/></titles>",
        "<titles><title><id>1</id></title><show><id>1</id></show></titles>",
        "<titles><title><id>1</id></title><title/></titles>",
        '<titles type="array">The service is down.</titles>',
        '<titles type="array"><title><id>1</id></title>more</titles>',
    ],
)
def test_one_record_is_no_collection(body):
    """What is asked for decides: a record is not taken for a list of its fields, nor the other way round."""
    with pytest.raises(MalformedAnswer, match="is not a collection"):
        xml_page(body.encode(), "entries")
    if "<titles" not in body:
        assert xml_page(body.encode(), None).rows == 1


def test_a_record_of_one_element_is_one_record():
    """A workflow with one status is a workflow, and so is a note."""
    page = xml_page(b"<workflow><status><id>1</id></status></workflow>", None)
    assert page.values("resource_type") == ["workflow"]
    assert page.records() == [{"resource_type": "workflow", "status": {"id": "1"}}]
    assert page.envelope == {}


XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"'


@pytest.mark.parametrize(
    "record",
    ["<title>text</title>", '<title nil="true"/>', f"<title {XSI}/>", "<title><id>1</id>text</title>"],
)
def test_a_record_is_an_object(record):
    """An empty one is a row of nulls. Null and text are refused, as in JSON."""
    assert in_xml("<title/><title></title>").table["id"].to_pylist() == [None, None]
    with pytest.raises(MalformedAnswer, match="Record 1 of the answer is not an object"):
        in_xml(f"<title/>{record}")


def test_a_page_has_a_head():
    """Of its first records; the type of a record is the name of its element."""
    pages = collection("<title><id>1</id></title><title><id>2</id></title>")
    assert pages.head(1).values("id") == ["1"]
    page = xml_page(
        b'<metadata type="document"><short-synopsis>s</short-synopsis><n type="integer">1</n></metadata>', None
    )
    assert page.records() == [{"resource_type": "metadata", "short_synopsis": "s", "n": 1}]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf_16_is_read(encoding):
    """P31: UTF-16 with or without a byte order mark."""
    body = '<?xml version="1.0" encoding="UTF-16"?><title><id>1</id><name>\u20ac</name></title>'.encode(encoding)
    assert xml_page(body, None).table(TITLES).table["name"].to_pylist() == ["\u20ac"]


@pytest.mark.parametrize("quote", ['"', "'"])
@pytest.mark.parametrize("encoding", ["ISO-8859-1", "iso-8859-15", "windows-1252", "utf8", "US-ASCII"])
def test_a_declared_encoding_is_read(encoding, quote):
    """The declaration says how the bytes are meant."""
    name = "e" if encoding == "US-ASCII" else "Médié"
    body = f"<?xml version='1.0' encoding={quote}{encoding}{quote}?>\n<title><name>{name}</name></title>"
    assert xml_page(body.encode(encoding), None).table(TITLES).table["name"].to_pylist() == [name]


BOMB = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 20 if n else "ha"}">' for n in range(20))


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (f"<!DOCTYPE t [{BOMB}]><title><name>&e19;</name></title>", "well-formed"),
        ('<!DOCTYPE t [<!ENTITY x SYSTEM "file:///etc/hostname">]><title><name>&x;</name></title>', "DOCTYPE"),
        ('<?xml version="1.0"?>\n<!-- <a> --> <!DOCTYPE t SYSTEM "http://127.0.0.1:9/x.dtd"><title/>', "DOCTYPE"),
        ("<title><name>&undeclared;</name></title>", "well-formed"),
        ("<title>" + "<a>" * 200_000 + "</a>" * 200_000 + "</title>", "nested"),
        ("<title><id>1</id>" + "<a>" * 240 + "</a>" * 240 + "</title>", "nested"),
        ("<titles><title><id>1</id></title><title>", "well-formed"),
        ('<?xml version="1.0" encoding="UTF-7"?><title><id>1</id></title>', "UTF-7"),
        ('<?xml version="1.0" encoding="no-such"?><title><id>1</id></title>', "no-such"),
        ('<?xml version="1.0" encoding="cp037"?><title><id>1</id></title>', "cp037"),
        ("", "well-formed"),
        ("<html><body><p>Down for maintenance</p></body></html>", "is a web page"),
        ('<html xmlns="http://www.w3.org/1999/xhtml"><body><p>Down</p></body></html>', "is a web page"),
        ("<errors><error>per_page maximum value is 200</error></errors>", "is an error"),
        ('<errors type="array"><error>no</error></errors>', "is an error"),
        ("<error><message>no</message></error>", "is an error"),
    ],
)
@pytest.mark.parametrize("records", ["entries", None])
def test_dangerous_broken_and_foreign_documents_are_refused(body, why, records):
    """P25, P26, P27, P28, P29, P30, P31: bombs, external entities, depth, truncation, encodings."""
    body = f'<titles type="array">{body}</titles>' if records and body.startswith(("<title>", "<titles>")) else body
    with pytest.raises(MalformedAnswer, match=why):
        xml_page(body.encode(), records).table(TITLES)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<title><name>\xe9</name></title>", "not UTF-8 at byte 13"),
        (b'<?xml version="1.0" encoding="UTF-8"?><title>\xe9</title>', "not UTF-8 at byte 45"),
        (b'<?xml version="1.0" encoding="US-ASCII"?><title>\xe9</title>', "not UTF-8 at byte 48"),
        (b'<?xml version="1.0" encoding="windows-1252"?><title>\x81</title>', "not WINDOWS-1252 at byte 52"),
    ],
)
def test_bytes_of_another_encoding_are_refused_with_their_place(body, why):
    """P02: the byte is named."""
    with pytest.raises(MalformedAnswer, match=why):
        xml_page(body, None)


def test_a_doctype_in_a_text_is_only_text():
    """HTML kept in CDATA may begin with its own DOCTYPE."""
    inner = "<title><id>1</id><name><![CDATA[<!DOCTYPE html>]]></name></title>"
    assert rows(inner, "name") == [{"name": "<!DOCTYPE html>"}]


DOUBLED = [
    "<name>a</name><name>b</name>",
    '<name>a</name><name nil="true"/>',
    '<name nil="true"/><name>b</name>',
    '<name nil="true"/><name nil="true"/>',
    '<name nil="true"/>' * 20_000,  # each of them is examined once
    "<name>a</name><name/>",
    "<name><b/></name><name>a</name>",
    '<rate type="decimal"> </rate><rate type="decimal">1</rate>',
    '<enabled type="boolean"/><enabled type="boolean">true</enabled>',
    '<link rel="self" href="a"/><link rel="self" href="b"/>',
    '<link rel="show" href="a"/><link rel="show" href="a"><show><id>1</id></show></link>',
    '<link rel="name" href="a"><name><id>1</id></name></link><name>a</name>',
    '<link rel="name" href="a"><name><id>1</id></name></link><name nil="true"/>',
    '<name nil="true"/><link rel="name" href="a"><name><id>1</id></name></link>',
    '<rate type="decimal"> </rate><link rel="rate" href="a"><name><id>1</id></name></link>',
    "<new>a</new><new>b</new>",
    "<new><a>1</a><a>2</a></new>",
    '<link rel="metadata" href="/"><metadata type="document"><a><b/><b/></a></metadata></link>',
    '<link rel="episodes" href="/"><episodes type="array"><total-entries/><total-entries/></episodes></link>',
    '<link rel="show" href="/"><show><id>1</id><id>1</id></show></link>',
]


@pytest.mark.parametrize("inner", DOUBLED)
def test_a_name_twice_in_one_object_is_refused_as_in_json(inner):
    """In a member that is read; in one that is left out nobody looks."""
    page = collection(f"<title><nth>1</nth>{inner}</title>")
    for read in (lambda: page.table(TITLES), page.records):
        with pytest.raises(MalformedAnswer, match="a name twice in one object"):
            read()
    table = in_xml(f"<title><nth>1</nth>{inner}</title>", TITLES.project(["nth", "id"])).table
    assert table.to_pylist() == [{"nth": 1, "id": None}]


def test_an_envelope_with_a_name_twice_is_refused():
    """Two next pages are none."""
    with pytest.raises(MalformedAnswer, match="'next_link'"):
        in_xml('<link rel="next" href="a"/><link rel="next" href="b"/>')


@pytest.mark.parametrize("columns", [None, ["id"], ["id", "metadata"]])
def test_depth_is_bounded_in_members_that_are_left_out_too(columns):
    """200 levels of lists and objects in a record, wherever they are."""
    schema, inner = TITLES.project(columns), '<a type="array">'
    for tag in ("new", "name", "metadata"):
        body = "<title><id>1</id><{0}>{1}{2}</{0}></title>"
        assert in_xml(body.format(tag, inner * 198, "</a>" * 198), schema).table["id"].to_pylist() == ["1"]
        with pytest.raises(MalformedAnswer, match="nested more than 200 levels"):
            in_xml(body.format(tag, inner * 199, "</a>" * 199), schema)


def test_depth_does_not_depend_on_the_stack_of_the_caller():
    """Documents at the limit are read from deep inside other calls."""
    inner = "<title><new>" + "<a>" * 190 + "x" + "</a>" * 190 + "</new></title>"
    page = collection(inner)

    def below(levels):
        return below(levels - 1) if levels else (page.table(TITLES), page.records())

    batch, records = below(900)
    assert batch.table["new"].to_pylist() == [json.dumps(records[0]["new"], separators=(",", ":"))]
