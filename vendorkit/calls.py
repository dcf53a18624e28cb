"""A call of a public function with arguments that it does not take is one `UsageError`, which names the right ones."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from functools import wraps
from inspect import isfunction, signature
from typing import Any, TypeVar, cast

from vendorkit.errors import UsageError

C = TypeVar("C", bound=Callable[..., Any])


def checked(kind: C) -> C:
    """Make wrong arguments of a function, or of a class's public methods, a `UsageError` that names the right ones."""
    if isfunction(kind):
        return cast("C", _checked(kind))
    for name, method in list(vars(kind).items()):
        if not name.startswith("_") and isfunction(method):
            setattr(kind, name, _checked(method))
    return kind


def _checked(function: Callable[..., Any]) -> Callable[..., Any]:
    takes = signature(function)

    @wraps(function)
    def call(*given: Any, **named: Any) -> Any:
        try:
            takes.bind(*given, **named)
        except TypeError as exc:
            what = f"{function.__name__}(): {exc}."
        else:
            return function(*given, **named)
        known = [name for name in takes.parameters if name != "self"]
        near = [one for name in named if name not in known for one in get_close_matches(name, known, n=1)]
        raise UsageError(what, remedy=f"Did you mean {near[0]}?" if near else f"Its arguments: {', '.join(known)}.")

    return call
