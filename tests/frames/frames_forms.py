"""Records in any form that JSON and XML allow, for the property tests."""

import json
import random
from xml.sax.saxutils import escape, quoteattr

from frames_answers import kebab
from frames_documents import kinds_of
from frames_reference import Object
from frames_values import Number

from vendorkit.frames import Embedded, EmbeddedMany, Kind, ListOf, Struct


class Json:
    """Writes values as JSON in one style: blanks between tokens, names and texts with or without escapes."""

    def __init__(self, seed, blanks=" \t\n\r"):
        self.chance = random.Random(seed)
        self.blanks = self.chance.choice(
            [("",), ("", *blanks), (" ",), ("", "  ", *(blank * 2 for blank in blanks), blanks)]
        )
        self.escapes = self.chance.choice([0, 0, 0, 20])

    def gap(self):
        """What is between two tokens or elements."""
        return self.chance.choice(self.blanks)

    def text(self, text):
        """A text or name in quotes."""
        written = json.dumps(text, ensure_ascii=self.escapes > 0 or any("\ud7ff" < one < "\ue000" for one in text))
        if not self.escapes or "\\" in written:
            return written
        parts = (f"\\u{ord(one):04x}" if self.chance.randrange(100) < self.escapes else one for one in written[1:-1])
        return f'"{"".join(parts)}"'

    def value(self, value):
        """A value."""
        if isinstance(value, Object):
            pairs = [self.text(name) + self.gap() + ":" + self.gap() + self.value(item) for name, item in value]
            return "{" + self._between(pairs) + "}"
        if isinstance(value, list):
            return "[" + self._between([self.value(item) for item in value]) + "]"
        if isinstance(value, str):
            return self.text(value)
        return value.text if isinstance(value, Number) else json.dumps(value)

    def _between(self, parts):
        return self.gap() + ",".join(self.gap() + part + self.gap() for part in parts)


class Xml:
    """Writes records as XML in one style."""

    def __init__(self, seed, schema):
        self.chance, self.schema = random.Random(seed), schema
        self.gaps = self.chance.choice([("",), ("\n  ",), ("", "\n", "<!-- a -->", "<?x y?>")])
        self.typed = self.chance.choice([100, 100, 60, 0])

    def gap(self):
        """What is between two tokens or elements."""
        return self.chance.choice(self.gaps)

    def collection(self, records, around):
        """A collection of records, each with the name of its element."""
        inner = self.gap().join(
            f"<{tag}>{self.members(record, self.schema.columns)}</{tag}>" for tag, record in records
        )
        return f'<things type="array">{around}{self.gap()}{inner}</things>'

    def members(self, record, columns):
        """The children of an object."""
        kinds = kinds_of(columns or ())
        parts = []
        for name, value in record:
            kind = kinds.get(name)
            if kind is Kind.LINK:
                href = value if isinstance(value, str) else "/x"
                parts.append(f'<link rel="{name.removesuffix("_link")}" href={quoteattr(href)}/>')
            elif isinstance(kind, (Embedded, EmbeddedMany)) or (kind is Kind.DOCUMENT and isinstance(value, Object)):
                href = "" if f"{name}_link" in dict(record) else ' href="/x"'
                parts.append(f'<link rel="{name}"{href}>{self.target(value, kind)}</link>')
            elif self.chance.randrange(60) == 0:  # a link of this name that is expanded
                parts.append(f'<link rel="{name}" href="/y">{self.element("target", value, kind)}</link>')
            else:
                parts.append(self.element(kebab(name) if kind else name, value, kind))
        return "".join(self.gap() + part for part in parts) + self.gap()

    def target(self, value, kind):
        """What a link is expanded to."""
        if isinstance(kind, EmbeddedMany) and isinstance(value, Object) and [name for name, _ in value] == ["entries"]:
            entries = [one if isinstance(one, Object) else Object() for one in value[0][1]]
            return f'<c type="array">{"".join(f"<e>{self.members(one, kind.fields)}</e>" for one in entries)}</c>'
        if isinstance(kind, Embedded) and isinstance(value, Object):
            return f"<a-thing>{self.members(value, kind.fields)}</a-thing>"
        return self.element("document", value, None)

    def element(self, tag, value, kind):
        """One value, in most cases with its type."""
        if value is None:
            return f'<{tag} nil="true"/>'
        if isinstance(value, Object):
            fields = kind.fields if isinstance(kind, Struct) else None
            return f'<{tag} type="document">{self.members(value, fields)}</{tag}>'
        if isinstance(value, list):
            of = Struct(kind.of) if isinstance(kind, ListOf) and isinstance(kind.of, tuple) else None
            return f'<{tag} type="array">{"".join(self.element("item", one, of) for one in value)}</{tag}>'
        types = {
            bool: "boolean",
            Number: "integer" if isinstance(value, Number) and value.text.isdigit() else "decimal",
        }
        given = types.get(type(value), "date" if kind is Kind.DATE else "")
        if self.chance.randrange(100) >= self.typed or not given:
            given = self.chance.choice(["", "", "", "", "string", "boolean", "integer"]) if self.typed < 100 else ""
        blank = self.chance.choice(["", "", "", " ", "\n"]) if given else ""
        text = escape(self.plain(value))
        if text and self.chance.randrange(20) == 0 and "]]>" not in self.plain(value):
            text = f"<![CDATA[{self.plain(value)}]]>"
        return f"<{tag}{f' type={quoteattr(given)}' if given else ''}>{blank}{text}{blank}</{tag}>"

    def plain(self, value):
        """The text of an element."""
        return value if isinstance(value, str) else value.text if isinstance(value, Number) else json.dumps(value)
