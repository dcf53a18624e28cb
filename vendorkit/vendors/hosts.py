"""The hosts of a vendor: its environments, and the one that a client connects to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from vendorkit.http.call import Policy
from vendorkit.http.proxy import DIRECT, Route
from vendorkit.http.tls import Trust
from vendorkit.resource import Source


@dataclass(frozen=True)
class Environment:
    """
    One of a vendor's environments.

    Attributes:
        base_url: Scheme, host and port.
        rates: The vendor's rate limits as pairs (requests, seconds).
        origins: Other hosts of the vendor, by name.
    """

    base_url: str
    rates: tuple[tuple[int, float], ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Endpoint:
    """
    The host that a client connects to.

    Attributes:
        environment: The name of the environment.
        base_url, rates, origins: As in `Environment`.
        trust: The certificate authorities that may sign the host's certificate.
        route: The proxy to use, if any.
        remarks: Deviations from the vendor's defaults, by subject: "host", "credentials", "CA file", "proxy".
        reopen: Given a policy, returns a picklable function that connects to the same host from another process. None
            if other processes cannot connect.
    """

    environment: str
    base_url: str
    trust: Trust
    rates: tuple[tuple[int, float], ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)
    route: Route = DIRECT
    remarks: Mapping[str, str] = field(default_factory=dict)
    reopen: Callable[[Policy], Callable[[], Source]] | None = field(default=None, repr=False)
