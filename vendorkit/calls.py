"""Makes a call of a public function with wrong arguments raise `UsageError` with the accepted names."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from functools import wraps
from inspect import isfunction, signature
from typing import Any, TypeVar, cast

from vendorkit.errors import UsageError

C = TypeVar("C", bound=Callable[..., Any])


def checked(kind: C) -> C:
    """Decorate a function, or the public methods of a class, so that wrong arguments raise `UsageError`."""
    if isfunction(kind):
        return cast("C", _checked(kind))
    for name, method in list(vars(kind).items()):
        if not name.startswith("_") and isfunction(method):
            setattr(kind, name, _checked(method))
    return kind


def _checked(function: Callable[..., Any]) -> Callable[..., Any]:
    expected = signature(function)

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            expected.bind(*args, **kwargs)
        except TypeError as exc:
            what = f"{function.__name__}(): {exc}."
        else:
            return function(*args, **kwargs)
        # The text of a parameter begins with its name, and with * or ** for any number of values.
        known = [str(one).partition(":")[0] for name, one in expected.parameters.items() if name != "self"] or ["none"]
        near = [match for name in kwargs if name not in known for match in get_close_matches(name, known, n=1)]
        raise UsageError(what, remedy=f"Did you mean {near[0]}?" if near else f"Its arguments: {', '.join(known)}.")

    return call
