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
        rates: The vendor's rate budget: pairs (requests, seconds).
        origins: Further hosts of the vendor, by name.
    """

    base_url: str
    rates: tuple[tuple[int, float], ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Endpoint:
    """
    The host that a client connects to.

    Attributes:
        environment, base_url: Its name; its scheme, host and port.
        trust: The certificate authorities that are accepted there.
        rates, origins: As in `Environment`.
        route: The proxy to go through, if any.
        remarks: What is not as the vendor has it, by its subject: "host", "credentials", "CA file", "proxy".
        reopen: From a policy to a picklable function that connects another process to the same host.
    """

    environment: str
    base_url: str
    trust: Trust
    rates: tuple[tuple[int, float], ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)
    route: Route = DIRECT
    remarks: Mapping[str, str] = field(default_factory=dict)
    reopen: Callable[[Policy], Callable[[], Source]] | None = field(default=None, repr=False)
