"""Waiting for the other end: reads of a socket that end with the call, and a thread for what nothing else can end."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

from vendorkit.auth.interrupts import from_outside
from vendorkit.deadline import SLICE_S, current_deadline


class BoundedSocket(ssl.SSLSocket):
    """
    A TLS socket whose reads end with the call, not only with the silence of the peer.

    requests' timeout starts anew with every byte, so that a slow drip outlives it, in the headers as well as in the
    body. Here each read waits in slices, and looks in between.
    """

    _failure: OSError | None = None  # it came behind bytes that had to be handed over first

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        """Read into *buffer*, as `ssl.SSLSocket` does; `TimeoutError` after the socket's timeout of silence."""
        try:
            if self._failure is not None:
                raise self._failure
            return self._recv_bounded(buffer, nbytes, flags)
        except ssl.SSLEOFError:
            message = "the server left without closing the connection"
        raise ConnectionAbortedError(message)

    def _recv_bounded(self, buffer: Any, nbytes: int | None, flags: int) -> int:
        deadline = current_deadline()
        if deadline is None:
            return super().recv_into(buffer, nbytes, flags)
        silence_s = self.gettimeout()
        quiet_until = time.monotonic() + (deadline.left_s() if silence_s is None else silence_s)
        try:
            while True:
                # Its own TimeoutError would be taken for the server's; these pass through urllib3 as they are.
                deadline.check()
                left = quiet_until - time.monotonic()
                if left <= 0:
                    message = "the server fell silent"
                    raise TimeoutError(message)
                self.settimeout(min(left, deadline.left_s() + 0.01, SLICE_S))
                try:
                    got = super().recv_into(buffer, nbytes, flags)
                except TimeoutError as exc:
                    if from_outside(exc) is not None:
                        raise
                    continue
                return got + self._recv_at_hand(memoryview(buffer)[got : nbytes or None]) if got else 0
        finally:
            self.settimeout(silence_s)

    def _recv_at_hand(self, buffer: memoryview) -> int:
        """
        Read what has arrived already.

        TLS gives 16 KiB at a time, and the way from there through http.client and urllib3 takes longer than to decrypt
        them.
        """
        size = 0
        self.settimeout(0)
        while size < len(buffer):
            try:
                got = super().recv_into(buffer[size:])
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            except OSError as exc:
                if from_outside(exc) is not None:
                    raise
                self._failure = exc
                break
            if not got:
                break
            size += got
        return size

    def leave(self) -> None:
        """Close this process's copy of the socket; the other end hears nothing of it."""
        self._real_close()  # type: ignore[attr-defined]  # close() waits for the files that read from it


def started(work: Callable[[], None]) -> threading.Thread | None:
    """Return a thread that does *work*; None if the system gives none, as in a container with few processes."""
    worker = threading.Thread(target=work, name="vendorkit-connect", daemon=True)
    try:
        worker.start()
    except RuntimeError as exc:
        if from_outside(exc) is not None:
            raise
        return None
    except KeyError as exc:  # so Thread.start() fails where an exception from outside hits it
        raise exc.__context__ or exc from None
    return worker
