"""A fourth vendor, registered from outside: all of vendorkit works with it, and none of its rooms knows it."""

from __future__ import annotations

import ast
import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import vendorkit as vk
from tests.clicking import button, everything, exchange_of, html_of, labelled
from tests.vendors.fourth_server import SHIPS, fourth_server
from tests.vendors.fourth_vendor import Harbour
from vendorkit import doctor
from vendorkit.errors import CredentialsRefused, NotFound, SettingsError, UsageError
from vendorkit.vendors.registry import CLIENTS, register

pytestmark = pytest.mark.filterwarnings("ignore::vendorkit.frames.SchemaDrift")
COLUMNS = ["id", "name", "length", "flag", "new_field"]  # the last two are not declared


@pytest.fixture
def server(monkeypatch, tmp_path):
    """The vendor registered, and configured as a user would: by environment variables."""
    with fourth_server() as running:
        monkeypatch.setenv("HARBOUR_TOKEN", running.token)
        monkeypatch.setenv("HARBOUR_ENVIRONMENT", "production")
        monkeypatch.setenv("HARBOUR_BASE_URL", running.server.url)
        monkeypatch.setenv("VENDORKIT_BUDGET_DIR", str(tmp_path / "budget"))
        (tmp_path / "ca.pem").write_text(running.server.ca_pem, encoding="ascii")
        monkeypatch.setenv("HARBOUR_CA_FILE", str(tmp_path / "ca.pem"))
        register(Harbour)
        yield running
        del CLIENTS["harbour"]


@pytest.fixture
def harbour(server):
    """A client of the fourth vendor."""
    return vk.connect("harbour")


def test_frame_has_all_pages_and_declared_dtypes(harbour, server):
    """Three pages of a JSON list; ids keep their zeros, undeclared members follow."""
    frame = harbour.ships.query().frame()
    assert list(frame.columns) == COLUMNS
    assert frame["id"].tolist() == [ship["id"] for ship in SHIPS]
    assert frame["length"].tolist() == [ship["lengthM"] for ship in SHIPS]
    assert [path.rpartition("=")[2] for path in server.paths] == ["1", "2", "3"]
    assert list(harbour.ships.query(flag="FR").frame().columns) == COLUMNS[:3]
    assert frame.attrs["vendorkit"]["vendor"] == "harbour"


def test_limit_requests_only_the_pages_it_needs(harbour, server):
    """One for 100 rows, two for 101."""
    assert len(harbour.ships.query().frame(limit=100)) == 100
    assert len(server.paths) == 1
    assert len(harbour.ships.query().frame(limit=101)) == 101
    assert len(server.paths) == 3


def test_records_and_batches_and_one_record(harbour):
    """As the vendor sends them."""
    query = harbour.ships.query(flag=["BE"])
    assert list(query.records()) == [ship for ship in SHIPS if ship["flag"] == "BE"]
    assert sum(batch.num_rows for batch in query.batches()) == 84
    assert harbour.ships.get("0007") == SHIPS[7]
    with pytest.raises(NotFound):
        harbour.ships.get("9999")


def test_count_says_that_the_vendor_does_not_count(harbour):
    """The vendor has no total, and says so by its paging's default."""
    with pytest.raises(UsageError, match="does not report how many ships match"):
        harbour.ships.query().count()
    with pytest.raises(UsageError, match="does not report how many ships match"):
        harbour.ships.query().plan()


def test_request_panel_asks_and_fetches(harbour, server):
    """Its filter, the table, the exchange without the token, and the same as code."""
    panel = vk.panel(harbour)
    panel.form.conditions.add("flag", "NO, NL")
    button(panel, "Send").click()
    panel.join()
    assert set(panel.frame["flag"]) == {'"NO"', '"NL"'}
    assert "harbour" in panel.snippet()
    assert "Bearer ***" in html_of(exchange_of(panel))
    assert server.token not in everything(panel)
    button(panel, "Count").click()
    panel.join()
    assert "does not report how many ships match" in panel.static_html()


def test_browser_lists_turns_pages_and_opens_records(harbour):
    """From the list of resources to a page, to the next one, to one ship."""
    panel = vk.browse(harbour)
    assert panel.response.links == {"ships": "/v1/ships"}
    panel.follow("ships")
    panel.join()
    assert len(panel.frame) == 100
    panel.turn(1)
    panel.join()
    assert panel.response.address.url == "/v1/ships?page=2"
    assert panel.resource == SHIPS[100:200]
    panel.open_record(7)
    panel.join()
    assert panel.response.address.url == "/v1/ships/0107"
    assert panel.resource == SHIPS[107]
    assert panel.frame["length"].tolist() == [127.5]
    panel.go("/v1/ships?page=3&flag=BE&flag=NL&flag=NO")
    panel.join()
    assert len(panel.frame) == 50
    assert button(panel, "Next page").disabled
    panel.go("/v1/other")
    panel.join()
    assert "NotFound" in panel.static_html()


def test_connect_panel_offers_it(server):
    """Its label, its environments, no country; a test call, and its settings by name."""
    panel = vk.connect_panel("harbour")
    assert labelled(panel, "Vendor").label == "Harbour"
    assert labelled(panel, "Environment").options == ("local", "production")
    assert labelled(panel, "Country").layout.display == "none"
    panel.start()
    panel.join()
    assert panel.client.vendor_name == "harbour"
    assert "The credentials are accepted." in panel.static_html()
    assert "HARBOUR_TOKEN" in panel.static_html()
    assert server.token not in everything(panel)


def test_doctor_examines_it(server):
    """Next to the others, which are not configured here."""
    found = {one.vendor: one for one in doctor.checkups()}
    checks = {finding.check: finding for finding in found["harbour"].findings}
    assert found["harbour"].fine, checks
    assert set(checks) == {"settings", "host", "CA file", "test call", "TLS", "clock", "rate budget"}
    assert "HARBOUR_TOKEN (environment)" in checks["settings"].said
    assert "of 60 requests" in checks["rate budget"].said
    assert any(line.startswith("Harbour (production)") for line in doctor.report([found["harbour"]]))


def test_saved_dataset_is_the_frame(harbour, tmp_path):
    """It loads without the vendor; the vendor reports no changes, so that it is not updated."""
    query = harbour.ships.query()
    query.save(tmp_path / "ships")
    pd.testing.assert_frame_equal(vk.load(tmp_path / "ships"), query.frame(), check_like=True)
    with pytest.raises(UsageError, match="does not report which ships changed"):
        query.update(tmp_path / "ships")


def test_settings_are_named_when_they_are_missing(server, vendors, monkeypatch):
    """And a wrong token is refused by the vendor."""
    monkeypatch.setenv("HARBOUR_TOKEN", "made-up-wrong-token")
    with pytest.raises(CredentialsRefused):
        vk.connect("harbour").ping()
    monkeypatch.delenv("HARBOUR_TOKEN")
    with pytest.raises(SettingsError, match="HARBOUR_TOKEN"):
        vk.connect("harbour")
    with pytest.raises(UsageError, match="No mock server 'harbour'"):
        vk.connect("harbour", environment="local")


def test_client_is_not_pickled_and_a_worker_connects_again(harbour):
    """By the vendor's name; the token is looked up there."""
    with pytest.raises(UsageError):
        pickle.dumps(harbour)
    assert pickle.loads(pickle.dumps(harbour.reopen()))().ships.get("0001") == SHIPS[1]  # noqa: S301 - our own


def test_vendorkit_lines_repeat_the_frame(harbour):
    """What the panel shows as code."""
    query = harbour.ships.query(flag="NO")
    names: dict[str, object] = {}
    exec(query.snippet("vendorkit"), names)  # noqa: S102 - what a user would run
    pd.testing.assert_frame_equal(names["frame"], query.frame())


@pytest.mark.parametrize("language", ["curl", "python", "requests"])
def test_snippets_are_programs_that_get_the_first_page(harbour, server, tmp_path, language):
    """The token comes from the environment of the program."""
    if language == "curl" and not shutil.which("curl"):
        pytest.skip("curl is not installed")
    script, authority = tmp_path / "snippet", tmp_path / "ca.pem"  # the one of the fixture
    script.write_text(harbour.ships.query(flag="NL").snippet(language), encoding="utf-8")
    assert server.token not in script.read_text(encoding="utf-8")
    trust = dict.fromkeys(("CURL_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), str(authority))
    command = ["bash" if language == "curl" else sys.executable, str(script)]
    environment = {**os.environ, **trust, "PYTHONUTF8": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=True)
    shown = done.stdout.decode().removeprefix("200 ")
    assert json.loads(shown) == [ship for ship in SHIPS if ship["flag"] == "NL"]


def test_client_of_the_fourth_vendor_is_small_and_as_the_page_shows_it():
    """At most 80 lines, and the same ones as in the page for people who add a vendor."""
    source = Path(__file__).with_name("fourth_vendor.py").read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 80
    page = Path(__file__).parents[2] / "docs" / "adding-a-vendor.md"
    assert source.partition('"""\n\n')[2] in page.read_text(encoding="utf-8")


def test_no_room_above_the_vendors_knows_one_of_them():
    """Vendors answer for themselves: panels, tools, doctor and the command line name no vendor and no client class."""
    package = Path(vk.__file__).parent
    rooms = [package / name for name in ("panels", "tools", "saved", "pull")]
    files = [path for room in rooms for path in room.rglob("*.py")]
    files += [package / name for name in ("doctor.py", "cli.py", "query.py", "resource.py", "ask.py")]
    for path in files:
        code = _code_of(path)
        names = [(kind.vendor_name, kind.__name__, *kind.setting_names) for kind in CLIENTS.values()]
        assert not [name for one in names for name in one if name in code], path


def _code_of(path: Path) -> str:
    """The code of a file without comments and docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node, clean=False):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)
