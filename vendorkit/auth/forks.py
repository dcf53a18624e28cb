"""
Detects forked child processes, and resets the state that they must not share with their parent.

A forked child has copies of its parent's locks, some of them locked by threads that do not exist in the child, and of
connections whose server expects the parent. `PerProcess.begin` creates such state, and runs again in each child before
any other code. Systems without fork (Windows) have no such children.
"""

from __future__ import annotations

import os
from typing import Any
from weakref import WeakSet


class PerProcess:
    """Base of objects with connections, nonces, tokens, budgets or locks, which two processes must not share."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _living.add(self)
        self.begin()

    def begin(self) -> None:
        """Create the state of this process. It must not send, raise or wait."""
        raise NotImplementedError


_living: WeakSet[PerProcess] = WeakSet()
_process = object()


def this_process() -> object:
    """Return an object that identifies this process; a forked child has another one."""
    return _process


def _begin_in_child() -> None:
    global _process  # noqa: PLW0603 - one identity per process
    _process = object()
    # The old values stay alive until all locks are new, because the finalizers of some of them take a lock.
    inherited = [(instance, dict(vars(instance))) for instance in list(_living)]
    for instance, _ in inherited:
        instance.begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_child)
