"""Complex conductivity of tissues over frequency.

    kappa(f) = sigma(f) + i 2 pi f eps_0 eps_r(f)      (S/m)

from Cole-Cole parameters (`rheobase.meshes.dispersion`) or constants. The tissue formed around an
implanted lead is a tissue like others: give it constants, or the parameters of a known one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isfinite
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option, check_positive
from rheobase.meshes.dispersion import EPS_0, ColeCole
from rheobase.meshes.tissues import Tissue

Model = Literal["4-term", "3-term", "constant"]
MODELS = ("4-term", "3-term", "constant")


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """Conductivity (S/m) and relative permittivity that do not depend on frequency.

    Raises
    ------
    InputError
        If ``sigma`` is not > 0 or ``eps_r`` not >= 0 (0: a conductor alone).
    """

    sigma: float
    eps_r: float = 0.0

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_positive("sigma", self.sigma)
        if not (isfinite(self.eps_r) and self.eps_r >= 0):
            raise InputError(f"eps_r must be >= 0, got {self.eps_r!r}")

    @property
    def lowest(self) -> float:
        """Lowest frequency it holds for (Hz)."""
        return 0.0

    @property
    def highest(self) -> float:
        """Highest frequency it holds for (Hz)."""
        return inf

    def evaluate(self, frequency: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return conductivity (S/m) and relative permittivity at ``frequency`` (Hz)."""
        one = np.ones(np.shape(frequency))
        return self.sigma * one, self.eps_r * one


Dielectric = Constant | ColeCole


def dielectrics(
    tissues: Mapping[int, Tissue],
    model: Model = "4-term",
    given: Mapping[int | str, Dielectric] | None = None,
) -> dict[int, Dielectric]:
    """Return how each tissue conducts over frequency.

    Parameters
    ----------
    tissues
        The tissues by label.
    model
        "4-term", "3-term" (the Cole-Cole variant without the slowest dispersion, 4-term where a
        tissue has no other) or "constant" (quasi-static conductivity, no permittivity). A tissue
        without Cole-Cole parameters is "constant" in any case.
    given
        What is taken instead, by label or name of the tissue.

    Raises
    ------
    InputError
        If the model is unknown, a tissue in ``given`` is not there, or a tissue has neither.
    """
    check_option("dielectric model", model, MODELS)
    given = given or {}
    names = {t.name: label for label, t in tissues.items()}
    chosen: dict[int, Dielectric] = {}
    for key, value in given.items():
        if isinstance(key, int) and key not in tissues:
            raise InputError(
                f"expected one of the labels {sorted(tissues)}, got {key}: dielectrics"
            )
        chosen[key if isinstance(key, int) else names[check_option("tissue", key, names)]] = value
    for label, tissue in tissues.items():
        if label in chosen:
            continue
        known = tissue.dispersions if model != "constant" else {}
        if known:
            chosen[label] = known.get(model, next(iter(known.values())))
        else:
            chosen[label] = Constant(sigma=tissue.sigma)
    return chosen


def admittivity(
    dielectric: Dielectric, frequency: ArrayLike, where: str = "tissue"
) -> NDArray[np.complex128]:
    """Return the complex conductivity (S/m) at ``frequency`` (Hz), same shape.

    Raises
    ------
    InputError
        If a frequency lies outside the range of the tissue's model.

    Examples
    --------
    >>> complex(admittivity(Constant(sigma=0.2, eps_r=1e6), 1000.0)).imag.__round__(6)
    0.055633
    """
    f = np.asarray(frequency, dtype=np.float64)
    if not ((f >= dielectric.lowest) & (f <= dielectric.highest)).all():
        raise InputError(
            f"expected frequencies of {dielectric.lowest:g} .. {dielectric.highest:g} Hz, the "
            f"range of the tissue's model, got {f.min():g} .. {f.max():g} Hz: {where}"
        )
    sigma, eps_r = dielectric.evaluate(f)
    return np.asarray(sigma + 2j * np.pi * f * EPS_0 * eps_r)
