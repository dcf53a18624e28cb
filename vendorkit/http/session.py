"""
The HTTP policy of all vendors: deadlines, retries above authentication, redirects within the origin, typed errors.

Each attempt prepares its request again, so that it carries a fresh signature, token or nonce count. A retry below
authentication would repeat the old ones. Errors are raised outside the `except` block that caught them, because the
exceptions of requests and urllib3, and the frames in their tracebacks, hold the headers that were sent.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import distributions
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import requests
from requests.auth import AuthBase
from requests.cookies import RequestsCookieJar

from vendorkit.auth.flow import abandon, limit_cookies, origin_of, set_content
from vendorkit.auth.forks import PerProcess
from vendorkit.auth.interrupts import tolerated, without_traceback
from vendorkit.deadline import Deadline
from vendorkit.errors import OriginRefused, VendorkitError
from vendorkit.http import tls
from vendorkit.http.answers import ANSWER_LIMIT_BYTES, body_of, chunks, error_for, form_error
from vendorkit.http.budget import Budget, lanes_of
from vendorkit.http.call import Call, Policy
from vendorkit.http.exchanges import Body, Exchanges, body_notes, masked_request
from vendorkit.http.failures import Judge
from vendorkit.http.proxy import DIRECT, Route
from vendorkit.http.retries import retrying
from vendorkit.http.transport import Adapter
from vendorkit.settings import MASK, Redactor, refuse_pickling

# A checkout that was not installed has no version.
APP: Final = "vendorkit/" + next((found.version for found in distributions(name="vendorkit")), "0")
USER_AGENT: Final = f"{APP} (Python {platform.python_version()}; requests {requests.__version__})"
_REDIRECTS: Final = 3


class _Http(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None, because requests would read an address that it need not follow, with bare errors."""


class Session(PerProcess):
    """
    Sends calls to one vendor.

    Args:
        vendor: Name for messages, with the environment: "Medipim (sandbox)".
        base_url: Scheme, host and port that paths are relative to.
        schemes: Authentication schemes by name; "default" signs calls that name none.
        trust: The certificate authorities that may sign the vendor's certificate.
        redactor: Masks the credentials in messages and logs.
        rates: The vendor's rate limits: pairs (requests, seconds).
        budget_name: The name of a rate budget that all processes on this machine share; None for this session only.
        policy: Timeouts and retries.
        origins: Further origins of the vendor that links may lead to; None allows any https host, for files.
        route: The proxy to go through, if any.
        clean: Called with the path and the body of each response; returns the body without secrets.
        user_agent: The User-Agent header.

    Attributes:
        exchanges: The last HTTP exchanges, including those of authentication, with masked credentials.
    """

    def __init__(
        self,
        vendor: str,
        base_url: str,
        *,
        schemes: Mapping[str, AuthBase],
        trust: tls.Trust,
        redactor: Redactor,
        rates: tuple[tuple[int, float], ...] = (),
        budget_name: str | None = None,
        policy: Policy | None = None,
        origins: tuple[str, ...] | None = (),
        route: Route = DIRECT,
        clean: Callable[[str, bytes], bytes] | None = None,
        user_agent: str = USER_AGENT,
    ) -> None:
        self.vendor, self.base_url, self.schemes = vendor, base_url, dict(schemes)
        self.policy = policy = policy or Policy()
        self.redactor, self.budget = redactor, Budget(rates, budget_name)
        self.trust, self.route, self._clean = trust, route, clean
        self._judge = Judge(base_url, trust, route)
        self._http = _Http()
        self._http.trust_env = False  # no .netrc, which replaces a bearer token; no proxy or CA bundle
        self._http.headers.update({"User-Agent": user_agent, "Accept-Encoding": "gzip"})
        self._http.adapters.clear()
        allowed = None if origins is None else frozenset(origin_of(url) for url in (base_url, *origins))
        self._adapter = Adapter(allowed, trust, self.budget, policy, route)
        self.exchanges = self._adapter.exchanges = Exchanges(redactor)
        self._http.mount("https://", self._adapter)
        super().__init__()

    def begin(self) -> None:
        """Create a new cookie jar, because a jar has a lock."""
        self._http.cookies = RequestsCookieJar()

    def send(self, call: Call) -> requests.Response:
        """
        Send *call*, with the retries that the policy allows, and return the response with its whole body.

        The credentials in `response.request` are masked.

        Raises:
            VendorkitError: One of the classes in `vendorkit.errors`.
        """
        deadline = Deadline(self.policy.deadline_s)
        return retrying(call, self.policy, deadline)(self._attempt, call, deadline, stream=False)

    @contextmanager
    def stream(self, call: Call) -> Iterator[tuple[Iterator[bytes], Body]]:
        """
        Send *call* and yield an iterator of its decoded body in chunks, and the notes on it; 204 has no chunks.

        The call is retried only until the first byte arrives. A failure after that is raised.
        """
        deadline = Deadline(self.policy.stream_deadline_s)
        response = retrying(call, self.policy, deadline)(self._attempt, call, deadline, stream=True)
        try:
            yield self._guarded_chunks(response, self._request_label(call), deadline), body_notes(response)
        finally:
            # The garbage collector may run this in the middle of a read. The reader then refuses to be closed.
            with tolerated(RuntimeError):
                response.close()

    def send_once(self, request: requests.PreparedRequest) -> requests.Response:
        """Send a prepared token request once, and return the response whatever its status."""
        request_label = f"{self.vendor}: {request.method} {urlsplit(request.path_url).path}"
        outcome = self._judge.outcome(lambda: self._send_and_read(request), request_label)
        if isinstance(outcome, BaseException):
            raise outcome  # with its traceback, which callers search for an interruption
        return outcome

    def _send_and_read(self, request: requests.PreparedRequest) -> requests.Response:
        response = self._http.send(request, stream=True, allow_redirects=False)
        set_content(response, b"".join(chunks(response, limit=ANSWER_LIMIT_BYTES)))
        return response

    def prepare(self, call: Call) -> requests.PreparedRequest:
        """Return the request that would be sent, with masked credentials. Nothing is sent."""
        prepared = self._prepare(call, None)
        if call.scheme in self.schemes:
            prepared.headers["Authorization"] = MASK
        return prepared

    def absolute(self, url: str, found_at: str = "") -> str:
        """
        Return *url*, a path or a link that was *found_at* a URL of the vendor, as an absolute URL.

        Raises:
            OriginRefused: The URL is not valid, or leads to another origin.
        """
        # Links with blanks occur (Mediagenix, 2013 to 2016); they have to be quoted before they are signed.
        with tolerated(ValueError):  # its message would quote the vendor's text
            joined = urljoin(found_at or self.base_url + "/", url.strip().replace(" ", "%20"))
            self._adapter.check_origin(joined)
            return joined
        what = f"{self.vendor}: the path or link is not a valid address."
        raise OriginRefused(what, remedy="Check the path. If it is a link from the vendor, report it to the vendor.")

    def _attempt(self, call: Call, deadline: Deadline, *, stream: bool) -> requests.Response:
        label = self._request_label(call)
        with deadline.applied():
            outcome = self._judge.outcome(lambda: self._in_lane(call, label, deadline, stream=stream), label)
        if isinstance(outcome, BaseException):
            raise _failure(outcome, deadline)
        deadline.check()
        return outcome

    def _in_lane(self, call: Call, request_label: str, deadline: Deadline, *, stream: bool) -> requests.Response:
        # A stream leaves its lane once its headers have arrived: its reader may pause it and wait for another request.
        with lanes_of(origin_of(self.absolute(call.url))).enter(deadline):
            return self._exchange(call, request_label, stream=stream)

    def _exchange(self, call: Call, request_label: str, *, stream: bool) -> requests.Response:
        response = self._follow(call, request_label)
        self._keep_bodies(response)
        for one in (response, *response.history):
            one.request = masked_request(one.request)
        if stream and 200 <= response.status_code < 204:
            return response
        body = body_of(response)
        if self._clean is not None:
            body = self._clean(urlsplit(response.url).path, body)
        set_content(response, body)
        error = error_for(response, body, request_label, self.redactor)
        if error is None and call.accept != "any" and response.status_code != 204:
            error = form_error(body, call.accept, request_label, self.redactor)
        if error is not None:
            raise error
        return response

    def _keep_bodies(self, response: requests.Response) -> None:
        # Not in the adapter, which also sends the requests of authentication: their bodies hold tokens.
        if keep := self.exchanges.keep_bytes:
            sent, notes = response.request.body or b"", body_notes(response)
            notes.keep, notes.sent = keep, (sent.encode() if isinstance(sent, str) else bytes(sent))[:keep]

    def _follow(self, call: Call, request_label: str) -> requests.Response:
        """Send *call* once, and follow a few redirects of a GET within the vendor's origin."""
        for _ in range(_REDIRECTS + 1):
            auth = self.schemes.get(call.scheme) if call.scheme else None
            prepared = self._prepare(call, auth)
            try:
                response = self._http.send(prepared, stream=True, allow_redirects=False)
            except BaseException:
                abandon(prepared)
                raise
            if not response.is_redirect or call.method != "GET":
                return response
            response.close()
            # http.client decodes each byte as one character; those beyond ASCII may be UTF-8 or not.
            target = re.sub("[\x80-\xff]", lambda byte: f"%{ord(byte[0]):02X}", response.headers["Location"])
            try:
                call = replace(call, url=self.absolute(target, response.url), params={})
            except OriginRefused as exc:
                what = f"{request_label} was redirected to a refused address: {self.redactor.clean(exc.what)}"
                raise OriginRefused(what, remedy="Report it to the vendor.", status=response.status_code) from None
        what = f"{request_label} was redirected more than {_REDIRECTS} times."
        raise OriginRefused(what, remedy="Report it to the vendor.")

    def _prepare(self, call: Call, auth: AuthBase | None) -> requests.PreparedRequest:
        limit_cookies(self._http.cookies)
        media = {"json": "application/json", "xml": "application/xml", "any": "*/*"}[call.accept]
        request = requests.Request(
            call.method,
            self.absolute(call.url),
            params=dict(call.params),
            json=call.json,
            headers={"Accept": media},
            auth=auth,
        )
        return self._http.prepare_request(request)

    def _guarded_chunks(self, response: requests.Response, request_label: str, deadline: Deadline) -> Iterator[bytes]:
        body = chunks(response)
        while True:
            with deadline.applied():
                outcome = self._judge.outcome(lambda: next(body, None), request_label)
            if outcome is None:
                return
            if isinstance(outcome, BaseException):
                raise _failure(outcome, deadline)
            yield outcome

    def _request_label(self, call: Call) -> str:
        # Only the path: a query may carry a signature or personal data.
        path = urlsplit(self.absolute(call.url)).path or "/"
        return f"{self.vendor}: {call.method} {path[:300]}"

    def __repr__(self) -> str:
        return f"Session({self.vendor!r}, {self.base_url!r})"

    def __reduce__(self) -> Any:
        refuse_pickling("A session")


def _failure(outcome: BaseException, deadline: Deadline) -> BaseException:
    """Return *outcome* to raise; if the call has ended meanwhile, raise that instead."""
    without_traceback(outcome)  # it leads through frames of requests that hold the credentials
    if isinstance(outcome, VendorkitError):
        deadline.check()
    return outcome
