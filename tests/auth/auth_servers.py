"""Small servers for the tests of authentication, written without a look at the client's code."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import threading
from base64 import b64encode
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Seen:
    """One request as it came over the wire."""

    method: str
    target: str
    headers: Any
    body: bytes
    status: int = 0
    connection: int = 0

    @property
    def authorization(self):
        """The Authorization header, None where there was none."""
        return self.headers.get("Authorization")


class WebServer:
    """Serves `answer(seen) -> (status, [(name, value)], body)` on loopback, and keeps a log."""

    def __init__(self) -> None:  # noqa: C901 - contains the handler
        self.log: list[Seen] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # one packet an answer; Nagle's algorithm would delay the second

            def handle_one_request(self):
                try:
                    super().handle_one_request()
                except OSError:
                    self.close_connection = True

            def parse_request(self):
                good = super().parse_request()
                if good:
                    setattr(self, f"do_{self.command}", self.serve)
                return good

            def serve(self):
                if self.headers.get("Transfer-Encoding") == "chunked":
                    body = b""
                    while size := int(self.rfile.readline(), 16):
                        body += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                else:
                    body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                target = self.requestline.split(" ")[1]  # http.server shortens a leading "//"
                seen = Seen(self.command, target, self.headers, body, connection=self.client_address[1])
                outer.log.append(seen)
                status, headers, answer = outer.answer(seen)
                seen.status = status
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
                self.wfile.flush()

            def log_message(self, *args):
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 128
            daemon_threads = True

            def handle_error(self, request, client_address):  # a client that went away is no error of the test
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def answer(self, seen):
        """Return status, headers and body."""
        return 200, [], b"ok"

    def close(self):
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def statuses(self):
        """Return the statuses given so far, in order."""
        return [seen.status for seen in self.log]


HASHES = {
    "MD5": hashlib.md5,
    "SHA": hashlib.sha1,
    "SHA-256": hashlib.sha256,
    "SHA-512": hashlib.sha512,
    "SHA-512-256": lambda d: hashlib.new("sha512_256", d),
}
FIELD = re.compile(r'([a-z*]+)=(?:"((?:[^"\\]|\\.)*)"|([^", ]+))')


@dataclass
class Rules:
    """How a digest server behaves."""

    user: bytes = b"robot"
    password: bytes = b"made-up words"
    realm: str = "tests"
    algorithm: str | None = "MD5"
    qop: str | None = "auth"
    strict: bool = False  # nc must rise
    by_opaque: bool = False  # as Apache: it must rise over all nonces of one opaque, and a refusal repeats that
    stale: bool = True  # says stale=true where the nonce is not known any more
    uses: int = 0  # how often a nonce may be used; 0 for always
    nextnonce: bool = False
    extra: str = ""  # further parameters of the challenge
    cookie: bool = False  # the nonce is tied to a cookie
    raw_challenges: list[str] = field(default_factory=list)


class DigestServer(WebServer):
    """RFC 7616 from the server's side. Paths under /open need no credentials; /to?URL redirects after the check."""

    def __init__(self, **rules) -> None:
        self.rules = Rules(**rules)
        self.lock = threading.Lock()
        self.nonces: set[str] = set()
        self.used: dict[str, list[int]] = {}
        self.opaques: dict[str, str] = {}
        self.counts: dict[str, int] = {}
        self.forbidden_paths: set[str] = set()
        self.on_authorized = None
        super().__init__()

    def expire(self):
        """Forget all nonces."""
        with self.lock:
            self.nonces.clear()

    def answer(self, seen):
        """Check the digest, then serve."""
        if seen.target.startswith("/open"):
            return 200, [], b"open"
        with self.lock:
            verdict = self.check(seen)
            if verdict:
                return self.challenge(seen, stale=verdict == "stale")
        if self.on_authorized:
            self.on_authorized(seen)
        headers = []
        if self.rules.nextnonce:
            headers.append(("Authentication-Info", f'nextnonce="{self.new_nonce()}", qop=auth'))
        if seen.target.startswith("/to?"):
            return 302, [*headers, ("Location", seen.target[4:])], b""
        if seen.target.startswith("/307?"):
            return 307, [*headers, ("Location", seen.target[5:])], b""
        return 200, headers, seen.body or b"ok"

    def check(self, seen):
        """Return "" for a right request, else why not: "none", "stale", "replay", "wrong"."""
        text = seen.authorization
        if not text or not text.lower().startswith("digest "):
            return "none"
        given = {
            name: re.sub(r"\\(.)", r"\1", quoted) if quoted or not plain else plain
            for name, quoted, plain in FIELD.findall(text[7:])
        }
        rules, nonce = self.rules, given.get("nonce", "")
        if nonce not in self.nonces:
            return "stale" if rules.stale else "wrong"
        if given.get("uri") != seen.target or seen.target in self.forbidden_paths:
            return "wrong"
        if rules.cookie and f"session={nonce[:8]}" not in (seen.headers.get("Cookie") or ""):
            return "wrong"
        if given["response"] != self.expected(seen, given) or not self.user_fits(given):
            return "wrong"
        if rules.qop:
            count = int(given["nc"], 16)
            self.used.setdefault(nonce, []).append(count)
            counted = self.opaques[nonce] if rules.by_opaque else nonce
            if rules.strict and count <= self.counts[counted]:
                return "replay"
            self.counts[counted] = max(count, self.counts[counted])
            if rules.uses and len(self.used[nonce]) >= rules.uses:
                self.nonces.discard(nonce)
        return ""

    def user_fits(self, given):
        """Return whether the user is the right one, in clear or hashed."""
        if given.get("userhash") == "true":
            return given["username"] == self.hash(self.rules.user + b":" + self.rules.realm.encode())
        return given["username"].encode("latin-1") == self.rules.user

    def hash(self, data: bytes) -> str:
        """Return the hash that the algorithm names."""
        return HASHES[(self.rules.algorithm or "MD5").upper().removesuffix("-SESS")](data).hexdigest()

    def expected(self, seen, given):
        """Return the response that the right password gives."""
        rules = self.rules
        key = self.hash(b":".join([rules.user, rules.realm.encode("latin-1"), rules.password]))
        if (rules.algorithm or "").lower().endswith("-sess"):
            key = self.hash(f"{key}:{given['nonce']}:{given['cnonce']}".encode())
        request = self.hash(f"{seen.method}:{given['uri']}".encode())
        middle = f"{given['nc']}:{given['cnonce']}:{given['qop']}:" if rules.qop else ""
        return self.hash(f"{key}:{given['nonce']}:{middle}{request}".encode())

    def new_nonce(self, opaque=None):
        """Return a nonce that is known from now on, of a given opaque or of a new one."""
        nonce = secrets.token_hex(12)
        self.nonces.add(nonce)
        self.opaques[nonce] = opaque or f"o p,q {nonce}"
        self.counts[nonce] = self.counts[self.opaques[nonce]] = 0
        return nonce

    def challenge(self, seen, *, stale):
        """Return the 401 with a new nonce."""
        rules = self.rules
        sent = re.search(r'opaque="([^"]*)"', seen.authorization or "")
        nonce = self.new_nonce(sent[1] if sent and rules.by_opaque else None)
        realm = rules.realm.replace("\\", "\\\\").replace('"', '\\"')
        parts = [f'realm="{realm}"', f'nonce="{nonce}"', f'opaque="{self.opaques[nonce]}"']
        if rules.qop is not None:
            parts.append(f'qop="{rules.qop}"')
        if rules.algorithm:
            parts.append(f"algorithm={rules.algorithm}")
        if stale:
            parts.append("stale=true")
        text = "Digest " + ", ".join(parts) + rules.extra
        headers = [("WWW-Authenticate", raw) for raw in rules.raw_challenges] or [("WWW-Authenticate", text)]
        if rules.cookie:
            headers.append(("Set-Cookie", f"session={nonce[:8]}; Path=/"))
        return 401, headers, b"HTTP Digest: Access denied.\n"

    def challenges(self):
        """Return how many 401 were given."""
        return self.statuses().count(401)


class TokenServer(WebServer):
    """Gives tokens at /api/token for key "key" and secret "made-up", and serves the rest to who has the newest."""

    def __init__(self) -> None:
        self.expires_in: Any = 600
        self.token_answers: list[Any] = []  # (status, headers, body), used up first
        self.valid: str | None = None
        self.refuse_all = False
        self.delay = threading.Event()
        self.delay.set()
        super().__init__()

    def answer(self, seen):
        """Give a token, or check one."""
        if seen.target == "/api/token":
            self.delay.wait(10)
            if self.token_answers:
                return self.token_answers.pop(0)
            right = f"Basic {b64encode(b'key:made-up').decode()}"
            if seen.authorization != right or seen.body != b"grant_type=client_credentials":
                return (
                    401,
                    [],
                    json.dumps({"error": "invalid_client", "error_description": seen.authorization}).encode(),
                )
            self.valid = secrets.token_urlsafe(16)
            fields = {"access_token": self.valid, "token_type": "Bearer", "expires_in": self.expires_in}
            return 200, [("Content-Type", "application/json")], json.dumps(fields).encode()
        if self.refuse_all or seen.authorization != f"Bearer {self.valid}":
            return 401, [("WWW-Authenticate", "Bearer")], b"{}"
        return 200, [], b"{}"

    def token_requests(self):
        """Return the requests for a token."""
        return [seen for seen in self.log if seen.target == "/api/token"]


def walk(error: BaseException) -> str:
    """Return everything that a log of *error* could show: text, attributes, cause and context, all the way down."""
    seen: list[int] = []
    shown = []
    todo: list[BaseException | None] = [error]
    while todo:
        each = todo.pop()
        if each is None or id(each) in seen:
            continue
        seen.append(id(each))
        shown += [str(each), repr(each), repr(each.args), repr(vars(each)), repr(getattr(each, "object", ""))]
        todo += [each.__cause__, each.__context__]
    return "\n".join(shown)
