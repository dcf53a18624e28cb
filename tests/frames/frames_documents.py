"""Records of any schema, ordinary and odd, for the property tests."""

from dataclasses import replace

from frames_reference import SCHEMA, Object
from frames_values import Number

from vendorkit.frames import Column, Embedded, EmbeddedMany, Kind, ListOf, Schema, Struct
from vendorkit.vendors.declared import read_resources
from vendorkit.vendors.mediagenix.schema import schema as titles
from vendorkit.vendors.medipim.client import FILE

PLAN = (
    *(Column(name, Kind.TEXT) for name in ("payment_type", "merchant_uid")),
    *(Column(name, Kind.INTEGER) for name in ("line", "amount_cents", "fees", "total_cents")),
    *(Column(name, Kind.DATE) for name in ("payment_date", "created")),
    *(Column(name, Kind.NUMBER) for name in ("taeg", "debit_rate")),
)
INSIDE = (
    *(Column(kind.value, kind) for kind in Kind if kind is not Kind.LINK),
    Column("next_link", Kind.LINK),
    Column("kinds", ListOf(Kind.CODE)),
    Column("inner", Struct((Column("at", Kind.DATE), Column("texts", Kind.LOCALISED)))),
)
EVERY = Schema(
    "things",
    (
        Column("resource_type", Kind.TEXT),
        *INSIDE,
        Column("both", Embedded((Column("resource_type", Kind.TEXT), *INSIDE))),
        Column("many", EmbeddedMany((Column("id", Kind.ID), Column("both", Embedded(INSIDE[:6]))))),
        Column("parts", ListOf(INSIDE)),
        Column("anything", ListOf(Kind.JSON)),
        Column("spread", Struct(INSIDE[-4:])),
    ),
    locales=("nl", "fr"),
)
DEEP = Schema(
    "deep", (Column("made", Kind.EPOCH, "meta.createdAt"), Column("size", Kind.ID, "meta.of.size")), style="camel"
)
IN_JSON = [
    SCHEMA,
    EVERY,
    DEEP,
    replace(read_resources(FILE, "be")["products"].schema, style="camel"),
    titles("titles", ("metadata", "images")),
    Schema("plans", PLAN, key=""),
]
IN_XML = [EVERY, titles("titles", ("metadata", "images")), titles("titles"), titles("images")]
NUMBERS = [
    *("0", "1", "1", "7", "12", "-0", "-5", "1.0", "0.0", "12.50", "1e2", "1E+2", "5.4e12", "1234567.0", "1234567.5"),
    *("9007199254740991.5", "9007199254740992", "9007199254740993", "9223372036854775807", "9223372036854775808"),
    *("-9223372036854775808", "123456789012345678901234567890", "0.1", "-0.25", "1e-7", "1e22", "1.5e300", "5e-324"),
    *("1535726805", "253402300799", "253402300800", "-62135596801"),
]
WORDS = [
    *("", "a", "12", "007", "+1", "1.5", "-0", "true", "false", "null", " a ", "\t", "2026-02-30", "2026-01-31", "1e3"),
    *("2026-01-31T10:00:00Z", "2026-01-31 23:30:00+02:00", "2026-01-31T23:30", "2026-01-31T23:30:00.5", "02:13:21.000"),
    *(
        "2026-01-31T10:00:00+0530",
        "2026-01-31T10Z",
        "9" * 400,
        "\u2028",
        "e\u0301",
        "\U0001f600",
        "東京",
        "a\nb",
        "]}",
        "{[",
    ),
]
ODD_WORDS = ["\x00", '"\\', "\ud800", "\x7f", '"code":["a"]']
NAMES = [
    "brand_new",
    "brandNew",
    "Name",
    "name",
    "id",
    "ID",
    "external-id",
    "externalId",
    "doc\x7f",
    "a.b",
    "nl",
    "de",
    "",
    "é",
]
XML_NAMES = [
    "brand-new",
    "brand_new",
    "Brand",
    "name",
    "id",
    "ID",
    "external-id",
    "external_id",
    "a.b",
    "nl",
    "de",
    "link",
    "x1",
]
SIMPLE = {Kind.TEXT: WORDS, Kind.DURATION: ["30m", "02:13:21.000"], Kind.LINK: ["/a?b=1&c=2", "https://x/y"]}
PLAIN = (*SIMPLE, Kind.ID, Kind.CODE, Kind.INTEGER, Kind.NUMBER, Kind.BOOLEAN, Kind.DATE, Kind.DATETIME, Kind.EPOCH)
EDGES = ["0000-12-31", "0001-01-01T00:00:00+01:00", "0001-01-01T00:00:00", "9999-12-31", "9999-12-31T23:59:59-01:00"]
MOMENTS = [*(word for word in WORDS if word.startswith("2026-01")), "2026-01-31T10:00:00.1230000Z", *EDGES]


class Writer:
    """
    Makes records up.

    Args:
        chance: Decides; the methods of `random.Random`.
        xml: Whether everything has to have a form in XML.
    """

    def __init__(self, chance, *, xml=False):
        self.chance, self.names = chance, XML_NAMES if xml else NAMES
        self.words = WORDS if xml else WORDS + ODD_WORDS

    def often(self, percent):
        """Whether it is one of so many percent."""
        return self.chance.randrange(100) < percent

    def record(self, schema):
        """A record with a few of the declared members and perhaps others."""
        names = {name: kind for name, kind in kinds_of(schema.columns).items() if name != "resource_type"}
        if self.often(40):  # most columns are plain, and objects and documents go wrong more easily
            names = {name: kind for name, kind in names.items() if kind not in PLAIN} or names
        chosen = self.chance.sample(sorted(names), min(len(names), self.chance.randrange(8)))
        record = Object((name, self.value(names[name], schema)) for name in chosen)
        if self.often(25):
            name = self.chance.choice(self.names)
            record += [(name, self.anything())] if name not in dict(record) else []
        return record

    def value(self, kind, schema):
        """A value of this kind, or now and then another one."""
        if self.often(10):
            return None
        return self.anything() if self.often(12) else self.fitting(kind, schema)

    def fitting(self, kind, schema):
        """A value of this kind; some of them fit barely."""
        chance = self.chance
        if isinstance(kind, dict):
            return self.members(kind, schema)
        if isinstance(kind, ListOf):
            of = kind.of if isinstance(kind.of, Kind) else Struct(kind.of)
            return [self.value(of, schema) for _ in range(chance.randrange(4))]
        if isinstance(kind, (Struct, Embedded)):
            return [] if self.often(5) else self.members(kinds_of(kind.fields), schema)
        if isinstance(kind, EmbeddedMany):
            entries = [self.members(kinds_of(kind.fields), schema) for _ in range(chance.randrange(3))]
            return entries if self.often(10) else Object([("entries", entries)])
        if kind in (Kind.LOCALISED, Kind.TEXT_OR_LOCALISED):
            if kind is Kind.TEXT_OR_LOCALISED and self.often(50):
                return chance.choice(self.words)
            return [] if self.often(10) else self.members(dict.fromkeys(schema.locales, Kind.TEXT), schema)
        if kind in (Kind.CODE, Kind.ID, Kind.INTEGER, Kind.NUMBER, Kind.EPOCH):
            return chance.choice(self.words) if kind is Kind.CODE and self.often(70) else Number(chance.choice(NUMBERS))
        if kind in (Kind.DATE, Kind.DATETIME):
            return chance.choice(["2026-01-31", "1999-12-01", *EDGES] if kind is Kind.DATE else MOMENTS)
        if kind is Kind.BOOLEAN:
            return self.often(50)
        return chance.choice(SIMPLE[kind]) if kind in SIMPLE else self.anything()

    def members(self, kinds, schema):
        """An object with a few of these members and perhaps others."""
        chosen = self.chance.sample(sorted(kinds), min(len(kinds), self.chance.randrange(4)))
        found = Object((name, self.value(kinds[name], schema)) for name in chosen if name != "resource_type")
        if self.often(8):
            name = self.chance.choice(self.names)
            found += [(name, self.anything())] if name not in dict(found) else []
        return found

    def anything(self, levels=3):
        """Any value."""
        form = self.chance.randrange(9)
        if form > 1 and levels:
            inner = [self.anything(levels - 1) for _ in range(self.chance.randrange(3))]
            if form == 8:
                return Object(zip(self.chance.sample(self.names, len(inner)), inner, strict=True))
            if form == 7:
                return inner
        plain = (None, True, False, Number(self.chance.choice(NUMBERS)))
        return self.chance.choice(plain if form < 3 else self.words)


def kinds_of(columns):
    """The declared members and their kinds; below a path such as `meta.createdAt` a dict of them."""
    found = {}
    for column in columns:
        *above, last = column.wire.split(".")
        below = found
        for name in above:
            below = below.setdefault(name, {})
        below[last] = column.kind
    return found
