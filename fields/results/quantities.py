"""What a result holds: fields of a basis at given amplitudes, by the names labs know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.fields.basis import FieldBasis
from rheobase.fields.error import envelope_error, estimate_error
from rheobase.fields.interference import Carriers, carrier_max, envelope_max

Floats = NDArray[np.float64]
Quantities = Mapping[str, Floats]


def quantities_of(
    basis: FieldBasis, amplitudes: Sequence[float] | Floats, carriers: Carriers | None = None
) -> dict[str, Floats]:
    """Return what is written of a field, at the split nodes.

    Parameters
    ----------
    basis
        The field basis.
    amplitudes
        One for each source, in the unit of the basis, shape (k,).
    carriers
        Frequencies of the sources where they interfere; None where all go together.

    Returns
    -------
    dict
        Without carriers "E" (V/m), shape (n_split, 3); with them the largest modulation, peak to
        peak, "maxTI", and the largest amplitude of the carriers, "max_carrier" (V/m), (n_split,).
    """
    if carriers is None:
        return {"E": basis.combine(amplitudes)}
    fields = basis.amplitude_vector(amplitudes)[:, None, None] * basis.E
    return {"maxTI": envelope_max(fields, carriers), "max_carrier": carrier_max(fields, carriers)}


def errors_of(
    basis: FieldBasis, amplitudes: Sequence[float] | Floats, carriers: Carriers | None = None
) -> dict[str, Floats]:
    """Return the estimated errors of what `quantities_of` gives, at the split nodes.

    Parameters
    ----------
    basis, amplitudes, carriers
        As in `quantities_of`.

    Returns
    -------
    dict
        Without carriers that of "magnE", with them those of "maxTI" (`envelope_error`) and of
        "max_carrier" (root sum square of the fields'), each V/m, shape (n_split,); nothing for a
        basis without corrections.
    """
    if basis.correction is None:
        return {}
    if carriers is None:
        return {"magnE": estimate_error(basis, amplitudes)}
    errors = estimate_error(basis, np.diag(basis.amplitude_vector(amplitudes)))
    return {"maxTI": envelope_error(errors), "max_carrier": np.linalg.norm(errors, axis=0)}


def with_magnitudes(quantities: Quantities) -> dict[str, Floats]:
    """Return the quantities, each vector X followed by its length "magnX"."""
    out: dict[str, Floats] = {}
    for name, values in quantities.items():
        out[name] = values
        if values.ndim == 2:
            out[f"magn{name}"] = np.linalg.norm(values, axis=1)
    return out


def check_length(basis: FieldBasis, quantities: Quantities) -> None:
    """Check that each quantity has a number or a vector for each split node.

    Raises
    ------
    InputError
        If one has not.
    """
    n = len(basis.split_node)
    for name, values in quantities.items():
        if values.shape not in {(n,), (n, 3)}:
            raise InputError(
                f"expected {name} of shape ({n},) or ({n}, 3), one entry for each split node, got "
                f"{values.shape}"
            )
