"""Settings: the environment beats the file, values are literal, whatever is wrong is named and never shown."""

from __future__ import annotations

import copy
import os
import pickle
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vendorkit.credentials import Redactor, Secret, read_settings
from vendorkit.errors import SettingsError, UsageError

NAMES = ("MEDIPIM_API_KEY_ID", "MEDIPIM_API_KEY_SECRET")


def write_env(text: str | bytes, mode: int = 0o600) -> Path:
    """Write ./.env as nobody else can read it."""
    path = Path(".env")
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path


def test_environment_beats_file_and_says_so():
    """S09: the source of each value is told, and os.environ is left as it was."""
    write_env("MEDIPIM_API_KEY_ID=from-file\nMEDIPIM_API_KEY_SECRET=file-only\n")
    before = dict(os.environ)
    found = read_settings(NAMES, environ={"MEDIPIM_API_KEY_ID": "from-environment"})
    assert found.get("MEDIPIM_API_KEY_ID") == "from-environment"
    assert found.sources == {"MEDIPIM_API_KEY_ID": "environment", "MEDIPIM_API_KEY_SECRET": ".env"}
    assert dict(os.environ) == before


def test_all_missing_names_are_reported_at_once_with_where_was_looked():
    """S01: no file; both names and the path are in the message."""
    with pytest.raises(SettingsError, match=r"MEDIPIM_API_KEY_ID, MEDIPIM_API_KEY_SECRET.*\.env \(no such file\)"):
        read_settings(NAMES, environ={}).require(NAMES, why="Medipim")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("A=1\nB='x\nC=2\n", 2),
        ("\n\nNAME_ALONE\n", 3),
        ("A=1\nKEY: value\n", 2),
        (b"A=1\nB=\xe9t\xe9\n", 2),
        (b"\xff\xfeA\x00=\x001\x00", 1),
    ],
)
def test_malformed_line_is_named_by_its_number(text, line):
    """S03, S04: what python-dotenv drops or keeps silently is an error here."""
    write_env(text)
    with pytest.raises(SettingsError, match=f"Line {line} of"):
        read_settings(["A"], environ={})


def test_name_that_stands_twice_is_an_error():
    """S04: python-dotenv would keep the last."""
    write_env("A=1\n\nA=2\n")
    with pytest.raises(SettingsError, match=r"A stands twice in \.env, on lines 1 and 3"):
        read_settings(["A"], environ={})


@given(st.text(st.characters(exclude_characters="\0\r", exclude_categories=("Cs",)), min_size=1))
@settings(max_examples=150, deadline=None)
def test_any_value_in_single_quotes_is_read_literally(value):
    """S05: dollar signs, braces, hashes, quotes and backslashes survive."""
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    write_env(f"A='{quoted}'\n")
    assert read_settings(["A"], environ={}).get("A") == value


def test_windows_line_ends_byte_order_mark_and_export_are_accepted():
    """S02: as editors on Windows and people who also source the file write it."""
    write_env(b"\xef\xbb\xbfexport A=1\r\nB = '2'\r\n")
    found = read_settings(["A", "B"], environ={})
    assert (found.get("A"), found.get("B")) == ("1", "2")


def test_interpolation_is_left_alone():
    """S05: python-dotenv would put the value of HOME there."""
    write_env('A="${HOME}/x"\n')
    assert read_settings(["A"], environ={"HOME": "/nowhere"}).get("A") == "${HOME}/x"


def test_file_that_others_can_read_is_warned_of():
    """S06: with the command that mends it."""
    write_env("A=1\n", 0o644)
    with pytest.warns(UserWarning, match="chmod 600"):
        read_settings(["A"], environ={})


@pytest.mark.parametrize("value", ["changeme", "xxx", "<secret>", "your_key", "..."])
def test_placeholder_is_refused_by_name(value):
    """S10: a forgotten example value is no credential."""
    found = read_settings(["A"], environ={"A": value})
    with pytest.raises(SettingsError, match=r"A .*placeholder") as caught:
        found.require(["A"], why="x")
    assert value == "..." or value not in str(caught.value)


def test_secret_is_masked_everywhere_and_is_not_pickled():
    """S11, S14, S18: repr, str, format and vars show a mask."""
    found = read_settings(["A"], environ={"A": "sentinel-value"})
    for shown in (repr(found), str(found.values["A"]), f"{found.values['A']:>9}", repr(vars(found))):
        assert "sentinel-value" not in shown
    with pytest.raises(UsageError):
        pickle.dumps(Secret("sentinel-value"))
    with pytest.raises(UsageError):
        copy.deepcopy(found)


def test_redactor_knows_the_encoded_forms():
    """S16, S17: plain, URL-encoded, base64 and hexadecimal, and the pair of HTTP Basic."""
    secret = "pä ss/wörd+1"
    redactor = Redactor([secret], [("user", secret)])
    import base64
    from urllib.parse import quote, quote_plus

    forms = [secret, quote(secret, safe=""), quote_plus(secret), secret.encode().hex()]
    forms += [base64.b64encode(text.encode()).decode() for text in (secret, f"user:{secret}")]
    for form in forms:
        assert form not in redactor.clean(f"echo {form} end", limit=1000)
    assert "***" in redactor.clean(f"echo {forms[0]} end")


def test_redacted_text_is_bounded_and_on_one_line():
    """A page of HTML in an error body does not flood the message."""
    assert redacted_length("x\n" * 10_000) <= 300


def redacted_length(text: str) -> int:
    """Length of what a redactor without secrets leaves of *text*."""
    cleaned = Redactor([]).clean(text)
    assert "\n" not in cleaned
    return len(cleaned)
