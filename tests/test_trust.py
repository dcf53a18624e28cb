"""Where credentials may go: a stranger's settings file redirects none but its own; settings= replaces every source."""

from __future__ import annotations

import json
import os
import pickle
import traceback
from pathlib import Path

import pytest

import vendorkit as vk
from tests.https import QUICK, always, answer, authority, raw_server
from vendorkit import doctor
from vendorkit.errors import SettingsError, UsageError
from vendorkit.http.call import Policy
from vendorkit.settings import read_settings

NAMES = {
    "medipim": ("MEDIPIM_API_KEY_ID", "MEDIPIM_API_KEY_SECRET"),
    "mediagenix": ("MEDIAGENIX_ROBOT_USER", "MEDIAGENIX_ROBOT_PASSWORD"),
    "pledg": ("PLEDG_API_KEY", "PLEDG_API_SECRET", "PLEDG_DASHBOARD_EMAIL", "PLEDG_DASHBOARD_PASSWORD"),
}
REMOTE = {"medipim": "production", "pledg": "staging", "mediagenix": "staging"}
VENDORS = list(NAMES)
OTHER = "https://other.example"


def write_env(values: dict[str, str], name: str = ".env") -> None:
    """Write a settings file that only its owner can read."""
    Path(name).write_text("".join(f"{key}='{value}'\n" for key, value in values.items()), encoding="utf-8")
    Path(name).chmod(0o600)


def credentials(vendor: str, word: str = "made-up") -> dict[str, str]:
    """Credentials of a vendor, none of them a placeholder."""
    return {name: f"{word}-{name[-4:].lower()}" for name in NAMES[vendor]}


def set_all(monkeypatch, values: dict[str, str]) -> None:
    """Set variables of the environment."""
    for name, value in values.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def environment(monkeypatch):
    """The credentials of all vendors in the environment."""
    for vendor in VENDORS:
        set_all(monkeypatch, credentials(vendor, "sentinel"))


@pytest.mark.parametrize("vendor", VENDORS)
def test_address_from_a_strangers_file_gets_no_credential(environment, vendor):
    """N01: secrets in the environment, the address in a cloned folder: refused before anything is sent. Promise 2."""
    write_env({f"{vendor.upper()}_BASE_URL": OTHER})
    with pytest.raises(
        SettingsError, match=rf"{vendor.upper()}_BASE_URL is set in \.env, which does not hold"
    ) as caught:
        vk.connect(vendor, environment=REMOTE[vendor])
    assert "nothing was sent" in str(caught.value)
    assert "sentinel" not in str(caught.value)
    settings = doctor.checkup(vendor)  # without an environment it is refused as well, or not configured
    assert not settings.fine


@pytest.mark.parametrize("vendor", ["medipim", "pledg"])
def test_ca_file_from_a_strangers_file_is_refused(environment, vendor, tmp_path):
    """N01: whoever controls the roots reads the credentials."""
    pem = tmp_path / "stranger.pem"
    pem.write_bytes(authority().cert_pem.bytes())
    write_env({f"{vendor.upper()}_CA_FILE": str(pem)})
    with pytest.raises(SettingsError, match=rf"{vendor.upper()}_CA_FILE is set in \.env, which does not hold"):
        vk.connect(vendor, environment=REMOTE[vendor])


@pytest.mark.parametrize("vendor", VENDORS)
def test_address_from_the_file_of_the_credentials_is_honoured(vendor):
    """N01, the other side: one's own file has both; it is said where the host is from."""
    write_env({f"{vendor.upper()}_BASE_URL": OTHER, **credentials(vendor)})
    client = vk.connect(vendor, environment=REMOTE[vendor])
    assert client.endpoint.base_url == OTHER
    assert "NOT a host of" in repr(client)
    assert f"{vendor.upper()}_BASE_URL" in repr(client)
    assert "other.example" in repr(client)


@pytest.mark.parametrize("vendor", VENDORS)
def test_address_from_the_environment_is_honoured(environment, monkeypatch, vendor):
    """S09, N01: the environment is the user's own; a stranger's file with another address is not looked at."""
    monkeypatch.setenv(f"{vendor.upper()}_BASE_URL", OTHER)
    write_env({f"{vendor.upper()}_BASE_URL": "https://third.example"})
    client = vk.connect(vendor, environment=REMOTE[vendor])
    assert client.endpoint.base_url == OTHER
    assert "NOT a host of" in repr(client)


@pytest.mark.parametrize("vendor", VENDORS)
def test_vendors_own_host_is_not_remarked_on(environment, vendor):
    """The remark means something only if it is not always there."""
    assert "NOT" not in repr(vk.connect(vendor, environment=REMOTE[vendor]))


COPIES = {
    "the same": (OTHER, OTHER),
    "a slash": (f"{OTHER}/", OTHER),
    "capitals": ("https://Other.Example", OTHER),
    "a port": (f"{OTHER}:443", OTHER),
    "a path": (f"{OTHER}/v4", OTHER),
    "something that the copier expands": ("https://${X}other.example", OTHER),
    "all of it expanded": ("$X", OTHER),
    "quotes that others take away": (f"`{OTHER}`", OTHER),
}


@pytest.mark.parametrize("kind", COPIES)
@pytest.mark.parametrize("named", [False, True])
def test_copy_of_the_file_in_the_environment_counts_as_the_file(environment, monkeypatch, kind, named):
    """N02: VS Code loads ./.env into kernels, with another parser, whichever file VENDORKIT_ENV_FILE names."""
    in_file, copied = COPIES[kind]
    write_env({"MEDIPIM_BASE_URL": in_file})
    monkeypatch.setenv("MEDIPIM_BASE_URL", copied)
    if named:
        write_env({"MEDIPIM_COUNTRY": "be"}, "own.env")
        monkeypatch.setenv("VENDORKIT_ENV_FILE", "own.env")
    with pytest.raises(SettingsError, match=r"MEDIPIM_BASE_URL is set in \.env, which does not hold MEDIPIM_API_KEY_"):
        vk.connect("medipim", environment="production")


LINES = {
    "a byte order mark in the name": f"MEDIPIM_BASE_URL\ufeff={OTHER}\n",
    "quotes of another name": f"MEDIPIM_BASE_URL=\nFOO='\nMEDIPIM_BASE_URL={OTHER}\n'\n",
    "quotes of a name that is looked for": f"MEDIPIM_COUNTRY='be\nMEDIPIM_BASE_URL={OTHER}\n'\n",
    "its own quotes": f"MEDIPIM_BASE_URL='\nMEDIPIM_BASE_URL={OTHER}\n'\n",
    "small letters": f"medipim_base_url={OTHER}\n",
    "twice": f"MEDIPIM_BASE_URL={OTHER}\nMEDIPIM_BASE_URL=https://third.example\n",
    "a carriage return": f"FOO=1\rMEDIPIM_BASE_URL={OTHER}\n",
    "a comment behind": f"MEDIPIM_BASE_URL={OTHER} # made up\n",
}


@pytest.mark.parametrize("kind", LINES)
def test_copy_cannot_be_hidden_from_us(environment, monkeypatch, kind):
    """N02: what another parser may have read as the address is found, or is an error."""
    Path(".env").write_text(LINES[kind], encoding="utf-8")
    Path(".env").chmod(0o600)
    monkeypatch.setenv("MEDIPIM_BASE_URL", OTHER)
    with pytest.raises(SettingsError):
        vk.connect("medipim", environment="production")


@pytest.mark.parametrize("line", ["MEDIPIM_BASE_URL=\n", "# MEDIPIM_BASE_URL=https://other.example\n", ""])
def test_line_left_empty_says_nothing(environment, monkeypatch, line):
    """N02: as a copy of .env.example has it."""
    Path(".env").write_text(line, encoding="utf-8")
    Path(".env").chmod(0o600)
    monkeypatch.setenv("MEDIPIM_BASE_URL", OTHER)
    assert vk.connect("medipim", environment="production").endpoint.base_url == OTHER


@pytest.mark.parametrize("copied", ["all of it", "the address"])
@pytest.mark.parametrize("named", ["", "./.env", "in full"])
def test_copy_of_ones_own_file_is_honoured(monkeypatch, copied, named):
    """N02: VS Code again, where ./.env holds address and credentials; `vendorkit lab` names the file in full."""
    values = {"MEDIPIM_BASE_URL": OTHER, **credentials("medipim")}
    write_env(values)
    set_all(monkeypatch, values if copied == "all of it" else {"MEDIPIM_BASE_URL": OTHER})
    if named:
        monkeypatch.setenv("VENDORKIT_ENV_FILE", named if named == "./.env" else str(Path(".env").absolute()))
    assert vk.connect("medipim", environment="production").endpoint.base_url == OTHER


@pytest.mark.parametrize("kept", ["MEDIPIM_API_KEY_ID", "MEDIPIM_API_KEY_SECRET"])
def test_half_of_the_credentials_in_the_file_is_not_enough(environment, kept):
    """N01: nor is an entry with another value, a bait, behind which the environment's own would go out."""
    write_env({"MEDIPIM_BASE_URL": OTHER, kept: "bait"})
    with pytest.raises(SettingsError, match="which does not hold"):
        vk.connect("medipim", environment="production")


def test_file_that_the_environment_names_is_a_file(environment, monkeypatch):
    """N01: VENDORKIT_ENV_FILE may come from a stranger's ./.env as well."""
    write_env({"MEDIPIM_BASE_URL": OTHER}, "named.env")
    monkeypatch.setenv("VENDORKIT_ENV_FILE", "named.env")
    with pytest.raises(SettingsError, match=r"set in named\.env"):
        vk.connect("medipim", environment="production")


@pytest.mark.parametrize("name", ["environment", "settings=", "./environment"])
def test_file_with_the_name_of_another_source_is_a_file(environment, monkeypatch, name):
    """N01: a source is known by more than its label."""
    write_env({"MEDIPIM_BASE_URL": OTHER}, name)
    monkeypatch.setenv("VENDORKIT_ENV_FILE", name)
    with pytest.raises(SettingsError, match="which does not hold"):
        vk.connect("medipim", environment="production")


@pytest.mark.parametrize("vendor", ["medipim", "pledg"])
def test_copy_of_the_ca_file_in_the_environment_counts_as_the_file(environment, monkeypatch, vendor, tmp_path):
    """N02: as that of the address."""
    (tmp_path / "ca.pem").write_bytes(authority().cert_pem.bytes())
    values = {f"{vendor.upper()}_CA_FILE": str(tmp_path / "ca.pem")}
    set_all(monkeypatch, values)
    assert vk.connect(vendor, environment=REMOTE[vendor]).endpoint.remarks["CA file"]
    write_env(values)
    with pytest.raises(SettingsError, match=rf"{vendor.upper()}_CA_FILE is set in \.env, which does not hold"):
        vk.connect(vendor, environment=REMOTE[vendor])


def test_each_set_of_pledgs_credentials_is_looked_at_by_itself(monkeypatch, tmp_path):
    """N01: the file has the key, the environment the dashboard's password and the merchant's secret."""
    ca = authority()
    token = json.dumps({"access_token": "made-up", "token_type": "Bearer", "expires_in": 600}).encode()
    with raw_server(always(answer(token, "Content-Type: application/json")), ca=ca) as server:
        (tmp_path / "ca.pem").write_text(server.ca_pem)
        set_all(monkeypatch, {**credentials("pledg", "sentinel"), "PLEDG_MERCHANT_SECRET": "sentinel-merchant"})
        for name in ("PLEDG_API_KEY", "PLEDG_API_SECRET"):
            monkeypatch.delenv(name)
        own = {name: value for name, value in credentials("pledg").items() if "API" in name}
        write_env({"PLEDG_BASE_URL": server.url, "PLEDG_CA_FILE": str(tmp_path / "ca.pem"), **own})
        client = vk.connect("pledg", environment="staging", policy=QUICK)
        assert client.get("/api/merchants/x").ok
        heads = len(server.heads)
        with pytest.raises(SettingsError, match=r"PLEDG_BASE_URL is set in \.env, which does not hold PLEDG_DASHBOARD"):
            client.get("/api/merchants/x", auth="basic")
        with pytest.raises(SettingsError, match="which does not hold PLEDG_MERCHANT_SECRET"):
            client.purchase_url({"merchantUid": "x"})
        assert len(server.heads) == heads
        assert not [head for head in server.heads if b"sentinel" in head]


def test_pledg_without_credentials_may_ask_what_is_public():
    """N01: a call that sends no credential goes where the file says."""
    write_env({"PLEDG_BASE_URL": OTHER, "PLEDG_MERCHANT_UID": "mer_made_up"})
    assert vk.connect("pledg", environment="staging").endpoint.base_url == OTHER


def test_doctor_says_where_the_host_is_from(monkeypatch):
    """The test call may well be answered, by somebody else."""
    set_all(monkeypatch, credentials("medipim"))
    monkeypatch.setenv("MEDIPIM_ENVIRONMENT", "production")
    monkeypatch.setenv("MEDIPIM_BASE_URL", "https://127.0.0.1:1")
    found = {one.check: one for one in doctor.checkup("medipim").findings}
    assert "NOT a host of Medipim: 127.0.0.1:1" in found["host"].said
    assert "MEDIPIM_BASE_URL (environment)" in found["host"].said


# --- settings= ---


@pytest.mark.parametrize("vendor", VENDORS)
def test_given_settings_replace_every_source(monkeypatch, vendor):
    """N07: nothing is mixed in: not the environment's address, not the file's password."""
    monkeypatch.setenv(f"{vendor.upper()}_BASE_URL", "https://environment.example")
    monkeypatch.setenv(f"{vendor.upper()}_ENVIRONMENT", "local")
    write_env({**credentials(vendor, "sentinel"), "MEDIPIM_COUNTRY": "fr"})
    client = vk.connect(vendor, environment=REMOTE[vendor], settings=credentials(vendor))
    assert "environment.example" not in repr(client)
    assert {name: client.settings.get(name) for name in NAMES[vendor]} == credentials(vendor)
    assert client.settings.sources[NAMES[vendor][0]] == "settings="
    assert client.country in ("be", "")


@pytest.mark.parametrize("broken", ["MEDIPIM_API_KEY_ID\n" * 2, "pipe"])
def test_given_settings_need_no_file(broken):
    """N07: nor wait for one."""
    if broken == "pipe":
        os.mkfifo(".env", 0o600)
    else:
        Path(".env").write_text(broken)
        Path(".env").chmod(0o600)
    client = vk.connect("medipim", environment="production", settings=credentials("medipim"))
    assert client.environment == "production"


def test_given_settings_may_name_environment_country_and_address():
    """All that the vendor's variables may say."""
    more = {"MEDIPIM_ENVIRONMENT": "sandbox", "MEDIPIM_COUNTRY": "fr", "MEDIPIM_BASE_URL": OTHER}
    client = vk.connect("medipim", settings={**credentials("medipim"), **more})
    assert (client.environment, client.country, client.endpoint.base_url) == ("sandbox", "fr", OTHER)
    assert "MEDIPIM_BASE_URL (settings=)" in repr(client)


def test_given_credentials_without_an_environment_are_refused(monkeypatch):
    """Else they would be ignored, and the mock server's data pass for the vendor's."""
    monkeypatch.setenv("MEDIPIM_ENVIRONMENT", "production")
    with pytest.raises(UsageError, match="environment") as caught:
        vk.connect("medipim", settings=credentials("medipim", "sentinel"))
    assert "production" in caught.value.remedy
    assert "sentinel" not in str(caught.value)


def test_given_settings_that_are_missing_are_named():
    """N07: keyring.get_password gives None for what it does not have."""
    with pytest.raises(
        SettingsError, match=r"needs MEDIPIM_API_KEY_SECRET, not set in settings=\. Set them in settings="
    ) as caught:
        vk.connect(
            "medipim",
            environment="production",
            settings={"MEDIPIM_API_KEY_ID": "made-up", "MEDIPIM_API_KEY_SECRET": None},
        )
    assert "settings=" in str(caught.value)


WRONG = {
    "another vendor's name": {"PLEDG_API_KEY": "sentinel"},
    "a slip": {"MEDIPIM_API_KEY": "sentinel"},
    "bytes": {"MEDIPIM_API_KEY_ID": b"sentinel"},
    "a number": {"MEDIPIM_API_KEY_ID": 7_777_777},
    "value and name swapped": {"sentinel": "MEDIPIM_API_KEY_ID"},
    "a number as a name": {7_777_777: "x"},
    "pairs": [("MEDIPIM_API_KEY_ID", "sentinel")],
    "text": "sentinel",
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_settings_are_one_typed_error_without_an_echo(kind):
    """N07, S11, S18: neither in the message nor in the locals of any frame of ours. Promise 8."""
    with pytest.raises(UsageError) as caught:
        vk.connect("medipim", environment="production", settings=WRONG[kind])
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    shown = str(caught.value) + repr([frame.f_locals for frame in frames if frame.f_code.co_filename != __file__])
    assert "sentinel" not in shown
    assert "7777777" not in shown
    assert "MEDIPIM_API_KEY_ID" in caught.value.remedy


@pytest.mark.parametrize("value", ['"sentinel"', "sentinel\n", "senti\u200bnel", "senti\ud800nel"])
def test_badly_copied_given_value_is_named(value):
    """N06: a vault's value with its quotes or a line end."""
    with pytest.raises(SettingsError, match=r"MEDIPIM_API_KEY_SECRET \(from settings=\)") as caught:
        vk.connect(
            "medipim", environment="production", settings={**credentials("medipim"), "MEDIPIM_API_KEY_SECRET": value}
        )
    assert "senti" not in str(caught.value)


def test_given_settings_are_shown_nowhere():
    """N07, S11, S14: repr, attributes, pickles; the caller's mapping is not kept alive by its content."""
    client = vk.connect("medipim", environment="production", settings=credentials("medipim", "sentinel"))
    shown = repr(client) + repr(vars(client)) + repr(client.settings) + repr(vars(client.session))
    assert "sentinel" not in shown
    with pytest.raises(UsageError):
        pickle.dumps(client)


def test_given_settings_leave_the_mock_server_only(vendors):
    """environment="local" needs none, and takes the country."""
    assert vk.connect("medipim", environment="local", settings={"MEDIPIM_COUNTRY": "be"}).environment == "local"
    assert vk.connect("medipim", settings={}).environment == "local"


def test_places_of_a_value_are_known(monkeypatch):
    """What trust is decided by: all sources that hold the value in use."""
    write_env({"MEDIPIM_API_KEY_ID": "made-up"})
    monkeypatch.setenv("MEDIPIM_API_KEY_ID", "made-up")
    found = read_settings(["MEDIPIM_API_KEY_ID"])
    assert found.sources == {"MEDIPIM_API_KEY_ID": "environment"}
    assert found.places == {"MEDIPIM_API_KEY_ID": frozenset({"environment", ".env"})}


def test_policy_is_kept_with_given_settings():
    """The other arguments are as before."""
    client = vk.connect(
        "medipim", environment="production", settings=credentials("medipim"), policy=Policy(attempts=1), writable=True
    )
    assert (client.session.policy.attempts, client.writable) == (1, True)
