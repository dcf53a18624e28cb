"""
Settings and secrets: the real environment first, then `.env`; frozen, masked, never written anywhere.

The file is `./.env`, or the one that `VENDORKIT_ENV_FILE` names. No parent folder is searched: a `.env` of another
project would be found sooner or later. Values are read literally, `${NAME}` stays as it is, and `os.environ` is
never written, so that no child process inherits a secret.

The file may be a stranger's, in a folder that was cloned. So an address or a CA file that it sets is good for the
credentials in the same file only: see `Settings.trusted`.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NoReturn

from vendorkit.echoes import forms, masked
from vendorkit.errors import SettingsError, UsageError, printable
from vendorkit.sources import ENVIRONMENT, GIVEN, REDIRECTING, check_copy, look_up

MASK = "***"
LOCAL_VARIABLE: Final = "VENDORKIT_LOCAL_SERVERS"  # the file with the addresses of mock servers that already run
_LEARNED: Final = 128  # tokens, and the digest answers of the requests under way
_READ: Final = 1 << 16  # characters of a text that are looked through

_PLACEHOLDERS = {"changeme", "change-me", "change_me", "placeholder", "secret", "todo", "none", "null", "example"}
# Settings that may be shown, so that messages about them stay readable; of the others each is a credential.
_NO_SECRETS: Final = ("_UID", "_COUNTRY", "_ENVIRONMENT", "_BASE_URL", "_ISSUER", "_CA_FILE", "_PROXY", "_CONTACT")


class Secret:
    """A text that shows itself only to `reveal()`: masked in repr, str and format, and never pickled."""

    __slots__ = ("_reveal",)

    def __init__(self, value: str) -> None:
        # A closure, because tools that print attributes or slots would print a plain text.
        self._reveal: Callable[[], str] = lambda: value

    def reveal(self) -> str:
        """Return the text itself, for the one place that signs or sends it."""
        return self._reveal()

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        refuse_pickling("A secret")


def refuse_pickling(what: str) -> NoReturn:
    """Raise `UsageError`: a pickle of *what* would carry credentials onto a disk or over a wire."""
    message = f"{what} holds credentials and is not pickled."
    raise UsageError(message, remedy="Connect again where it is needed, with settings from its own environment.")


@dataclass(frozen=True)
class Settings:
    """
    What was found for one vendor.

    Attributes:
        values: Name of the variable to its value, masked; empty values count as not set.
        sources: Name of the variable to where it was found: "environment", "settings=" or the path of the file.
        looked_in: Where was looked, in words, for messages.
        places: Name of the variable to all sources that hold this value, if there are more: VS Code, for one, copies
            a `.env` into the environment of its kernels.
        withheld: Name of a variable that was found and may not be used to the reason.
    """

    values: Mapping[str, Secret] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    looked_in: str = "the environment"
    places: Mapping[str, frozenset[str]] = field(default_factory=dict)
    withheld: Mapping[str, str] = field(default_factory=dict)

    def get(self, name: str) -> str | None:
        """Return the value of *name*, or None if it is not set."""
        secret = self.values.get(name)
        return None if secret is None else secret.reveal()

    def require(self, names: Iterable[str], *, why: str) -> dict[str, str]:
        """
        Return the values of all *names*.

        Raises:
            SettingsError: Some are not set, may not be used, or hold a placeholder; all of them are named at once.
        """
        # No value is among the locals here while an error is raised: some tracebacks show them.
        names = list(names)
        missing = [name for name in names if name not in self.values]
        self._refuse_withheld(missing)
        if missing:
            what = f"{why} needs {', '.join(missing)}, not set in {self.looked_in}."
            raise SettingsError(what, remedy="Set them in the environment or in .env (see .env.example).")
        for name in names:
            if _is_placeholder(self.values[name]):
                what = f"{name} (from {self.sources[name]}) still holds a placeholder."
                raise SettingsError(what, remedy="Put the vendor's own value there.")
        return {name: self.values[name].reveal() for name in names}

    def trusted(self) -> Settings:
        """
        Return these settings without the credentials that a stranger's file would redirect.

        A base URL or CA file from a settings file decides who receives the credentials. It is honoured, but only the
        credentials that the same file holds go there. A value of the environment that equals the file's counts as the
        file's: tools copy a `.env` into the environment.

        Raises:
            SettingsError: No credential is left of those that were found.
        """
        withheld: dict[str, str] = {}
        credentials = [name for name in self.values if is_credential(name)]
        for name in (one for one in self.values if one.endswith(REDIRECTING)):
            for file in self._places(name) - {ENVIRONMENT, GIVEN}:
                strangers = [one for one in credentials if file not in self._places(one)]
                reasons = {one: f"{name} is set in {file}, which does not hold {one}" for one in strangers}
                withheld = {**reasons, **withheld}
        if withheld and len(withheld) == len(credentials):
            self._refuse(withheld)
        kept = {name: value for name, value in self.values.items() if name not in withheld}
        return replace(self, values=kept, withheld=withheld)

    def _places(self, name: str) -> frozenset[str]:
        return self.places.get(name, frozenset()) | {self.sources[name]}

    def _refuse_withheld(self, names: Iterable[str]) -> None:
        withheld = {name: self.withheld[name] for name in names if name in self.withheld}
        if withheld:
            self._refuse(withheld)

    def _refuse(self, withheld: Mapping[str, str]) -> NoReturn:
        what = f"{next(iter(withheld.values()))} ({self.sources[next(iter(withheld))]}): nothing was sent."
        remedy = "An address or CA file from a file is for credentials in the same file: put them there if you trust it"
        raise SettingsError(what, remedy=f"{remedy}, else remove its line.")


def is_credential(name: str) -> bool:
    """Tell whether the setting *name* is a credential: a key, its id, a user, a password, a secret."""
    return not name.endswith(_NO_SECRETS)


def read_settings(names: Iterable[str], *, environ: Mapping[str, str] | None = None, needed: bool = True) -> Settings:
    """
    Look *names* up in the environment and in the settings file; the environment wins.

    Args:
        names: The variables.
        environ: In place of the process environment.
        needed: False: a settings file that cannot be read counts as empty, and a named pipe is not waited for.

    Raises:
        SettingsError: The file cannot be read, or a line of *names* is malformed; the message gives the line's number.
            Or a value was not copied cleanly: it is in quotes, or has characters that cannot be seen.
    """
    found, looked_in = look_up(tuple(names), environ, needed=needed)
    values = {name: Secret(one.reveal()) for name, one in found.items()}
    sources = {name: one.source for name, one in found.items()}
    return Settings(values, sources, looked_in, {name: one.places for name, one in found.items()})


def given_settings(given: Secret, names: Iterable[str]) -> Settings:
    """
    Return the settings that a caller passed, in place of all other sources; None and "" count as not set.

    Args:
        given: A mapping of names to texts, wrapped, so that no frame of an error shows it.
        names: The names that there may be.

    Raises:
        UsageError: It is not a mapping, or has another name, or a value that is not text.
        SettingsError: A value was not copied cleanly.
    """
    mapping: Callable[[], Any] = given.reveal
    known = set(names)
    problem = _problem_of(mapping, known)
    if problem:
        raise UsageError(problem, remedy=f"Give texts by name: {', '.join(sorted(known))}.")
    values = {name: Secret(mapping()[name]) for name in mapping() if mapping()[name]}
    for name, value in values.items():
        check_copy(name, value.reveal, GIVEN)
    return Settings(values, dict.fromkeys(values, GIVEN), GIVEN)


def _problem_of(mapping: Callable[[], Any], known: set[str]) -> str:
    if not isinstance(mapping(), Mapping):
        return "settings= is not a mapping of names to values."
    strange = [name for name in mapping() if name not in known]
    if strange:
        # What does not look like a name may be a value in its place.
        shown = strange[0] if re.fullmatch(r"[A-Z]+(_[A-Z]+)+", str(strange[0])) else "a name"
        return f"settings= has {shown}, which is no setting of this vendor."
    wrong = [name for name in mapping() if not isinstance(mapping()[name], (str, type(None)))]
    return f"{wrong[0]} in settings= is not text." if wrong else ""


def is_utf8(value: Secret) -> bool:
    """Tell whether *value* can be encoded: the UnicodeEncodeError of one that cannot carries it in its `object`."""
    return not any("\ud800" <= char <= "\udfff" for char in value.reveal())


def _is_placeholder(value: Secret) -> bool:
    word = value.reveal().strip().lower()
    return (
        word in _PLACEHOLDERS
        or (len(word) > 1 and set(word) <= set("x*.-_?"))
        or (word.startswith("<") and word.endswith(">"))
        or word.startswith(("your_", "your-"))
    )


class Redactor:
    """
    Takes credentials out of texts that came from elsewhere, such as a vendor's error body.

    Knows each value also as base64 and hexadecimal text and in every kind of escapes, and pairs as HTTP Basic sends
    them; and the last tokens and digest answers, which `learn` adds.
    Values shorter than four characters are not replaced: replacing them would garble everything.
    """

    def __init__(self, values: Iterable[str], pairs: Iterable[tuple[str, str]] = ()) -> None:
        texts = [value for value in values if len(value) >= 4] + [f"{user}:{password}" for user, password in pairs]
        known = frozenset().union(*map(forms, texts))
        learned: deque[tuple[str, frozenset[str]]] = deque(maxlen=_LEARNED)
        # Closures, as in Secret.
        self._known: Callable[[], frozenset[str]] = lambda: known
        self._learned: Callable[[], deque[tuple[str, frozenset[str]]]] = lambda: learned

    def learn(self, text: str) -> None:
        """Take *text*, a token or another credential of one request, out of all texts from now on."""
        if len(text) >= 8 and all(text != one for one, _ in tuple(self._learned())):
            self._learned().append((text, forms(text)))

    def mask(self, texts: Sequence[str], *, limit: int) -> list[str]:
        """Return the first *limit* characters of each of *texts*, with masks in place of credentials."""
        secrets = self._known().union(*(found for _, found in tuple(self._learned())))
        # A credential that the cut divides is not found: it is in the last characters, which are left out then.
        rest = 8 * max(map(len, secrets), default=0)
        joined = "\0".join(text[: limit + rest].replace("\0", " ") for text in texts)
        shown = masked(joined, secrets, MASK).split("\0")
        return [
            one[: max(0, len(one) - rest)][:limit] if len(text) > limit + rest else one[:limit]
            for one, text in zip(shown, texts, strict=True)
        ]

    def clean(self, text: str, *, limit: int = 300) -> str:
        """Return *text* on one line, without credentials, what cannot be shown escaped, *limit* characters at most."""
        text = printable(" ".join(self.mask([text], limit=_READ)[0].split()))
        return text if len(text) <= limit else text[: limit - 1] + "…"

    def __repr__(self) -> str:
        return f"Redactor({len(self._known())} forms)"

    def __reduce__(self) -> NoReturn:
        refuse_pickling("A redactor")
