"""
Forked child processes: the one place that knows "this is a child", and what starts anew there.

A forked child has copies of its parent's locks, some of them locked by threads that do not exist in the child, and of
connections whose other end expects the parent. State of that kind is set by `PerProcess.begin`, which runs again in
each child before its other code does. Systems without fork (Windows) have no such children.
"""

from __future__ import annotations

import os
from typing import Any
from weakref import WeakSet


class PerProcess:
    """Base of objects that hold connections, nonces, tokens, budgets or locks, which no two processes may share."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _living.add(self)

    def begin(self) -> None:
        """Set the state of one process anew; it may send nothing, and must not raise or wait."""
        raise NotImplementedError


_living: WeakSet[PerProcess] = WeakSet()
_process = object()


def this_process() -> object:
    """Return the mark of this process; a forked child has another one."""
    return _process


def _begin_anew() -> None:
    global _process  # noqa: PLW0603 - one mark per process
    _process = object()
    # Old values are kept until all locks are new, because some of them have finalizers that take a lock.
    inherited = [(one, dict(vars(one))) for one in list(_living)]
    for one, _ in inherited:
        one.begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
