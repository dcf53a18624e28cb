"""The connect panel: plain methods that act, widgets that show, and never a secret in either."""

from __future__ import annotations

import base64
import json
import re
import threading
import time

import ipywidgets as widgets
import pytest
from ipywidgets.embed import embed_data

import vendorkit as vk
from vendorkit.doctor import settings_found
from vendorkit.panels.connect import Choice, check_connection
from vendorkit.panels.work import Worker

VIEW = "application/vnd.jupyter.widget-view+json"
VENDORS = ["medipim", "pledg", "mediagenix"]
SECRETS = ("SECRET", "PASSWORD", "KEY", "EMAIL", "USER")
# The setting that is made wrong, and what the vendor's own call says then.
WRONG = {
    "medipim": "MEDIPIM_API_KEY_SECRET",
    "pledg": "PLEDG_API_SECRET",
    "mediagenix": "MEDIAGENIX_ROBOT_PASSWORD",
}


@pytest.fixture
def panel(vendors):
    """A connect panel on the local vendors, with nothing left running."""
    made = vk.connect_panel()
    yield made
    made.join()


def below(widget: widgets.Widget) -> list[widgets.Widget]:
    """The widget and all inside it."""
    return [widget, *(one for child in getattr(widget, "children", ()) for one in below(child))]


def button(panel: widgets.Widget, description: str) -> widgets.Button:
    """The button with this text."""
    return next(one for one in below(panel) if getattr(one, "description", None) == description)


def everything(panel: widgets.Widget) -> str:
    """All that a front end or a file could get of the panel."""
    states = [one.get_state() for one in [*below(panel), *(w.layout for w in below(panel))]]
    saved = embed_data(views=[panel], drop_defaults=False)
    return "".join([repr(states), json.dumps(saved), repr(panel), json.dumps(panel._repr_mimebundle_())])


@pytest.mark.parametrize("vendor", VENDORS)
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


@pytest.mark.parametrize("vendor", VENDORS)
def test_check_connection_is_a_plain_function(vendors, vendor):
    """Values in, a client and what was found out, without any widget."""
    client, found = check_connection(Choice(vendor))
    assert client.vendor_name == vendor
    assert found.fine
    assert found.findings[0].said.endswith(" ms.")


@pytest.mark.parametrize(
    ("vendor", "said"), [("medipim", "300 brands"), ("pledg", "good for 600 s"), ("mediagenix", "Realm Local Movida")]
)
def test_success_says_what_else_was_seen(panel, vendor, said):
    """Realm or lifetime of the token; the chain, the clock, the budget."""
    panel.choose(vendor=vendor)
    panel.start()
    panel.join()
    shown = panel.static_html()
    assert said in shown
    assert "the local vendors&#x27; own root" in shown
    assert "s of the vendor&#x27;s" in shown
    assert "The local vendor has no limit." in shown
    assert ("approved roots" in shown) == (vendor == "mediagenix")


def test_choosers_wait_for_the_call(panel, vendors):
    """What is shown belongs to what is chosen, so nothing else can be chosen meanwhile."""
    chooser = next(one for one in below(panel) if getattr(one, "description", "") == "Vendor")
    vendors["medipim"].set(latency_s=0.3)
    panel.start()
    assert chooser.disabled
    panel.join()
    assert not chooser.disabled


@pytest.mark.parametrize("vendor", VENDORS)
def test_clicks_and_choosers_do_the_same(panel, vendor):
    """By hand as by method."""
    next(one for one in below(panel) if getattr(one, "description", "") == "Vendor").value = vendor
    button(panel, "Test call").click()
    panel.join()
    assert panel.client.vendor_name == vendor


@pytest.mark.parametrize("vendor", VENDORS)
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


@pytest.mark.parametrize("vendor", VENDORS)
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
    assert button(panel, "Cancel").disabled
    assert not button(panel, "Test call").disabled


def test_error_goes_when_something_else_is_chosen(panel, vendors, monkeypatch):
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
    assert button(panel, "Test call").disabled
    panel.start()
    button(panel, "Test call").click()
    panel.join()
    assert vendors["medipim"].requests == 1
    assert panel.client is not None


@pytest.mark.parametrize("vendor", VENDORS)
def test_cancel_ends_a_call_within_half_a_second(panel, vendors, vendor):
    """A vendor that is slow to answer does not hold the panel; it can be used again."""
    panel.choose(vendor=vendor)
    vendors[vendor].set(latency_s=5.0)
    panel.start()
    time.sleep(0.2)
    started = time.monotonic()
    button(panel, "Cancel").click()
    panel.join(4)
    assert time.monotonic() - started < 0.5 + 0.3  # the bound, and what a busy machine adds
    assert "Cancelled." in panel.static_html()
    assert panel.client is None
    vendors[vendor].set(latency_s=0.0)
    panel.start()
    panel.join()
    assert panel.client is not None


@pytest.mark.parametrize("vendor", VENDORS)
def test_no_state_of_any_widget_holds_a_credential(panel, vendors, vendor):
    """Nor do the saved form, the HTML, the text; plain or in base64."""
    panel.choose(vendor=vendor)
    panel.start()
    panel.join()
    shown = everything(panel)
    assert "Test call" in shown
    for name, value in vendors[vendor].credentials.items():
        if name.endswith(SECRETS):
            assert value not in shown
            assert base64.b64encode(value.encode()).decode().rstrip("=") not in shown


def test_panel_reads_as_widget_html_and_text(panel):
    """A notebook shows the widget, a page the table, a terminal one line."""
    bundle = panel._repr_mimebundle_()
    assert set(bundle) == {VIEW, "text/html", "text/plain"}
    assert bundle[VIEW] == {"version_major": 2, "version_minor": 0, "model_id": panel.model_id}
    assert "MEDIPIM_API_KEY_SECRET" in bundle["text/html"]
    assert bundle["text/plain"] == repr(panel)


def test_panel_is_shown_alike_by_ipywidgets_7(panel, monkeypatch):
    """7.7, which Colab ships, has no `_repr_mimebundle_`, and a method that would show the widget alone."""
    from IPython.core.formatters import DisplayFormatter

    shown = []

    def show_widget_alone(self):
        shown.append(self)

    monkeypatch.delattr(widgets.Widget, "_repr_mimebundle_")
    monkeypatch.setattr(widgets.Widget, "_ipython_display_", show_widget_alone, raising=False)
    formatter = DisplayFormatter()
    data, _ = formatter.format(panel)
    assert set(data) >= {VIEW, "text/html", "text/plain"}
    assert not shown
    assert formatter.format(widgets.HBox()) == ({}, {})
    assert len(shown) == 1


def test_error_of_what_shows_the_result_is_shown_too():
    """A thread has nobody above it: what fails after the work is reported as the work's failure."""
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
