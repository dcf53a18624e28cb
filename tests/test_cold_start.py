"""The first `connect` of a program starts the mock server while it imports the client. Nothing else does."""

import json
import subprocess
import sys

import pytest

CODE = """
import json, threading
from vendorkit.local.server import address_file
began = []
shared = address_file.shared_servers

def recorded(country="be"):
    began.append(threading.current_thread() is threading.main_thread())
    return shared(country)

address_file.shared_servers = recorded
import vendorkit as vk
vk.connect
before = len(began)
try:
    {call}
except vk.errors.VendorkitError:
    pass
print(json.dumps([before, began]))
"""


def run(call):
    done = subprocess.run(
        [sys.executable, "-c", CODE.replace("{call}", call)], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_mock_server_starts_before_the_client_is_imported_in_another_thread():
    """Both slow steps run at once; accessing the name `connect` starts nothing."""
    before, began = run("vk.connect('medipim', environment='LOCAL').brands.query().frame()")
    assert before == 0
    assert began == [False]


def test_a_second_connect_starts_nothing_more():
    """The client is already imported."""
    _, began = run(
        "vk.connect('medipim', environment='local'); began.clear(); vk.connect('pledg', environment='local')"
    )
    assert began == []


@pytest.mark.parametrize(
    "call", ["vk.connect('medipim', environment='sandbox')", "vk.connect('medpim', environment='local')"]
)
def test_nothing_is_started_without_need(call):
    """A real environment and a misspelt vendor start no mock server."""
    assert run(call) == [0, []]
