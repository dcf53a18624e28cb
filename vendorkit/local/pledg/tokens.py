"""Pledg's access tokens (OAuth2 client credentials, RFC 6749 4.4) and dashboard credentials."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from vendorkit.local.pledg import signing as pledg_signing
from vendorkit.local.pledg.schedule import TERMS
from vendorkit.local.server.authenticate import basic_pair, same
from vendorkit.local.server.settings import Settings


class Tokens:
    """Issues and checks tokens. None is stored: each contains its time of expiry, and is signed."""

    def __init__(self, settings: Settings, base_url: Callable[[], str], credentials: Mapping[str, str]) -> None:
        self._settings, self._base_url = settings, base_url
        self._client = credentials["PLEDG_API_KEY"], credentials["PLEDG_API_SECRET"]
        self._dashboard = credentials["PLEDG_DASHBOARD_EMAIL"], credentials["PLEDG_DASHBOARD_PASSWORD"]
        self._signing_key = secrets.token_hex(32)

    async def issue(self, request: Request) -> Response:
        """Answer POST /api/token. Refusals have the form of RFC 6749 5.2; the vendor's is not known."""
        if not _is(self._client, basic_pair(request.headers.get("authorization", ""))):
            headers = {"WWW-Authenticate": 'Basic realm="Pledg API"'}
            return JSONResponse({"error": "invalid_client"}, 401, headers)
        form = parse_qs((await request.body()).decode("utf-8", "replace"), keep_blank_values=True)
        if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return JSONResponse({"error": "invalid_request"}, 400)
        if form.get("grant_type") != ["client_credentials"]:
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        # RFC 6749 5.1: an answer with a token must not be cached.
        response = self._answer()
        response.headers["Cache-Control"] = "no-store"
        return response

    def _answer(self) -> Response:
        """Return the token, in the form of the switch `token_answer`."""
        variant = self._settings.token_answer
        if variant == "html":
            return HTMLResponse("<!DOCTYPE html><title>Pledg</title><p>Please log in.</p>")
        if variant == "redirect":
            elsewhere = self._base_url().replace("127.0.0.1", "localhost")
            return RedirectResponse(f"{elsewhere}/api/token", 307)
        lifetime_s = self._settings.token_lifetime_s
        whole: float = int(lifetime_s) if lifetime_s == int(lifetime_s) else lifetime_s
        answer: dict[str, Any] = {"access_token": self._token(), "token_type": "Bearer", "expires_in": whole}
        for name, value in TERMS["token_answers"].get(variant, {}).items():
            answer[name] = value.format(whole=whole, more=lifetime_s + 0.5) if isinstance(value, str) else value
        if variant == "missing":
            del answer["expires_in"]
        return JSONResponse([answer] if variant == "list" else answer)

    def _token(self) -> str:
        claims = {
            "sub": self._client[0],
            "exp": time.time() + self._settings.token_lifetime_s,
            "jti": secrets.token_hex(8),
            "expirations": self._settings.expirations,
        }
        return pledg_signing.jwt(claims, self._signing_key)

    def check(self, request: Request, *, basic: bool = True) -> None:
        """Raise 401 unless the request has a valid token, or, if *basic*, the dashboard's credentials."""
        header = request.headers.get("authorization", "")
        scheme, _, token = header.partition(" ")
        reason = "The Authorization header is missing or wrong."
        if basic and _is(self._dashboard, basic_pair(header)):
            return
        if scheme.lower() == "bearer":
            try:
                claims = pledg_signing.read_jwt(token.strip(), self._signing_key)
            except ValueError:
                reason = "The access token is wrong or has expired."
            else:
                if claims["expirations"] == self._settings.expirations:
                    return
                reason = "The access token has expired."
        raise HTTPException(401, reason)


def _is(expected: tuple[str, str], pair: tuple[str, str] | None) -> bool:
    return pair is not None and same(pair[0], expected[0]) & same(pair[1], expected[1])
