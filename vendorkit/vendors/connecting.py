"""
`connect`: the front door, which imports little.

The other modules of a client take about as long to import as the mock server to start. Both are done at once.
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
        environment: "local" for the bundled mock server, started on demand and needing no credentials, or one of the
            vendor's own. None: `<VENDOR>_ENVIRONMENT` from the environment or `.env`; without it "local", and a line
            on stderr says so.
        country: Medipim's platform: be, fr, de, es, au or us. None: `MEDIPIM_COUNTRY`, else be.
        writable: Allow calls that may change data at the vendor.
        policy: Timeouts and retries.
        settings: Credentials and other settings by the names of their variables, from a keyring, Colab's secrets or a
            vault: in place of the environment and `.env`, of which then only the proxy and the rate budget count.
        proxy: Address of an HTTP proxy: "http://user:password@host:port"; "" for none. None: `VENDORKIT_PROXY` from the
            environment or `.env`, else `HTTPS_PROXY` and `NO_PROXY` of the environment. Never for this machine itself.
        positional: Refused.
        unknown: Refused, with the nearest of the arguments above.

    Raises:
        UsageError: No such vendor, environment or country, or an argument that cannot be used.
        SettingsError: Settings are missing or malformed, all of them are named at once; or a settings file would
            redirect credentials of another source.
    """
    # Wrapped before anything can fail: tracebacks may show the locals.
    given = None if settings is None else Secret(cast("str", settings))
    argument = None if proxy is None else Secret(proxy)
    settings = proxy = None
    strange, extra = list(unknown), bool(positional)
    unknown.clear()
    positional = ()
    is_local = isinstance(environment, str) and environment.casefold() == "local"
    if is_local and "vendorkit.vendors.registry" not in sys.modules:
        with suppress(RuntimeError):  # no further thread can be started
            Thread(target=_start_mock, args=(vendor, country), daemon=True).start()
    from vendorkit.auth.interrupts import shielded  # noqa: PLC0415 - the mock server starts meanwhile
    from vendorkit.vendors.registry import open_client, refuse_call  # noqa: PLC0415

    if extra or strange:
        refuse_call(strange, Options.__optional_keys__)
    # The frames below hold credentials while they read them and make the client.
    return shielded(
        partial(
            open_client, vendor, environment, country, writable=writable, policy=policy, given=given, proxy=argument
        )
    )


def _start_mock(vendor: Any, country: Any) -> None:
    """Start the mock server that `open_client` will wait for; what is wrong with the arguments is raised there."""
    with suppress(VendorkitError, ImportError, AttributeError):
        from vendorkit.local.server import address_file, process  # noqa: PLC0415 - the servers are an extra

        variable = f"{vendor.upper()}_COUNTRY"
        found = read_settings((LOCAL_VARIABLE, variable), needed=False)
        if vendor.lower() in process.VENDORS and not found.get(LOCAL_VARIABLE):
            address_file.shared_servers((country or found.get(variable) or "be").lower())
