"""
Settings and secrets, from the real environment first, then from `.env`; frozen, masked, never written anywhere.

The file is `./.env`, or the one that `VENDORKIT_ENV_FILE` names. Parent folders are not searched, because they may
hold the `.env` of another project. Values are read literally: `${NAME}` is not expanded. `os.environ` is never
changed, so that no child process inherits a secret.

The file may come from a stranger, in a cloned folder. So an address or a CA file that it sets applies only to
credentials in the same file: see `Settings.trusted`.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NoReturn

from vendorkit.echoes import encoded_forms, masked
from vendorkit.errors import SettingsError, UsageError, printable
from vendorkit.sources import ENVIRONMENT, GIVEN, REDIRECTING, check_copy, look_up

MASK = "***"
LOCAL_VARIABLE: Final = "VENDORKIT_LOCAL_SERVERS"  # the file with the addresses of mock servers that already run
_LEARNED: Final = 128  # tokens, and digest responses of the requests in flight
_SEARCHED: Final = 1 << 16  # characters of a text that are searched for credentials

_PLACEHOLDERS = {"changeme", "change-me", "change_me", "placeholder", "secret", "todo", "none", "null", "example"}
# Ends of the names of settings that may be shown in messages. All other settings are credentials.
_NO_SECRETS: Final = ("_UID", "_COUNTRY", "_ENVIRONMENT", "_BASE_URL", "_ISSUER", "_CA_FILE", "_PROXY", "_CONTACT")


class Secret:
    """A string hidden from repr, str, format and pickle; call `reveal()` to read it."""

    __slots__ = ("_reveal",)

    def __init__(self, value: str) -> None:
        # A closure, because tools that print attributes or slots would print a plain string.
        self._reveal: Callable[[], str] = lambda: value

    def reveal(self) -> str:
        """Return the string itself, for the code that signs or sends it."""
        return self._reveal()

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        refuse_pickling("A secret")


def refuse_pickling(what: str) -> NoReturn:
    """Raise `UsageError`: a pickle of *what* would write credentials to a disk or a network."""
    message = f"{what} holds credentials and cannot be pickled."
    raise UsageError(message, remedy="Connect again in the other process, with the settings of its environment.")


@dataclass(frozen=True)
class Settings:
    """
    The settings found for one vendor. All mappings have names of variables as keys.

    Attributes:
        values: The values, masked; empty values count as not set.
        sources: Where each value was found: "environment", "settings=" or the path of the file.
        looked_in: The places that were searched, in words, for messages.
        places: All sources that hold the same value, if there are several: VS Code, for example, copies a `.env` into
            the environment of its kernels.
        withheld: The reason why a value that was found may not be used.
    """

    values: Mapping[str, Secret] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    looked_in: str = "the environment"
    places: Mapping[str, frozenset[str]] = field(default_factory=dict)
    withheld: Mapping[str, str] = field(default_factory=dict)

    def get(self, name: str) -> str | None:
        """Return the value of *name*, or None if it is not set."""
        return self.values[name].reveal() if name in self.values else None

    def require(self, names: Sequence[str], *, why: str) -> dict[str, str]:
        """
        Return the values of all *names*.

        Raises:
            SettingsError: Some are not set (the message names all of these), may not be used, or hold a placeholder.
        """
        # No local variable holds a value while an error is raised: some tracebacks show them.
        missing = [name for name in names if name not in self.values]
        self._refuse_withheld({name: self.withheld[name] for name in missing if name in self.withheld})
        if missing:
            what = f"{why} needs {', '.join(missing)}, not set in {self.looked_in}."
            place = GIVEN if self.looked_in == GIVEN else "the environment or in .env, which vendorkit init writes"
            raise SettingsError(what, remedy=f"Set them in {place}.")
        for name in names:
            if _is_placeholder(self.values[name]):
                what = f"{name} (from {self.sources[name]}) still holds a placeholder."
                raise SettingsError(what, remedy="Replace it with the vendor's value.")
        return {name: self.values[name].reveal() for name in names}

    def trusted(self) -> Settings:
        """
        Return these settings without the credentials that a stranger's file would redirect.

        A base URL or CA file from a settings file decides who receives the credentials. It is used, but only with
        credentials from the same file. A value of the environment that equals the file's counts as the file's, because
        tools copy a `.env` into the environment.

        Raises:
            SettingsError: All credentials that were found are withheld.
        """
        withheld: dict[str, str] = {}
        credentials = [name for name in self.values if is_credential(name)]
        for setting in (name for name in self.values if name.endswith(REDIRECTING)):
            for file in self._places(setting) - {ENVIRONMENT, GIVEN}:
                elsewhere = [name for name in credentials if file not in self._places(name)]
                reasons = {name: f"{setting} is set in {file}, which does not hold {name}" for name in elsewhere}
                withheld = {**reasons, **withheld}
        if len(withheld) == len(credentials):
            self._refuse_withheld(withheld)
        usable = {name: value for name, value in self.values.items() if name not in withheld}
        return replace(self, values=usable, withheld=withheld)

    def _places(self, name: str) -> frozenset[str]:
        return self.places.get(name, frozenset()) | {self.sources[name]}

    def _refuse_withheld(self, withheld: Mapping[str, str]) -> None:
        if not withheld:
            return
        name, reason = next(iter(withheld.items()))
        what = f"{reason} with the value from {self.sources[name]}: nothing was sent."
        remedy = "Put the credentials into the same file if you trust it, or remove the address or CA file from it."
        raise SettingsError(what, remedy=remedy)


def is_credential(name: str) -> bool:
    """Return whether the setting *name* is a credential: a key, its id, a user, a password, a secret."""
    return not name.endswith(_NO_SECRETS)


def read_settings(names: Iterable[str], *, needed: bool = True) -> Settings:
    """
    Look *names* up in the environment and in the settings file; the environment wins.

    Args:
        names: The variables.
        needed: If False, a settings file that cannot be read counts as empty, and a named pipe is not waited for.

    Raises:
        SettingsError: The file cannot be read, a line of *names* is malformed (the message has its number), or a value
            was not copied cleanly: it is in quotes, or has invisible characters.
    """
    by_name, looked_in = look_up(tuple(names), needed=needed)
    values = {name: Secret(setting.reveal()) for name, setting in by_name.items()}
    sources = {name: setting.source for name, setting in by_name.items()}
    return Settings(values, sources, looked_in, {name: setting.places for name, setting in by_name.items()})


def given_settings(argument: Secret, names: Iterable[str]) -> Settings:
    """
    Return the settings that a caller passed, which replace all other sources; None and "" count as not set.

    Args:
        argument: A mapping of names to strings, wrapped, so that no frame of an error shows it.
        names: The allowed names.

    Raises:
        UsageError: The argument is not a mapping, or has an unknown name or a value that is not a string.
        SettingsError: A value was not copied cleanly.
    """
    mapping: Callable[[], Any] = argument.reveal
    known = set(names)
    if problem := _problem_of(mapping, known):
        raise UsageError(problem, remedy=f"Pass strings by name: {', '.join(sorted(known))}.")
    values = {name: Secret(mapping()[name]) for name in mapping() if mapping()[name]}
    for name, value in values.items():
        check_copy(name, value.reveal, GIVEN)
    return Settings(values, dict.fromkeys(values, GIVEN), GIVEN)


def _problem_of(mapping: Callable[[], Any], known: set[str]) -> str:
    if not isinstance(mapping(), Mapping):
        return "settings= is not a mapping of names to values."
    unknown = [name for name in mapping() if name not in known]
    if unknown:
        # A key that does not look like a name may be a value, passed in the wrong place.
        label = unknown[0] if re.fullmatch(r"[A-Z]+(_[A-Z]+)+", str(unknown[0])) else "a name"
        return f"settings= has {label}, which is not a setting of this vendor."
    wrong = [name for name in mapping() if not isinstance(mapping()[name], (str, type(None)))]
    return f"{wrong[0]} in settings= is not a string." if wrong else ""


def is_utf8(value: Secret) -> bool:
    """Return whether *value* can be encoded, without the UnicodeEncodeError, whose `object` would hold the value."""
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
    Masks credentials in texts from other sources, such as a vendor's error body.

    It finds each value as it is, as base64 or hexadecimal, and with any kind of escapes; user:password pairs as HTTP
    Basic sends them; and the latest tokens and digest responses, which `learn` adds.
    Values shorter than four characters are not masked, because that would garble every text.
    """

    def __init__(self, values: Iterable[str], pairs: Iterable[tuple[str, str]] = ()) -> None:
        texts = [value for value in values if len(value) >= 4] + [f"{user}:{password}" for user, password in pairs]
        known = frozenset().union(*map(encoded_forms, texts))
        learned: deque[tuple[str, frozenset[str]]] = deque(maxlen=_LEARNED)
        # Closures, as in Secret.
        self._known: Callable[[], frozenset[str]] = lambda: known
        self._learned: Callable[[], deque[tuple[str, frozenset[str]]]] = lambda: learned

    def learn(self, text: str) -> None:
        """Mask *text*, a token or another credential of one request, in all texts from now on."""
        if len(text) >= 8 and all(text != credential for credential, _ in tuple(self._learned())):
            self._learned().append((text, encoded_forms(text)))

    def mask(self, texts: Sequence[str], *, limit: int) -> list[str]:
        """Return the first *limit* characters of each of *texts*, with masked credentials."""
        secrets = self._known().union(*(variants for _, variants in tuple(self._learned())))
        # A credential across the end of the searched part is not found, so the last characters are left out.
        margin = 8 * max(map(len, secrets), default=0)
        joined = "\0".join(text[: limit + margin].replace("\0", " ") for text in texts)
        parts = masked(joined, secrets, MASK).split("\0")
        return [
            part[: max(0, len(part) - margin)][:limit] if len(text) > limit + margin else part[:limit]
            for part, text in zip(parts, texts, strict=True)
        ]

    def clean(self, text: str, *, limit: int = 300) -> str:
        """Return *text* on one line of at most *limit* characters: credentials masked, unprintable text escaped."""
        text = printable(" ".join(self.mask([text], limit=_SEARCHED)[0].split()))
        return text if len(text) <= limit else text[: limit - 1] + "…"

    def __reduce__(self) -> NoReturn:
        refuse_pickling("A redactor")  # cloudpickle, which Dask uses, would write what the closures hold
