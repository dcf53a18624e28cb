"""Socket reads and writes that end with the call, and threads for operations that cannot be interrupted."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from vendorkit.auth.interrupts import from_outside
from vendorkit.deadline import SLICE_S, Deadline, current_deadline, wait_until

_PART_BYTES: Final = 1 << 16  # the socket's timeout is for one part


class BoundedSocket(ssl.SSLSocket):
    """
    A TLS socket whose reads and writes end at the deadline of the call, not only when the peer is silent.

    requests' timeout starts again with every byte, so that a trickling response outlives it, in the headers as well as
    in the body. Here each read and each write waits in short slices, and checks the deadline in between.
    """

    _failure: OSError | None = None  # an error to raise at the next read, after the bytes received before it
    _has_ended = False

    @property
    def has_rest(self) -> bool:
        """Whether data or an end has arrived that belongs to no response: the next one would begin with it."""
        return self._has_ended or self._failure is not None or self.pending() > 0

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        """Read into *buffer* as `ssl.SSLSocket` does; `TimeoutError` if the peer is silent for the socket's timeout."""
        if self._failure is not None:
            raise self._failure
        return self._in_slices(lambda: self._recv(buffer, nbytes, flags))

    def send(self, data: Any, flags: int = 0) -> int:
        """Write the first bytes of *data*; `TimeoutError` if the peer accepts none for the socket's timeout."""
        part = memoryview(data)[:_PART_BYTES]
        return self._in_slices(lambda: ssl.SSLSocket.send(self, part, flags))

    def _in_slices(self, operate: Callable[[], int]) -> int:
        """Return what *operate* returns. It is called again after each slice of the socket's timeout."""
        deadline, silence_s = current_deadline() or Deadline(float("inf")), self.gettimeout()
        quiet_until = time.monotonic() + (float("inf") if silence_s is None else silence_s)
        try:
            while True:
                # Its errors pass through urllib3 unchanged, whereas a TimeoutError would count as the server's.
                deadline.check()
                remaining_s = quiet_until - time.monotonic()
                if remaining_s <= 0:
                    message = "the server neither sent nor accepted anything until the timeout"
                    raise TimeoutError(message)
                self.settimeout(min(remaining_s, deadline.remaining_s() + 0.01, SLICE_S))
                try:
                    return operate()
                except TimeoutError as exc:
                    if from_outside(exc) is not None:
                        raise
        finally:
            self.settimeout(silence_s)

    def _recv(self, buffer: Any, nbytes: int | None, flags: int) -> int:
        size = super().recv_into(buffer, nbytes, flags)
        return size + self._recv_available(memoryview(buffer)[size : nbytes or None]) if size else 0

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
                self._has_ended = True
                break
            total += size
        return total

    def leave(self) -> None:
        """Close this process's copy of the socket without notifying the peer."""
        self._real_close()  # type: ignore[attr-defined]  # close() would wait for the files that read from it


def done_in_thread(work: Callable[[], None], total_s: float = float("inf")) -> bool:
    """
    Do *work* in a thread, which is abandoned after *total_s*, and when the current call ends.

    Return False if no thread can be started, as in a container with a process limit.
    """
    worker = threading.Thread(target=work, name="vendorkit-connect", daemon=True)
    try:
        worker.start()
    except RuntimeError as exc:
        if from_outside(exc) is not None:
            raise
        return False
    except KeyError as exc:  # Thread.start() fails so if an exception from outside interrupts it
        raise exc.__context__ or exc from None

    def has_ended(seconds: float) -> bool:
        worker.join(seconds)
        return not worker.is_alive()

    wait_until(has_ended, total_s)
    return True
