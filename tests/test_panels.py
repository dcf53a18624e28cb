"""The connect panel: plain methods that act, widgets that show, and never a secret in either."""

from __future__ import annotations

import html
import re
import threading
import time

import ipywidgets as widgets
import pandas as pd
import pytest

import vendorkit as vk
from tests.clicking import VIEW, below, button, cancel, everything, leaked
from vendorkit.panels import base
from vendorkit.panels.base import Worker
from vendorkit.panels.connect import Choice, check_connection, configured
from vendorkit.vendors.examine import settings_found
from vendorkit.vendors.registry import CLIENTS

MEANT = ("_ipython_display_", "_repr_mimebundle_", "close", "set_state")  # what panels do in their own way
# The setting that is made wrong, and what the vendor's own call says then.
WRONG = {
    "medipim": "MEDIPIM_API_KEY_SECRET",
    "pledg": "PLEDG_API_SECRET",
    "mediagenix": "MEDIAGENIX_ROBOT_PASSWORD",
}


@pytest.fixture
def panel(vendors):
    """A connect panel on the mock servers, with nothing left running."""
    made = vk.connect_panel()
    yield made
    made.join()


@pytest.mark.parametrize("vendor", CLIENTS)
def test_test_call_succeeds_and_leaves_a_client(panel, vendor):
    """One sentence of what came back, and a client for the next cell."""
    panel.choose(vendor=vendor)
    assert panel.client is None
    panel.start()
    panel.join()
    assert 'role="status"' in panel.static_html()
    assert "It took" in panel.static_html()
    assert panel.client.vendor_name == vendor
    assert panel.client.ping()


def test_panel_reads_environment_and_country_in_upper_and_lower_case(monkeypatch):
    """As connect() does: it showed mock data for settings that lead to the vendor."""
    monkeypatch.setenv("MEDIPIM_ENVIRONMENT", "PRODUCTION")
    monkeypatch.setenv("MEDIPIM_COUNTRY", "FR")
    assert configured("medipim") == Choice("medipim", "production", "fr")


@pytest.mark.parametrize("vendor", CLIENTS)
def test_check_connection_is_a_plain_function(vendors, vendor):
    """Values in, a client and what was found out, without any widget."""
    client, found = check_connection(Choice(vendor))
    assert client.vendor_name == vendor
    assert found.fine
    assert found.findings[0].said.endswith(" ms.")


@pytest.mark.parametrize(
    ("vendor", "said"), [("medipim", "300 brands"), ("pledg", "valid for 600 s"), ("mediagenix", "Realm Local Movida")]
)
def test_successful_test_call_reports_the_other_checks(panel, vendor, said):
    """Realm or lifetime of the token; the chain, the clock, the budget."""
    panel.choose(vendor=vendor)
    panel.start()
    panel.join()
    shown = panel.static_html()
    assert said in shown
    assert "the mock server ends in its own root" in shown
    assert "s of the vendor&#x27;s" in shown
    assert "The mock server has no limit." in shown
    assert ("approved roots" in shown) == (vendor == "mediagenix")


def row_of(panel, label):
    """The cells of a vendor's row."""
    line = next(line for line in re.findall("<tr>(.*?)</tr>", panel._overview.value) if f">{label}<" in line)
    return [html.unescape(re.sub("<[^>]+>", "", cell)) for cell in re.findall("<t[hd].*?</t[hd]>", line)]


def test_all_vendors_are_there_at_a_glance(panel, monkeypatch):
    """Mock or real, settings and their sources, host, proxy and budget before anything is sent; never a value."""
    monkeypatch.setenv("MEDIPIM_ENVIRONMENT", "sandbox")
    monkeypatch.setenv("MEDIPIM_API_KEY_ID", "made-up-key-id")
    monkeypatch.setenv("MEDIPIM_API_KEY_SECRET", "made-up-secret")
    monkeypatch.setenv("VENDORKIT_PROXY", "http://someone:made-up-password@proxy.example:3128")
    monkeypatch.setenv("MEDIAGENIX_ENVIRONMENT", next(iter(CLIENTS["mediagenix"].environments)))
    seen = vk.connect_panel()
    label, data, settings, host, proxy, chain, budget, call = row_of(seen, "Medipim")
    assert (label, data, call, chain) == ("Medipim", "real: sandbox", "not tested", "")
    assert settings == "from: environment"
    assert host.startswith("https://")
    assert "proxy.example" in proxy
    assert re.fullmatch(r"\d+ requests left", budget)
    assert row_of(seen, "Pledg")[1:5] == ["mock data", "from: provided by the mock server", "this machine", ""]
    assert "MEDIAGENIX_ROBOT_PASSWORD" in row_of(seen, "Mediagenix On-Demand")[2]
    assert "made-up" not in everything(seen)


@pytest.mark.parametrize("vendor", CLIENTS)
def test_each_vendor_has_a_button_of_its_own(panel, vendors, monkeypatch, vendor):
    """It tests the vendor as it is configured; the row has the verdict, good or bad."""
    label = CLIENTS[vendor].label
    button(panel, f"Test {label}").click()
    panel.join()
    row = row_of(panel, label)
    assert row[3] == "this machine"  # its port differs at each start, and would in a saved notebook
    assert row[5].startswith("✓ The chain of")
    assert "no limit" in row[6]
    assert row[7].startswith("✓ ")
    assert panel.client.vendor_name == vendor
    monkeypatch.setitem(vendors[vendor].credentials, WRONG[vendor], "made-up-wrong-secret")
    button(panel, f"Test {label}").click()
    panel.join()
    assert row_of(panel, label)[7].startswith("✗ ")
    assert all(row_of(panel, CLIENTS[other].label)[7] == "not tested" for other in CLIENTS if other != vendor)


def test_choosers_wait_for_the_call(panel, vendors):
    """What is shown belongs to what is chosen, so nothing else can be chosen meanwhile."""
    chooser = next(one for one in below(panel) if getattr(one, "description", "") == "Vendor")
    vendors["medipim"].set(latency_s=0.3)
    panel.start()
    assert chooser.disabled
    panel.join()
    assert not chooser.disabled


@pytest.mark.parametrize("vendor", CLIENTS)
def test_clicks_and_choosers_do_the_same(panel, vendor):
    """By hand as by method."""
    next(one for one in below(panel) if getattr(one, "description", "") == "Vendor").value = vendor
    button(panel, "Test call").click()
    panel.join()
    assert panel.client.vendor_name == vendor


@pytest.mark.parametrize("vendor", CLIENTS)
def test_missing_settings_are_named_before_and_after_the_call(panel, vendor, tmp_path):
    """Which are not set is shown at once; the call says so in one sentence, and where was looked."""
    environment = next(iter(vk.connect(vendor, environment="local").environments))
    panel.choose(vendor=vendor, environment=environment)
    assert WRONG[vendor] in repr(panel)
    assert "missing" in panel.static_html()
    panel.start()
    panel.join()
    shown = panel.static_html()
    assert "SettingsError" in shown
    assert str(tmp_path) in shown
    assert panel.client is None


def test_settings_found_says_where_and_never_what(vendors, monkeypatch, tmp_path):
    """A table of names: the environment, the file, or missing."""
    monkeypatch.setenv("MEDIPIM_API_KEY_ID", "made-up-key-id")
    (tmp_path / ".env").write_text("MEDIPIM_API_KEY_SECRET='made-up-secret'\n", encoding="utf-8")
    (tmp_path / ".env").chmod(0o600)
    found = settings_found("medipim", "sandbox").set_index("setting")
    assert found.loc["MEDIPIM_API_KEY_ID", "source"] == "environment"
    assert found.loc["MEDIPIM_API_KEY_SECRET", "source"].endswith(".env")
    assert "made-up" not in found.to_string()


def test_panel_with_a_broken_settings_file_can_still_be_shown(panel, tmp_path):
    """The line is named under the panel, and the panel's repr does not raise."""
    (tmp_path / ".env").write_text("MEDIPIM_API_KEY_ID\n", encoding="utf-8")
    (tmp_path / ".env").chmod(0o600)
    panel.choose(environment="sandbox")
    assert "Line 1" in panel.static_html()
    assert "Line 1" in repr(panel)
    assert VIEW in panel._repr_mimebundle_()


@pytest.mark.parametrize("vendor", CLIENTS)
def test_wrong_secret_is_one_sentence_of_cause_and_one_of_remedy(panel, vendors, monkeypatch, vendor):
    """And the wrong secret, which may be nearly right, is not shown either."""
    monkeypatch.setitem(vendors[vendor].credentials, WRONG[vendor], "made-up-wrong-secret")
    panel.choose(vendor=vendor)
    panel.start()
    panel.join()
    shown = panel.static_html()
    assert 'role="alert"' in shown
    assert re.search(r"<b>CredentialsRefused</b>: [^<]+\.<br>Check [^<]+\.</div>", shown)
    assert panel.client is None
    assert "made-up-wrong-secret" not in everything(panel)
    assert "vk-off" in button(panel, "Cancel")._dom_classes
    assert "vk-off" not in button(panel, "Test call")._dom_classes


def test_error_is_cleared_when_the_choice_changes(panel, vendors, monkeypatch):
    """What is shown belongs to what is chosen."""
    monkeypatch.setitem(vendors["medipim"].credentials, WRONG["medipim"], "made-up-wrong-secret")
    panel.start()
    panel.join()
    assert 'role="alert"' in panel.static_html()
    panel.choose(vendor="pledg")
    assert 'role="alert"' not in panel.static_html()


def test_second_start_while_busy_does_nothing(panel, vendors):
    """One test call, and not one a click."""
    vendors["medipim"].clear_log()
    vendors["medipim"].set(latency_s=0.3)
    panel.start()
    assert "vk-off" in button(panel, "Test call")._dom_classes
    panel.start()
    button(panel, "Test call").click()
    panel.join()
    assert vendors["medipim"].requests == 1
    assert panel.client is not None


@pytest.mark.parametrize("vendor", CLIENTS)
def test_cancel_ends_a_call_within_half_a_second(panel, vendors, vendor):
    """A vendor that is slow to answer does not hold the panel; it can be used again."""
    panel.choose(vendor=vendor)
    vendors[vendor].set(latency_s=5.0)
    panel.start()
    time.sleep(0.2)
    cancel(panel)
    assert panel.client is None
    vendors[vendor].set(latency_s=0.0)
    panel.start()
    panel.join()
    assert panel.client is not None


@pytest.mark.parametrize("vendor", CLIENTS)
def test_no_state_of_any_widget_holds_a_credential(panel, vendors, vendor):
    """Nor do the saved form, the HTML, the text; plain or in base64."""
    panel.choose(vendor=vendor)
    panel.start()
    panel.join()
    shown = everything(panel)
    assert "Test call" in shown
    assert not leaked(shown, vendors[vendor].credentials)


def test_panel_reads_as_widget_html_and_text(panel):
    """A notebook shows the widget, a page the table, a terminal one line."""
    bundle = panel._repr_mimebundle_()
    assert set(bundle) == {VIEW, "text/html", "text/plain"}
    assert bundle[VIEW] == {"version_major": 2, "version_minor": 0, "model_id": panel.model_id}
    assert "MEDIPIM_API_KEY_SECRET" in bundle["text/html"]
    assert bundle["text/plain"] == repr(panel)


@pytest.fixture
def put_out(monkeypatch):
    """What a panel puts out into the notebook: the bundle, and the name under which it can be renewed."""
    shown = []
    monkeypatch.setattr(base, "display", lambda data, raw, display_id=None: shown.append((display_id, data)))
    monkeypatch.setattr(base, "update_display", lambda data, raw, display_id: shown.append((display_id, data)))
    return shown


@pytest.mark.parametrize("version", [7, 8])
def test_panel_has_its_widgets_and_its_state_as_outputs(panel, put_out, monkeypatch, version):
    """As 7.7, which Colab ships, has no `_repr_mimebundle_`, and a method that would show only the widget."""
    from IPython.core.formatters import DisplayFormatter

    if version == 7:
        monkeypatch.delattr(widgets.Widget, "_repr_mimebundle_", raising=False)
        monkeypatch.setattr(widgets.Widget, "_ipython_display_", lambda self: 1 / 0, raising=False)
    assert DisplayFormatter().format(panel) == ({}, {})  # it has displayed itself
    (_, live), (name, still) = put_out
    assert live[VIEW]["model_id"] == panel.model_id
    assert "MEDIPIM_API_KEY_SECRET" in still["text/html"]
    assert still["text/plain"] == repr(panel)
    assert f".{name}{{display:none}}</style>" in panel.children[-1].value
    assert f'class="{name}"' in still["text/html"]


def test_closed_panel_is_still_shown_as_html(panel, put_out):
    """Its widgets are gone, also if it was on view before; closing it twice is no error."""
    panel._ipython_display_()
    panel.close()
    panel.close()
    put_out.clear()
    panel.choose(vendor="pledg")
    panel._ipython_display_()
    ((_, still),) = put_out
    assert set(still) == {"text/html", "text/plain"}
    assert "Pledg" in still["text/html"]


def test_saved_notebook_shows_the_last_result(panel, put_out):
    """The state for pages without widgets is updated after a click; nothing is before the panel is shown."""
    panel.start()
    panel.join()
    assert not put_out
    panel._ipython_display_()
    panel.start()
    panel.join()
    assert put_out[-1][0] == put_out[1][0]
    assert "It took" in put_out[-1][1]["text/html"]


def test_error_of_what_shows_the_result_is_shown_too():
    """Nothing else shows an error of a thread: what fails after the work is reported as the work's failure."""
    failed, busy = [], []

    def broken(result):
        message = "cannot show"
        raise ValueError(message)

    worker = Worker(broken, failed.append, busy.append)
    assert worker.start(lambda: 1)
    worker.join()
    assert isinstance(failed[0], ValueError)
    assert busy == [True, False]
    assert worker.start(lambda: 2)
    worker.join()


def test_worker_is_busy_until_it_says_it_is_not():
    """A start from the last message of the one before does not slip in between."""
    refused = []
    worker = Worker(lambda _: None, lambda _: None, lambda busy: None if busy else refused.append(worker.start(int)))
    assert worker.start(threading.Event)
    worker.join()
    assert refused == [False]


def test_join_waits_for_work_that_quick_work_started(monkeypatch):
    """Threads that start slowly but work quickly: the one that `join` knows of is always the last."""
    start, pauses, done, first = threading.Thread.start, iter((0, 0.3, 0)), [], threading.Event()

    def slow_start(thread):
        start(thread)
        time.sleep(next(pauses))

    def last():
        time.sleep(0.6)
        return 3

    worker = Worker(done.append, done.append, lambda _: None)
    monkeypatch.setattr("threading.Thread.start", slow_start)
    worker.start(lambda: first.wait(10) and 1)
    worker.start(lambda: 2, wait=True)
    worker.start(last, wait=True)
    first.set()
    worker.join()
    assert done == [1, 2, 3]


def test_callback_that_raises_shows_its_error_under_the_panel(panel, monkeypatch):
    """W01: on a real click, which says so nowhere else; the text of a foreign error may hold anything and stays out."""

    def broken(*_):
        message = "made-up-text"
        raise RuntimeError(message)

    monkeypatch.setattr("vendorkit.panels.connect.settings_found", broken)
    panel._environment.value = "sandbox"
    assert 'role="alert"' in panel.static_html()
    assert "RuntimeError" in panel.static_html()
    assert "made-up-text" not in panel.static_html()


def test_click_in_a_test_tells_its_error_by_the_status(panel, monkeypatch):
    """W02: `click()` itself never raises, so the status is what is looked at."""
    monkeypatch.setattr("vendorkit.panels.connect.check_connection", lambda _: 1 / 0)
    button(panel, "Test call").click()
    panel.join()
    assert "ZeroDivisionError" in panel.static_html()
    assert "vk-off" not in button(panel, "Test call")._dom_classes


def test_three_quick_clicks_are_one_piece_of_work(panel, vendors):
    """W03: they arrive one after the other, whatever is disabled meanwhile; all but the first find it busy."""
    vendors["medipim"].set(latency_s=0.3)
    vendors["medipim"].clear_log()
    for _ in range(3):
        button(panel, "Test call").click()
    panel.join()
    assert vendors["medipim"].requests == 1


@pytest.mark.parametrize("place", ["_show_busy", "start"])
def test_interrupt_in_a_callback_is_shown_and_leaves_the_panel_usable(panel, monkeypatch, place):
    """W04: the kernel's interrupt is no `Exception`; it may come before the work has begun: nothing stays locked."""

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        if place == "start":
            patched.setattr(threading.Thread, "start", interrupted)
        else:
            patched.setattr(panel._worker, "_on_busy", interrupted)
        button(panel, "Test call").click()
    assert "Interrupted." in panel.static_html()
    button(panel, "Test call").click()
    panel.join()
    assert panel.client is not None


def test_interrupt_while_a_cell_waits_for_the_panel_ends_its_work(panel, vendors, monkeypatch):
    """W05: a thread sees no interrupt, so the waiting tells it; it stops between pages and in waits."""
    vendors["medipim"].set(latency_s=5.0)
    panel.start()
    thread = panel._worker._thread

    def interrupted(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(thread, "join", interrupted)
        with pytest.raises(KeyboardInterrupt):
            panel.join()
    thread.join(1.0)
    assert not thread.is_alive()
    assert "Cancelled." in panel.static_html()


def test_cell_that_runs_again_makes_one_call_a_click(panel, vendors):
    """W06: each panel has its own widgets, so no handler is there twice."""
    again = vk.connect_panel()
    vendors["medipim"].clear_log()
    button(again, "Test call").click()
    again.join()
    assert vendors["medipim"].requests == 1
    assert panel.client is None


def test_panels_have_no_field_for_secrets(panel, medipim):
    """W07: what is typed into a `Password` is in the clear in a saved notebook."""
    for one in (panel, vk.panel(medipim)):
        assert not [widget for widget in below(one) if isinstance(widget, widgets.Password)]


def test_panels_write_into_widgets_and_not_to_the_output(panel, medipim):
    """W08: captured output is empty without a front end, and lost in threads; texts of widgets are there in both."""
    for one in (panel, vk.panel(medipim)):
        assert not [widget for widget in below(one) if isinstance(widget, widgets.Output)]


def test_cancel_ends_a_wait_that_the_vendor_asked_for(panel, vendors):
    """W14: within half a second, while Retry-After says to come back later."""
    vendors["medipim"].set(fail_next=["429"] * 3, retry_after="30")
    panel.start()
    time.sleep(0.3)
    cancel(panel)


def test_panels_take_no_name_that_a_widget_has(panel, medipim):
    """A `_send` of ours in place of the widget's own would keep its updates from the page."""
    shown = [panel, vk.panel(medipim), vk.table(pd.DataFrame({"a": [1]})), vk.browse(medipim)]
    ours = [one for made in shown for one in below(made) if type(one).__module__.startswith("vendorkit")]
    plain = type("Plain", (widgets.VBox,), {})
    known = {*dir(plain), *vars(plain())} - {*vars(plain), *MEANT}
    for one in ours:
        bases = [base for base in type(one).__mro__ if base.__module__.startswith("vendorkit")]
        taken = {name for base in bases for name in vars(base)} | (vars(one).keys() - vars(plain()).keys())
        assert not [name for name in taken & known if not name.startswith("__")], type(one)
    assert len(ours) > 5
