"""
`connect`, the entry point.

This module imports little. Importing the rest of a client takes about as long as starting a mock server, so that
`connect` does both at the same time.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Any, Literal, TypedDict, cast, overload

from vendorkit.errors import VendorkitError
from vendorkit.settings import LOCAL_VARIABLE, Secret, read_settings

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from vendorkit.http.call import Policy
    from vendorkit.vendors.client import Client
    from vendorkit.vendors.mediagenix.client import Mediagenix
    from vendorkit.vendors.medipim.client import Medipim
    from vendorkit.vendors.pledg.client import Pledg


class Options(TypedDict, total=False):
    """The keyword arguments of `connect`, for type checkers."""

    environment: str | None
    country: str | None
    writable: bool
    policy: Policy | None
    settings: Mapping[str, str | None] | None
    proxy: str | None


@overload
def connect(vendor: Literal["medipim"], **options: Unpack[Options]) -> Medipim: ...
@overload
def connect(vendor: Literal["pledg"], **options: Unpack[Options]) -> Pledg: ...
@overload
def connect(vendor: Literal["mediagenix"], **options: Unpack[Options]) -> Mediagenix: ...
@overload
def connect(vendor: str, **options: Unpack[Options]) -> Client: ...
def connect(
    vendor: Any = None,
    *positional: Any,
    environment: str | None = None,
    country: str | None = None,
    writable: bool = False,
    policy: Policy | None = None,
    settings: Mapping[str, str | None] | None = None,
    proxy: str | None = None,
    **unknown: Any,
) -> Client:
    """
    Return a client of *vendor*; nothing is sent yet.

    Args:
        vendor: "medipim", "pledg" or "mediagenix".
        environment: "local" for the bundled mock server, which starts on demand and needs no credentials, or an
            environment of the vendor. None: `<VENDOR>_ENVIRONMENT` from the environment or `.env`. If that is not set:
            "local", with a note on stderr.
        country: The country of Medipim's platform: be, fr, de, es, au or us. None: `MEDIPIM_COUNTRY`, else be.
        writable: Allow calls that may change data at the vendor.
        policy: Timeouts and retries.
        settings: Credentials and other settings by variable name, for example from a keyring, Colab's secrets or a
            vault. They replace the environment and `.env`, except for the proxy and the rate budget.
        proxy: URL of an HTTP proxy, "http://user:password@host:port"; "" for no proxy. None: `VENDORKIT_PROXY` from the
            environment or `.env`, else `HTTPS_PROXY` and `NO_PROXY` from the environment. Connections to this machine
            never use a proxy.
        positional: Not accepted.
        unknown: Not accepted; the error suggests the nearest argument.

    Raises:
        UsageError: The vendor, environment or country is unknown, or an argument is invalid.
        SettingsError: Settings are missing or malformed (the message names all of them), or a settings file would send
            credentials from another source to a host that it chooses.
    """
    # Secrets are wrapped before anything can fail, because a traceback may show local variables.
    wrapped_settings = None if settings is None else Secret(cast("str", settings))
    wrapped_proxy = None if proxy is None else Secret(proxy)
    settings = proxy = None
    unknown_names, has_positional = list(unknown), bool(positional)
    unknown.clear()
    positional = ()
    is_local = isinstance(environment, str) and environment.casefold() == "local"
    if is_local and "vendorkit.vendors.registry" not in sys.modules:
        with suppress(RuntimeError):  # no more threads can be started
            Thread(target=_start_mock, args=(vendor, country), daemon=True).start()
    from vendorkit.auth.interrupts import shielded  # noqa: PLC0415 - imported while the mock server starts
    from vendorkit.vendors.registry import open_client, refuse_call  # noqa: PLC0415

    if has_positional or unknown_names:
        refuse_call(unknown_names, Options.__optional_keys__)
    # `open_client` has credentials in local variables, which must not appear in a traceback.
    call = partial(open_client, vendor, environment, country, writable=writable, policy=policy)
    return shielded(partial(call, settings=wrapped_settings, proxy=wrapped_proxy))


def _start_mock(vendor: Any, country: Any) -> None:
    """Start the mock server that `open_client` will wait for. Invalid arguments are left to `open_client`."""
    with suppress(VendorkitError, ImportError, AttributeError):
        from vendorkit.local.server import address_file, process  # noqa: PLC0415 - the servers are an extra

        variable = f"{vendor.upper()}_COUNTRY"
        settings = read_settings((LOCAL_VARIABLE, variable), needed=False)
        if vendor.lower() in process.VENDORS and not settings.get(LOCAL_VARIABLE):
            address_file.shared_servers((country or settings.get(variable) or "be").lower())
