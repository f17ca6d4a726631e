"""The one error that is the user's to mend, and the checks that raise it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from math import isfinite
from numbers import Real


class InputError(ValueError):
    """Bad input from a person or a file: one sentence saying what was expected, what came, where.

    The command line prints the sentence alone and exits with status 2; every other exception is a
    defect and keeps its trace.
    """


def check_option(name: str, value: str, allowed: Iterable[str], *, where: str = "") -> str:
    """Return ``value`` when it is among ``allowed``, else raise with the nearest names.

    Parameters
    ----------
    name
        What is being chosen ("tissue", "head", "electrode position").
    value
        What was asked for.
    allowed
        The valid names.
    where
        The place in a file or call, appended to the message.

    Raises
    ------
    InputError
        If ``value`` is not among ``allowed``.

    Examples
    --------
    >>> check_option("tissue", "gray_matter", ["grey_matter", "csf"], where="study.toml")
    Traceback (most recent call last):
        ...
    rheobase._errors.InputError: unknown tissue 'gray_matter', nearest: grey_matter: study.toml
    """
    names = list(allowed)
    if value in names:
        return value
    folded = {n.casefold(): n for n in names}
    near = difflib.get_close_matches(value.casefold(), list(folded), n=3, cutoff=0.5)
    hint = (
        "nearest: " + ", ".join(folded[n] for n in near)
        if near
        else "allowed: " + ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    )
    raise InputError(f"unknown {name} {value!r}, {hint}" + (f": {where}" if where else ""))


def check_positive(name: str, value: float) -> None:
    """Raise `InputError` unless ``value`` is a finite number > 0; ``name`` is what it is called."""
    if not (isinstance(value, Real) and isfinite(value) and value > 0):
        raise InputError(f"{name} must be > 0, got {value!r}")


def check_seed(seed: int, *, where: str) -> None:
    """Raise `InputError` unless ``seed`` is >= 0."""
    if seed < 0:
        raise InputError(f"seed must be >= 0, got {seed}: {where}")
