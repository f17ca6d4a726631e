"""DOLFINx and PETSc, from the Linux wheel or from conda: whichever is installed.

The wheel ``dolfinx-solver-real`` brings DOLFINx with a PETSc of its own and must be imported
before both; ``fenics-dolfinx`` of conda-forge, and DOLFINx built from source, need nothing first.
All other modules ask here, so none of them has to know which one there is.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from rheobase._errors import InputError

#: The series of DOLFINx whose C interface the package's compiled forms follow.
SERIES = "0.11"
_MEND = (
    "install the wheel dolfinx-solver-real (pip), or fenics-dolfinx with a real-valued PETSc "
    "(conda-forge); 'rheobase doctor' says what is there"
)


@cache
def petsc() -> Any:
    """Return `petsc4py.PETSc` with real numbers.

    Raises
    ------
    InputError
        If there is no PETSc, it does not load, or its numbers are complex.
    """
    _order_libraries()
    import numpy as np

    try:
        from petsc4py import PETSc
    except (ImportError, RuntimeError) as error:  # mpi4py raises the latter where MPI is missing
        raise _broken("PETSc", error) from error
    if np.dtype(PETSc.ScalarType).kind != "f":
        raise InputError(f"PETSc computes with complex numbers, real ones are needed: {_MEND}")
    return PETSc


@cache
def dolfinx() -> Any:
    """Return `dolfinx`.

    Raises
    ------
    InputError
        If there is no DOLFINx, it does not load, or it is of another series than `SERIES`.
    """
    petsc()
    try:
        import dolfinx
    except (ImportError, RuntimeError) as error:
        raise _broken("DOLFINx", error) from error
    if dolfinx.__version__.split(".")[:2] != SERIES.split("."):
        raise InputError(f"DOLFINx {SERIES} is needed, found {dolfinx.__version__}: {_MEND}")
    return dolfinx


def _order_libraries() -> None:
    """Load the libraries of the wheel in its order, if it is the wheel that is installed."""
    try:
        import dolfinx_solver  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "dolfinx_solver":
            raise _broken("DOLFINx", error) from error
    except (ImportError, RuntimeError) as error:
        raise _broken("DOLFINx", error) from error


def _broken(what: str, error: Exception) -> InputError:
    """Return the error of a library that does not load; reasons of several lines give the first."""
    return InputError(f"{what} does not load ({str(error).partition('\n')[0]}): {_MEND}")
