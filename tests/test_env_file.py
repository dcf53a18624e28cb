"""The settings file: lines of other programs never fail, reading is bounded, badly copied values are reported."""

from __future__ import annotations

import os
import socket
import threading
import time
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vendorkit as vk
from vendorkit import sources
from vendorkit.doctor import checkups
from vendorkit.errors import Cancelled, SettingsError
from vendorkit.settings import read_settings

NAMES = ("MEDIPIM_API_KEY_ID", "MEDIPIM_API_KEY_SECRET")
BOTH = "MEDIPIM_API_KEY_ID='made-up-id'\nMEDIPIM_API_KEY_SECRET='made-up-secret'\n"
PEM = "CERT=-----BEGIN CERTIFICATE-----\nMIIB=\nabc+/\n\"'\n-----END CERTIFICATE-----\n"


def write_env(text: str | bytes, name: str = ".env") -> Path:
    """Write a settings file that only its owner can read."""
    path = Path(name)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(0o600)
    return path


FOREIGN = {
    "a name without a value": "FOO\n",
    "a name twice": "FOO=1\nFOO=2\n",
    "an unquoted PEM": PEM,
    "an open single quote": "FOO='it is\n",
    "an open double quote": 'FOO="it is\n',
    "an apostrophe": "FOO=it's\nBAR='it's'\n",
    "a quoted value and more": "FOO='a'b\n",
    "a colon": "FOO: bar\n",
    "latin-1": b"FOO=\xe9t\xe9 # \xff\n",
    "a NUL byte": b"FOO=a\0b\n",
    "a comment that looks like an entry": "# MEDIPIM_API_KEY_ID=1\n#MEDIPIM_API_KEY_ID\n",
    "a name that begins alike": "MEDIPIM_API_KEY_ID_OLD\nMEDIPIM_API_KEY_ID_OLD\n",
    "many blanks": "FOO=" + " " * 30_000 + "x\n",
    "shell": 'if [ -z "$FOO" ]; then\n  export FOO\nfi\n',
}


@pytest.mark.parametrize("place", ["before", "after", "between"])
@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_lines_never_fail(kind, place):
    """N04: Only a line with a requested name can be an error. Quotes of other lines do not swallow it."""
    foreign = FOREIGN[kind] if isinstance(FOREIGN[kind], bytes) else FOREIGN[kind].encode()
    first, second = BOTH.encode().splitlines(keepends=True)
    write_env(
        {"before": foreign + first + second, "after": first + second + foreign, "between": first + foreign + second}[
            place
        ]
    )
    started = time.monotonic()
    found = read_settings(NAMES)
    assert [found.get(name) for name in NAMES] == ["made-up-id", "made-up-secret"]
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("name", ["CERT", "my.cert", "my-cert", "export CERT"])
def test_multi_line_value_of_another_name_is_skipped_whole(name):
    """N04: A quoted PEM or JSON of several lines belongs to its name."""
    write_env(f'{name}=\'-----BEGIN\nabc\n-----END\'\nJSON="{{\n \\"a\\": 1\n}}"\n{BOTH}')
    assert read_settings(NAMES).get("MEDIPIM_API_KEY_ID") == "made-up-id"


@pytest.mark.parametrize("name", ["FOO", "foo.bar", "FOO-BAR"])
def test_name_inside_the_quotes_of_another_is_named(name):
    """N04: It would be missing without a reason. The message has its line and the line that opens the quote."""
    write_env(f"{name}='open\nMEDIPIM_API_KEY_ID=sentinel\nBAR=close'\n")
    with pytest.raises(SettingsError, match=r"MEDIPIM_API_KEY_ID .*line 2.*line 1") as caught:
        read_settings(NAMES)
    assert "sentinel" not in str(caught.value)
    write_env(BOTH + "FOO='open\nMEDIPIM_API_KEY_ID=sentinel\nBAR=close'\n")  # a program without quotes reads this one
    with pytest.raises(SettingsError, match=r"MEDIPIM_API_KEY_ID .*line 4.*line 3"):
        read_settings(NAMES)


@pytest.mark.parametrize("name", ["A\ufeff", "\u200bA", "A:", "$A", "A\u200d"])
def test_name_with_something_around_it_is_named(name):
    """N04, N06: It would be missing without a reason, and other programs may read it as the name."""
    write_env(f"B=1\n{name}=2\n")
    with pytest.raises(SettingsError, match=r"Line 2 of \.env is not A=value"):
        read_settings(["A"])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("A=1\nB='x\nC=2\n", 2),
        ("\n\nNAME_ALONE\n", 3),
        ("A=1\nKEY: value\n", 2),
        ("A=1\nB='x'y\n", 2),
        ("A=1\nB=x # y\n", 2),
        (b"A=1\nB=\xe9t\xe9\n", 2),
        (b"A=1\nB='x\n\xe9'\n", 3),
        (b"A=1\n\nB=a\0b\n", 3),
        (b"\xff\xfeA\x00=\x001\x00", 1),
        (b"A\x00=\x001\x00", 1),
        (b"\x00A\x00=\x001", 1),
        ("A=1\nB=" + "x" * 9000 + "\n", 2),
    ],
)
def test_line_of_a_name_that_is_asked_for_is_named_by_its_number(text, line):
    """S03, S04: Lines that python-dotenv silently drops or keeps are errors."""
    write_env(text)
    with pytest.raises(SettingsError, match=f"Line {line} of"):
        read_settings(["A", "B", "NAME_ALONE", "KEY"])


@given(st.binary(max_size=60) | st.text(st.sampled_from("AF='\"\\#$ {}:\n\r\té\0export"), max_size=40).map(str.encode))
@settings(max_examples=200, deadline=None)
def test_any_foreign_line_leaves_the_next_one_only(data):
    """N04: Fuzzed: after any line of another program, the entry in the next line is read or reported."""
    foreign = b"FOO=" + data.replace(b"\n", b"").replace(b"\r", b"") + b"\n"
    write_env(foreign + b"MEDIPIM_API_KEY_ID=made-up-id\n")
    assert read_settings(["MEDIPIM_API_KEY_ID"]).get("MEDIPIM_API_KEY_ID") == "made-up-id"


@pytest.mark.parametrize("vendor", ["medipim", "pledg", "mediagenix"])
@pytest.mark.parametrize("how", ["argument", "environment"])
@pytest.mark.parametrize("broken", ["twice", "pipe", "folder", "utf-16"])
def test_mock_servers_do_not_need_the_file(vendors, monkeypatch, vendor, how, broken):
    """N04, N05: With environment="local", only Medipim's country is read from a settings file."""
    if broken == "pipe":
        os.mkfifo(".env", 0o600)
    elif broken == "folder":
        Path(".env").mkdir(0o700)
    else:
        write_env(BOTH * 2 + "NAME\n" if broken == "twice" else BOTH.encode("utf-16"))
    if how == "environment":
        monkeypatch.setenv(f"{vendor.upper()}_ENVIRONMENT", "local")
    started = time.monotonic()
    client = vk.connect(vendor, environment="local" if how == "argument" else None)
    assert client.environment == "local"
    assert time.monotonic() - started < 2


def test_mock_server_has_the_country_of_the_file(vendors):
    """The file is read if it can be."""
    write_env("MEDIPIM_COUNTRY=be\nFOO\n")
    assert vk.connect("medipim", environment="local").country == "be"
    write_env("MEDIPIM_COUNTRY=xx\n")
    with pytest.raises(vk.errors.UsageError, match="'xx'"):
        vk.connect("medipim", environment="local")


def test_pipe_without_a_writer_is_an_error_soon(monkeypatch):
    """N05: A locked secrets manager does not write. The message says what to do."""
    monkeypatch.setattr(sources, "PIPE_WAIT_S", 1.5)
    os.mkfifo(".env", 0o600)
    started = time.monotonic()
    with pytest.raises(SettingsError, match=r"\.env .*nothing .*within 1\.5 seconds.*nlock"):
        vk.connect("medipim")
    assert 1 < time.monotonic() - started < 5


@pytest.mark.parametrize("how", ["whole", "in pieces", "late", "large"])
def test_pipe_is_read_to_its_end(how):
    """N05: An unlocked secrets manager writes, also slowly, or more than fits into a pipe."""
    os.mkfifo(".env", 0o600)

    def write() -> None:
        time.sleep(0.5 if how == "late" else 0)
        with Path(".env").open("wb", buffering=0) as pipe:
            for part in (BOTH[:20], BOTH[20:] + ("# more\n" * 12_000 if how == "large" else "")):
                pipe.write(part.encode())
                time.sleep(0.2 if how == "in pieces" else 0)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    assert read_settings(NAMES).get("MEDIPIM_API_KEY_SECRET") == "made-up-secret"
    writer.join(5)
    assert not writer.is_alive()


def test_pipe_that_stalls_is_an_error_that_hides_its_content(monkeypatch):
    """N05, S11: The writer stays connected. Neither the error nor its frames contain what it wrote."""
    os.mkfifo(".env", 0o600)
    monkeypatch.setattr(sources, "PIPE_WAIT_S", 0.5)
    done = threading.Event()

    def write() -> None:
        with Path(".env").open("wb", buffering=0) as pipe:
            pipe.write(b"MEDIPIM_API_KEY_SECRET='sentinel-of-the-pipe'\n")
            done.wait(20)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    with pytest.raises(SettingsError, match=r"within 0\.5 seconds") as caught:
        read_settings(NAMES)
    done.set()
    writer.join(5)
    frame = caught.value.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename != __file__:
            assert "sentinel" not in repr(frame.tb_frame.f_locals)
        frame = frame.tb_next


def test_wait_for_a_pipe_can_be_cancelled():
    """N05, W14: It ends within half a second, like every wait."""
    os.mkfifo(".env", 0o600)
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    started = time.monotonic()
    with vk.cancellable(stop), pytest.raises(Cancelled):
        vk.connect("medipim")
    assert time.monotonic() - started < 0.3 + 0.5


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("/dev/zero", "not a file"),
        ("/dev/tty", "not a file|cannot be read"),
        ("sparse", "larger than"),
        ("socket", "not a file"),
        (".", "IsADirectory|not a file"),
        (".env", r"cannot be read \(OSError\)"),
        ("nowhere", r"cannot be read \(FileNotFoundError\)"),
    ],
)
def test_what_is_no_small_file_is_refused(target, said):
    """N05: Links to an endless device, a terminal, a huge file, a socket, a folder, itself or nothing are refused."""
    if target == "sparse":
        with Path(target).open("wb") as file:
            file.truncate(1 << 40)
    if target == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(target)
    Path(".env").symlink_to(target)
    started = time.monotonic()
    with warnings.catch_warnings(), pytest.raises(SettingsError, match=said):
        warnings.filterwarnings("ignore", ".*chmod 600")
        read_settings(NAMES)
    assert time.monotonic() - started < 2


def test_null_device_is_a_file_without_names(monkeypatch):
    """N05: VENDORKIT_ENV_FILE=/dev/null is the usual way to have no file."""
    monkeypatch.setenv("VENDORKIT_ENV_FILE", os.devnull)
    found = read_settings(NAMES)
    assert not found.sources


def test_working_folder_that_was_removed_is_no_bare_error(tmp_path, monkeypatch):
    """S01: No file is read, and the settings of the environment are used."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    monkeypatch.setenv("MEDIPIM_API_KEY_ID", "made-up-id")
    found = read_settings(NAMES)
    assert found.get("MEDIPIM_API_KEY_ID") == "made-up-id"
    with pytest.raises(SettingsError, match="MEDIPIM_API_KEY_SECRET"):
        found.require(NAMES, why="Medipim")
    with pytest.raises(SettingsError, match=r"other\.env cannot be read: VENDORKIT_ENV_FILE names it"):
        monkeypatch.setenv("VENDORKIT_ENV_FILE", "other.env")
        read_settings(NAMES)
    monkeypatch.setenv("VENDORKIT_ENV_FILE", "other.env")
    assert len(checkups()) == 3


def test_home_is_known_in_the_name_of_the_file(monkeypatch, tmp_path):
    """S01: VENDORKIT_ENV_FILE=~/secrets.env is expanded, because not every place has a shell that does so."""
    monkeypatch.setenv("HOME", str(tmp_path))
    write_env(BOTH, "secrets.env")
    monkeypatch.setenv("VENDORKIT_ENV_FILE", "~/secrets.env")
    found = read_settings(NAMES)
    assert found.sources["MEDIPIM_API_KEY_ID"] == str(tmp_path / "secrets.env")


@pytest.mark.parametrize("name", ["", " "])
def test_empty_name_of_the_file_counts_as_not_set(name, monkeypatch):
    """Every empty setting does."""
    write_env(BOTH)
    monkeypatch.setenv("VENDORKIT_ENV_FILE", name)
    assert read_settings(NAMES).get("MEDIPIM_API_KEY_ID") == "made-up-id"


COPIED = {
    "double quotes": ('"sentinel"', "in quotes"),
    "single quotes": ("'sentinel'", "in quotes"),
    "typographic quotes": ("“sentinel”", "in quotes"),
    "guillemets": ("«sentinel»", "in quotes"),
    "a zero-width space": ("senti\u200bnel", r"U\+200B"),
    "a zero-width space at its end": ("sentinel\u200b", r"U\+200B"),
    "a byte order mark": ("\ufeffsentinel", r"U\+FEFF"),
    "a word joiner": ("senti\u2060nel", r"U\+2060"),
    "a soft hyphen": ("senti\u00adnel", r"U\+00AD"),
    "a bidi mark": ("sentinel\u200e", r"U\+200E"),
    "a variation selector": ("sentinel\ufe0f", r"U\+FE0F"),
    "a letter without a glyph": ("sentinel\u3164", r"U\+3164"),
    "a joiner in ASCII": ("senti\u200dnel", r"U\+200D"),
    "a no-break space": ("sentinel\u00a0", r"U\+00A0"),
    "a line end": ("sentinel\n", "white space"),
    "a carriage return": ("sentinel\r", "white space"),
    "blanks": (" sentinel", "white space"),
}


@pytest.mark.parametrize("kind", COPIED)
def test_badly_copied_value_is_named_before_anything_is_sent(monkeypatch, kind):
    """N06, A21: docker's --env-file keeps quotes, and web pages add invisible characters. The value is not shown."""
    value, said = COPIED[kind]
    for name in NAMES:
        monkeypatch.setenv(name, "made-up")
    monkeypatch.setenv("MEDIPIM_API_KEY_SECRET", value)
    with pytest.raises(SettingsError, match=rf"MEDIPIM_API_KEY_SECRET \(from the environment\) .*{said}") as caught:
        vk.connect("medipim", environment="sandbox")
    assert "senti" not in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize("kind", [kind for kind in COPIED if "U" in COPIED[kind][1] or "typo" in kind])
def test_badly_copied_value_in_the_file_is_named(kind):
    """N06: Invisible characters are reported in quoted values too."""
    value, said = COPIED[kind]
    write_env(f"A={value}\n" if "quotes" in kind else f"A='{value}'\n")
    with pytest.raises(SettingsError, match=rf"A \(from \.env\) .*{said}"):
        read_settings(["A"])


@pytest.mark.parametrize(
    "value",
    [
        '"x"',
        "'x'",
        "pa\"ss'",
        '"',
        "👩\u200d💻",
        "\u0645\u06cc\u200c\u062e\u0648",
        "❤\ufe0f",
        "inner blank",
        "ü",
        '"a',
        'b"',
    ],
)
def test_intended_special_characters_are_kept(value):
    """S05: Quotes inside the file's own quotes are intended, and so are joiners between letters that need them."""
    write_env("A='{}'\n".format(value.replace("'", "\\'")))
    assert read_settings(["A"]).get("A") == value


def test_quotes_around_the_environment_are_named(monkeypatch):
    """N06: The same holds for a setting that is not secret."""
    monkeypatch.setenv("MEDIPIM_ENVIRONMENT", '"sandbox"')
    with pytest.raises(SettingsError, match=r"MEDIPIM_ENVIRONMENT \(from the environment\) is in quotes"):
        vk.connect("medipim")
