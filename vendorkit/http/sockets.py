"""Socket reads that end with the call, and threads for operations that cannot be interrupted."""

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
    A TLS socket whose reads end at the deadline of the call, not only when the peer is silent.

    requests' timeout starts again with every byte, so that a trickling response outlives it, in the headers as well as
    in the body. Here each read waits in short slices, and checks the deadline in between.
    """

    _failure: OSError | None = None  # an error to raise at the next read, after the bytes received before it

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        """Read into *buffer* as `ssl.SSLSocket` does; `TimeoutError` if the peer is silent for the socket's timeout."""
        try:
            if self._failure is not None:
                raise self._failure
            return self._recv_bounded(buffer, nbytes, flags)
        except ssl.SSLEOFError:
            message = "the server disconnected without closing TLS"
        raise ConnectionAbortedError(message)

    def _recv_bounded(self, buffer: Any, nbytes: int | None, flags: int) -> int:
        deadline = current_deadline()
        if deadline is None:
            return super().recv_into(buffer, nbytes, flags)
        silence_s = self.gettimeout()
        quiet_until = time.monotonic() + (deadline.remaining_s() if silence_s is None else silence_s)
        try:
            while True:
                # Its errors pass through urllib3 unchanged, whereas a TimeoutError would count as the server's.
                deadline.check()
                remaining_s = quiet_until - time.monotonic()
                if remaining_s <= 0:
                    message = "the server sent nothing until the timeout"
                    raise TimeoutError(message)
                self.settimeout(min(remaining_s, deadline.remaining_s() + 0.01, SLICE_S))
                try:
                    size = super().recv_into(buffer, nbytes, flags)
                except TimeoutError as exc:
                    if from_outside(exc) is not None:
                        raise
                    continue
                return size + self._recv_available(memoryview(buffer)[size : nbytes or None]) if size else 0
        finally:
            self.settimeout(silence_s)

    def _recv_available(self, buffer: memoryview) -> int:
        """
        Read the data that has already arrived.

        TLS delivers 16 KiB per read, and passing that through http.client and urllib3 takes longer than decrypting it.
        """
        total = 0
        self.settimeout(0)
        while total < len(buffer):
            try:
                size = super().recv_into(buffer[total:])
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            except OSError as exc:
                if from_outside(exc) is not None:
                    raise
                self._failure = exc
                break
            if not size:
                break
            total += size
        return total

    def leave(self) -> None:
        """Close this process's copy of the socket without notifying the peer."""
        self._real_close()  # type: ignore[attr-defined]  # close() would wait for the files that read from it


def started(work: Callable[[], None]) -> threading.Thread | None:
    """Return a thread that does *work*; None if no thread can be started, as in a container with a process limit."""
    worker = threading.Thread(target=work, name="vendorkit-connect", daemon=True)
    try:
        worker.start()
    except RuntimeError as exc:
        if from_outside(exc) is not None:
            raise
        return None
    except KeyError as exc:  # Thread.start() fails so if an exception from outside interrupts it
        raise exc.__context__ or exc from None
    return worker
