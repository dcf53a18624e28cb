"""Settings: the environment beats the file, values are literal, errors name what is wrong and never show a value."""

from __future__ import annotations

import base64
import copy
import html
import json
import os
import pickle
import subprocess
import warnings
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vendorkit as vk
from vendorkit import doctor
from vendorkit.errors import SettingsError, UsageError
from vendorkit.settings import Redactor, Secret, read_settings

NAMES = ("MEDIPIM_API_KEY_ID", "MEDIPIM_API_KEY_SECRET")


def write_env(text: str | bytes, mode: int = 0o600) -> Path:
    """Write ./.env with access for its owner only."""
    path = Path(".env")
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path


def test_environment_beats_file_and_says_so(monkeypatch):
    """S09: The settings give the source of each value and do not change os.environ."""
    write_env("MEDIPIM_API_KEY_ID=from-file\nMEDIPIM_API_KEY_SECRET=file-only\n")
    monkeypatch.setenv("MEDIPIM_API_KEY_ID", "from-environment")
    before = dict(os.environ)
    found = read_settings(NAMES)
    assert found.get("MEDIPIM_API_KEY_ID") == "from-environment"
    assert found.sources == {"MEDIPIM_API_KEY_ID": "environment", "MEDIPIM_API_KEY_SECRET": ".env"}
    assert dict(os.environ) == before


def test_all_missing_names_are_reported_at_once_with_where_was_looked():
    """S01: Without a file, the message has both names and the path."""
    with pytest.raises(SettingsError, match=r"MEDIPIM_API_KEY_ID, MEDIPIM_API_KEY_SECRET.*\.env \(no such file\)"):
        read_settings(NAMES).require(NAMES, why="Medipim")


def test_missing_given_setting_is_to_be_given(monkeypatch):
    """`settings=` replaces all other sources, so that the environment would be of no use."""
    monkeypatch.setenv("MEDIPIM_API_KEY_SECRET", "made-up")
    with pytest.raises(SettingsError, match=r"MEDIPIM_API_KEY_SECRET, not set in settings=\. Set them in settings=\.$"):
        vk.connect("medipim", environment="sandbox", settings={"MEDIPIM_API_KEY_ID": "made-up"})


def test_empty_file_counts_as_one_without_names():
    """S01: The message has all missing names and the file that was read."""
    path = write_env("")
    with pytest.raises(SettingsError, match=rf"MEDIPIM_API_KEY_ID, MEDIPIM_API_KEY_SECRET.*{path.absolute()}\."):
        read_settings(NAMES).require(NAMES, why="Medipim")


@pytest.mark.parametrize("path", ["folder", "nowhere/.env", "loop", "unreadable"])
def test_file_that_cannot_be_read_is_named(path, monkeypatch):
    """S01: A folder, a missing file, a circular link and a file without permission are named."""
    Path("folder").mkdir(mode=0o700)
    Path("loop").symlink_to("loop")
    Path("unreadable").touch(0o600)

    def refuse(name, *flags):
        if Path(name).name == "unreadable":  # simulated, because root may read every file
            raise PermissionError(13, "Permission denied", str(name))
        return open_file(name, *flags)

    open_file = os.open
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(SettingsError, match=rf"{path} cannot be read"):
        monkeypatch.setenv("VENDORKIT_ENV_FILE", path)
        read_settings(["A"])


def test_file_of_a_parent_folder_is_not_found():
    """S08: A search in parent folders could find another project's file."""
    write_env("A=1\n")
    Path("below").mkdir()
    os.chdir("below")  # the fixture restores the folder
    found = read_settings(["A"])
    assert found.get("A") is None
    assert "below/.env (no such file)" in found.looked_in


def test_name_that_is_set_twice_is_an_error():
    """S04: python-dotenv would use the last value."""
    write_env("A=1\n\nA=2\n")
    with pytest.raises(SettingsError, match=r"A is set twice in \.env, on lines 1 and 3"):
        read_settings(["A"])


# Others are refused, see test_env_file.
VISIBLE = st.characters(
    exclude_categories=("Cs", "Cf", "Zs", "Zl", "Zp"),
    include_characters=" ",
    exclude_characters="\0\u034f\u115f\u1160\u3164\uffa0\ufe0e\ufe0f",
)


@given(st.text(VISIBLE, min_size=1))
@settings(max_examples=150, deadline=None)
def test_any_value_in_single_quotes_is_read_literally(value):
    """S05: Dollar signs, braces, hashes, quotes and backslashes are preserved."""
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    write_env(f"A='{quoted}'\n")
    assert read_settings(["A"]).get("A") == value


def test_windows_line_ends_byte_order_mark_and_export_are_accepted():
    """S02: Windows editors and users who source the file write these."""
    write_env(b"\xef\xbb\xbfexport A=1\r\nB = '2'\r\n")
    found = read_settings(["A", "B"])
    assert (found.get("A"), found.get("B")) == ("1", "2")


@pytest.mark.skipif(os.name != "posix", reason="names and values are bytes on POSIX alone")
def test_value_of_the_environment_that_is_not_utf_8_is_refused_without_an_echo(monkeypatch):
    """S03, S11, A20: A later UnicodeEncodeError would contain the whole value."""
    for name in NAMES:
        monkeypatch.setitem(os.environb, name.encode(), b"sentinel\xe9")
    with pytest.raises(SettingsError, match=r"MEDIPIM_API_KEY_ID \(from the environment\) is not UTF-8") as caught:
        vk.connect("medipim", environment="sandbox")
    assert "sentinel" not in str(caught.value)
    assert caught.value.__context__ is None


def test_interpolation_is_left_only(monkeypatch):
    """S05: python-dotenv would insert the value of HOME."""
    write_env('A="${HOME}/x"\n')
    monkeypatch.setenv("HOME", "/nowhere")
    assert read_settings(["A"]).get("A") == "${HOME}/x"


@pytest.mark.parametrize("text", ["A=made up #words\n", "A = made-up # words\n", "export A=made-up\t#words\n"])
def test_hash_after_an_unquoted_value_is_refused(text):
    """S05: python-dotenv truncates there, even if the hash belongs to the password."""
    write_env("B=1 # of another program\n" + text)
    with pytest.raises(SettingsError, match=r"Line 2 of \.env has a #") as caught:
        read_settings(["A"])
    assert "made" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [("A='x' # why\n", "x"), ("A=x#y\n", "x#y"), ('A="x # y"\n', "x # y"), ("# A=1 # 2\nA=x\n", "x"), ("A=#x\n", "#x")],
)
def test_hash_that_can_only_mean_one_thing_is_taken_so(text, value):
    """S05: After a quoted value it begins a comment; without a preceding space it belongs to the value."""
    write_env(text)
    assert read_settings(["A"]).get("A") == value


@given(st.binary(max_size=60) | st.text(st.sampled_from("A='\"\\#$ {}:\n\r\té\0export"), max_size=40).map(str.encode))
@settings(max_examples=200, deadline=None)
def test_any_file_is_read_or_is_one_typed_error(data):
    """S03, S04: The error for any malformed file names the file (fuzzed). Promise 8."""
    write_env(data)
    try:
        read_settings(["A"])
    except SettingsError as error:
        assert ".env" in str(error)  # noqa: PT017 - either outcome is right


def test_file_that_others_can_read_is_warned_of():
    """S06: The warning gives the command that fixes the permissions."""
    write_env("A=1\n", 0o644)
    with pytest.warns(UserWarning, match="chmod 600"):
        read_settings(["A"])


def test_link_to_a_file_that_others_can_read_is_warned_of():
    """S06, S07: The check and the warning concern the file that the link leads to."""
    Path("elsewhere").write_text("A=1\n")
    Path("elsewhere").chmod(0o640)
    Path(".env").symlink_to("elsewhere")
    with pytest.warns(UserWarning, match="chmod 600 .*/elsewhere"):
        assert read_settings(["A"]).get("A") == "1"


RULES = {
    ".env": True,
    "*.env": True,
    ".env*": True,
    "/.env": False,  # matches only in the folder of this .gitignore
    "**/.env": True,
    "below/.env": True,
    "/below/.env": True,
    "below/": True,
    "below": True,
    "*": True,
    ".env/": False,  # matches only folders
    "other/.env": False,
    "# .env": False,
    ".env\n!.env": False,
    "!.env\n.env  ": True,
    "below/\n!.env": True,
    "\ufeff.env": True,  # as Notepad writes it
    ".env  \r": True,
    ".env\t": False,
    ".env\u2028x": False,
    ".[e]nv": None,
    "b[e]low\n!.env": None,  # the folder may be ignored
    "**/below/.env": None,
    "": False,
}


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("place", [".", "below"])
def test_file_that_git_would_publish_is_warned_of(rules, place, monkeypatch):
    """S07: The check reads the .gitignore files of the work tree by git's rules."""
    subprocess.run(["git", "-c", "init.defaultBranch=main", "init", "--quiet"], check=True)
    Path("below").mkdir()
    write_env("A=1\n")
    Path(".env").rename("below/.env")
    Path(place, ".gitignore").write_text(f"{rules}\n" if place == "." else rules.replace("below/", "") + "\n")
    expected = RULES[rules] if place == "." else {"/.env": True, "below/": False, "below": False}.get(rules)
    by_git = subprocess.run(["git", "check-ignore", "--quiet", "below/.env"], check=False).returncode == 0
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        monkeypatch.setenv("VENDORKIT_ENV_FILE", "below/.env")
        read_settings(["A"])
    warned = ["not in its .gitignore" in str(one.message) for one in caught]
    if place == "." and expected is None:
        assert warned == []  # the check does not know
    else:
        assert warned == ([] if by_git else [True])
    if place == "." and expected is not None:
        assert by_git == expected


@pytest.mark.parametrize("planted", ["fsmonitor", "hooks", "gitignore pipe", "gitignore to /dev/zero"])
def test_no_program_of_a_folder_is_run(planted):
    """N03: Git settings of a cloned folder may name programs, so git is not run. No special file blocks the check."""
    subprocess.run(["git", "-c", "init.defaultBranch=main", "init", "--quiet"], check=True)
    Path("evil").write_text("#!/bin/sh\ntouch ran\n")
    Path("evil").chmod(0o700)
    subprocess.run(["git", "config", "core.fsmonitor", str(Path("evil").absolute())], check=True)
    subprocess.run(["git", "config", "core.hooksPath", str(Path.cwd())], check=True)
    if planted == "gitignore pipe":
        os.mkfifo(".gitignore")
    if planted == "gitignore to /dev/zero":
        Path(".gitignore").symlink_to("/dev/zero")
    write_env("MEDIPIM_COUNTRY=be\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert read_settings(["MEDIPIM_COUNTRY"]).get("MEDIPIM_COUNTRY") == "be"
        vk.connect("pledg", environment="staging")
        doctor.checkup("medipim")
        doctor.checkup("mediagenix")
    assert not Path("ran").exists()


def test_no_module_starts_a_program():
    """N03: Only the package's own commands start programs: JupyterLab and the mock servers."""
    package = Path(vk.__file__).parent
    found = {path.relative_to(package).as_posix() for path in package.rglob("*.py") if "subprocess" in path.read_text()}
    assert {path for path in found if not path.startswith("local/")} <= {"cli.py"}


def test_link_in_a_git_tree_to_a_file_outside_is_fine(monkeypatch):
    """S07: Git would publish only the link."""
    Path("tree").mkdir()
    subprocess.run(["git", "init", "--quiet", "tree"], check=True)
    write_env("A=1\n")
    Path("tree/.env").symlink_to(Path(".env").absolute())
    monkeypatch.setenv("VENDORKIT_ENV_FILE", "tree/.env")
    assert read_settings(["A"]).get("A") == "1"


def test_address_with_a_password_in_it_is_refused_without_an_echo(monkeypatch):
    """S15: Credentials are only sent in headers."""
    for name in NAMES:
        monkeypatch.setenv(name, "made-up")
    monkeypatch.setenv("MEDIPIM_BASE_URL", "https://user:sentinel@vendor.example")
    with pytest.raises(SettingsError, match=r"MEDIPIM_BASE_URL .* without a path, user or password") as caught:
        vk.connect("medipim", environment="sandbox")
    assert "sentinel" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "https://[::1",
        "https://a\x1b[31mb",
        "https://ho st",
        "https://host\tx",
        "https://host;x",
        "https://host#x",
        "https://host\\@other",
        "https://host:0",
        "https://host:99999",
        "https://:443",
        "host",
        "http://host",
        "https://host/?a=b@c",
    ],
)
def test_address_that_is_none_is_refused_without_an_echo(monkeypatch, address):
    """S15: Python's parser would raise for some of these, or read another host than the address shows."""
    for name in NAMES:
        monkeypatch.setenv(name, "made-up")
    monkeypatch.setenv("MEDIPIM_BASE_URL", address)
    with pytest.raises((SettingsError, UsageError)) as caught:
        vk.connect("medipim", environment="sandbox")
    assert address not in str(caught.value) or address == "host"


@pytest.mark.parametrize("name", ["MEDIPIM_ENVIRONMENT", "MEDIPIM_COUNTRY", "MEDIPIM_CA_FILE", "MEDIPIM_API_KEY_ID"])
@pytest.mark.parametrize("between", [" ", ";", "; export ", "\t"])
@pytest.mark.parametrize("where", ["file", "environment", "settings="])
def test_two_settings_on_one_line_are_named_without_an_echo(monkeypatch, where, name, between):
    """S04: The value of a printable name could contain the secret of the second one."""
    value = f"production{between}MEDIPIM_API_KEY_SECRET=sentinel"
    if where == "file":
        write_env(f"{name}={value}\n")
    elif where == "environment":
        monkeypatch.setenv(name, value)
    given = {name: value} if where == "settings=" else None
    with pytest.raises(SettingsError, match=rf"{name} \(from .*\) contains a second NAME=value") as caught:
        vk.connect("medipim", settings=given)
    assert "sentinel" not in str(caught.value)


@pytest.mark.parametrize("value", ["changeme", "xxx", "<secret>", "your_key", "..."])
def test_placeholder_is_refused_by_name(value, monkeypatch):
    """S10: An unchanged example value is not a credential."""
    monkeypatch.setenv("A", value)
    found = read_settings(["A"])
    with pytest.raises(SettingsError, match=r"A .*placeholder") as caught:
        found.require(["A"], why="x")
    assert value == "..." or value not in str(caught.value)


def test_secret_is_masked_everywhere_and_is_not_pickled(monkeypatch):
    """S11, S14, S18: repr, str, format and vars show a mask."""
    monkeypatch.setenv("A", "sentinel-value")
    found = read_settings(["A"])
    for shown in (repr(found), str(found.values["A"]), f"{found.values['A']:>9}", repr(vars(found))):
        assert "sentinel-value" not in shown
    with pytest.raises(UsageError):
        pickle.dumps(Secret("sentinel-value"))
    with pytest.raises(UsageError):
        copy.deepcopy(found)


def test_redactor_knows_the_encoded_forms():
    """S16, S17: It redacts plain, URL-encoded, base64 and hexadecimal forms and the HTTP Basic pair."""
    secret = "pä ss/wörd+1&<'"
    redactor = Redactor([secret], [("user", secret)])
    forms = [secret, quote(secret, safe=""), quote_plus(secret), quote(secret, safe="").lower(), secret.encode().hex()]
    forms += [base64.b64encode(text.encode()).decode() for text in (secret, f"user:{secret}")]
    forms += [html.escape(secret), json.dumps(secret)[1:-1], json.dumps(secret)[1:-1].replace("/", "\\/")]
    for form in forms:
        assert redactor.clean(f"echo {form} end", limit=1000) == "echo *** end"


def test_redacted_text_is_bounded_and_on_one_line():
    """A page of HTML in an error body does not flood the message."""
    assert redacted_length("x\n" * 10_000) <= 300


def redacted_length(text: str) -> int:
    """Return the length of *text* after a redactor without secrets."""
    cleaned = Redactor([]).clean(text)
    assert "\n" not in cleaned
    return len(cleaned)
