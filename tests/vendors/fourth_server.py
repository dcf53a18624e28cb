"""The mock server of the fourth vendor: 250 ships in JSON lists of 100, for one bearer token."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.https import JSON, RawServer, answer, raw_server

FLAGS = ("BE", "NL", "NO")
SHIPS = [
    {
        "id": f"{number:04}",
        "name": f"Étoile {number}",
        "lengthM": 20.5 + number,
        "newField": number,
        "flag": FLAGS[number % 3],
    }
    for number in range(250)
]
PER_PAGE = 100


@dataclass
class FourthServer:
    """A running server: its address, its token, and the paths that were requested."""

    server: RawServer
    token: str = field(default_factory=lambda: f"made-up-{secrets.token_hex(8)}", repr=False)
    paths: list[str] = field(default_factory=list)

    def reply(self, head: bytes) -> bytes:
        """Answer one request."""
        target = head.split(b" ", 2)[1].decode()
        self.paths.append(target)
        if f"authorization: bearer {self.token}\r\n".encode() not in head.lower() + b"\r\n":
            return answer(b'{"error": "unknown token"}', JSON, "WWW-Authenticate: Bearer", status="401 Unauthorized")
        found = self.find(urlsplit(target).path, parse_qs(urlsplit(target).query))
        if found is None:
            return answer(b'{"error": "no such ship"}', JSON, status="404 Not Found")
        return answer(json.dumps(found).encode(), JSON, f"Date: {formatdate(usegmt=True)}")

    def find(self, path: str, asked: dict[str, list[str]]) -> Any:
        """Return one page of ships, or one ship."""
        if one := re.fullmatch(r"/v1/ships/(\d+)", path):
            return next((ship for ship in SHIPS if ship["id"] == one[1]), None)
        ships = [ship for ship in SHIPS if ship["flag"] in asked.get("flag", FLAGS)]
        start = PER_PAGE * (int(asked.get("page", ["1"])[0]) - 1)
        return ships[start : start + PER_PAGE] if path == "/v1/ships" else None


@contextlib.contextmanager
def fourth_server() -> Iterator[FourthServer]:
    """Run the server."""
    running: list[FourthServer] = []
    with raw_server(lambda sock, head: sock.sendall(running[0].reply(head))) as server:
        running.append(FourthServer(server))
        yield running[0]
