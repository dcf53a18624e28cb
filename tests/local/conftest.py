"""Mock servers that several test files share."""

from __future__ import annotations

import ssl

import httpx
import pytest

from vendorkit import local


@pytest.fixture(scope="session")
def pledg(tmp_path_factory):
    """Run the Pledg mock server; `ca_path` is the file of its CA."""
    with local.start(vendors=("pledg",)) as servers:
        yield with_ca_path(servers["pledg"], tmp_path_factory)


@pytest.fixture(scope="session")
def medipim(tmp_path_factory):
    """Run a small Medipim mock server; `ca_path` is the file of its CA."""
    with local.start(vendors=("medipim",), products=500) as servers:
        yield with_ca_path(servers["medipim"], tmp_path_factory)


@pytest.fixture
def pledg_client(pledg):
    """Return an httpx client of Pledg without credentials."""
    pledg._control("reset")
    with client_of(pledg) as opened:
        yield opened


@pytest.fixture
def medipim_client(medipim):
    """Return an httpx client of Medipim with the right credentials."""
    pair = (medipim.credentials["MEDIPIM_API_KEY_ID"], medipim.credentials["MEDIPIM_API_KEY_SECRET"])
    medipim._control("reset")
    with client_of(medipim, auth=pair) as opened:
        yield opened


@pytest.fixture
def ask_token(pledg, pledg_client):
    """Return a function that asks for a token as the vendor's page says, after changes to the request."""
    pair = (pledg.credentials["PLEDG_API_KEY"], pledg.credentials["PLEDG_API_SECRET"])

    def ask(**changes) -> httpx.Response:
        request = {"auth": pair, "data": {"grant_type": "client_credentials"}} | changes
        return pledg_client.post("/api/token", **request)

    return ask


@pytest.fixture(scope="session")
def open_client():
    """Return the function that makes an httpx client of a mock server."""
    return client_of


def with_ca_path(vendor, tmp_path_factory):
    """Return *vendor* after writing its CA to a file."""
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    path.write_text(vendor.ca_pem)
    vendor.ca_path = str(path)
    return vendor


def client_of(vendor, **options) -> httpx.Client:
    """Return an httpx client that trusts the vendor's CA and nothing else."""
    context = ssl.create_default_context(cadata=vendor.ca_pem)
    return httpx.Client(base_url=vendor.base_url, verify=context, trust_env=False, **options)
