"""PETSc's options of the package: defaults, what a person gave, what was left unused.

Options begin with ``-rheobase_`` in the environment variable ``PETSC_OPTIONS``: those of the
preconditioner (``-rheobase_pc_gamg_threshold .02``), and, where several ranks solve, of the
iteration and of the partitioner (``-rheobase_ksp_monitor``, ``-rheobase_mat_partitioning_type``).
``-rheobase_ksp_rtol`` is the largest true relative residual on any number of ranks.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rheobase._dolfinx import petsc
from rheobase._errors import InputError
from rheobase._ranks import active

PREFIX = "rheobase_"
_READ_AT_START = ("-no_signal_handler", "-options_left")


@contextmanager
def defaults(values: Mapping[str, str | float | int]) -> Iterator[None]:
    """Set options, without the prefix, that a person did not; take them back at the end.

    Raises
    ------
    InputError
        If PETSc does not take what a person gave.
    """
    PETSc = petsc()
    options = PETSc.Options()
    ours = [PREFIX + key for key in values if not options.hasName(PREFIX + key)]
    for key in ours:
        options[key] = values[key.removeprefix(PREFIX)]
    try:
        yield
    except PETSc.Error as error:
        if not given():
            raise
        raise InputError(
            f"PETSc does not take {' '.join(given())} ({_last_line(error)}): PETSC_OPTIONS"
        ) from error
    finally:
        for key in ours:
            options.delValue(key)


def real(key: str, otherwise: float) -> float:
    """Return a number that a person gave, or another one.

    Raises
    ------
    InputError
        If it is no number > 0.
    """
    if f"-{PREFIX}{key}" not in given():
        return otherwise
    PETSc = petsc()
    text = PETSc.Options().getString(PREFIX + key, "")
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise InputError(f"-{PREFIX}{key} must be between 0 and 1, got {text!r}: PETSC_OPTIONS")
    return value


def given() -> tuple[str, ...]:
    """Return the words of ``PETSC_OPTIONS`` that are the package's: options and their values."""
    words: list[str] = []
    ours = False
    for word in shlex.split(os.environ.get("PETSC_OPTIONS", "")):
        if word.startswith("-") and not word[1:2].isdigit():
            ours = word.startswith("-" + PREFIX)
        if ours:
            words.append(word)
    return tuple(words)


def unused() -> list[str]:
    """Return the options in ``PETSC_OPTIONS`` that nothing has asked for, the package's or not."""
    words = shlex.split(os.environ.get("PETSC_OPTIONS", ""))
    named = [w for w in words if w.startswith("-") and not w[1:2].isdigit()]
    if "petsc4py.PETSc" not in sys.modules:
        return [name for name in named if name not in _READ_AT_START]
    options = petsc().Options()
    return [n for n in named if n not in _READ_AT_START and not options.used(n[1:])]


def tell_unused() -> None:
    """Say on stderr, on rank 0, which options in ``PETSC_OPTIONS`` nothing has asked for."""
    names = unused()
    team = active()
    if names and (team is None or team.rank == 0):
        print(  # noqa: T201
            f"rheobase: nothing asked for {', '.join(names)}: PETSC_OPTIONS", file=sys.stderr
        )


def _last_line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].partition("]")[2].strip() or lines[-1] if lines else type(error).__name__
