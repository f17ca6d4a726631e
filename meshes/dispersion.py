"""Dielectric dispersion of tissue: sums of Cole-Cole terms.

The complex relative permittivity at the angular frequency w is (Cole & Cole 1941,
doi:10.1063/1.1750906; sums of four terms for tissue: Gabriel, Lau & Gabriel 1996,
doi:10.1088/0031-9155/41/11/003)

    eps(w) = eps_inf + sum_n delta_n / (1 + (i w tau_n)^(1 - alpha_n)) + sigma / (i w eps_0)

and with it the conductivity sigma(f) = -w eps_0 Im eps and the permittivity eps_r(f) = Re eps.
The parameters and their sources: ``data/cole_cole.csv``.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError

EPS_0 = 8.8541878128e-12
"""Permittivity of the vacuum (F/m), CODATA 2018."""
TERMS = (1, 2, 3, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColeCole:
    """Cole-Cole parameters of one tissue.

    Parameters
    ----------
    eps_inf
        Relative permittivity at high frequency.
    sigma
        Ionic conductivity (S/m): the limit at 0 Hz.
    delta_eps, tau, alpha
        Strength, relaxation time (s) and broadening of each term, equally many.
    source, status, remark
        Where the parameters come from, how sure they are, and what to know of them.
    lowest, highest
        Frequencies (Hz) between which the parameters were fitted to measurements; those of Gabriel
        et al. 1996, 10 Hz to 100 GHz, unless given.

    Raises
    ------
    ValueError
        If the three lists differ in length or a value is out of range.
    """

    eps_inf: float
    sigma: float
    delta_eps: tuple[float, ...]
    tau: tuple[float, ...]
    alpha: tuple[float, ...]
    source: str
    status: str
    remark: str = ""
    lowest: float = 10.0
    highest: float = 100e9

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not len(self.delta_eps) == len(self.tau) == len(self.alpha):
            raise ValueError("delta_eps, tau and alpha must be equally long")
        positive = self.eps_inf >= 1 and self.sigma >= 0 and min(self.delta_eps, default=1) > 0
        if not (positive and min(self.tau) > 0 and all(0 <= a < 1 for a in self.alpha)):
            raise ValueError(f"Cole-Cole parameters out of range: {self}")

    def evaluate(self, frequency: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return conductivity and relative permittivity.

        Parameters
        ----------
        frequency
            Frequency (Hz), any shape; 0 gives the static limits. Outside ``lowest`` to ``highest``
            it extrapolates.

        Returns
        -------
        sigma : ndarray
            Conductivity (S/m), shape of ``frequency``.
        eps_r : ndarray
            Relative permittivity, same shape.

        Raises
        ------
        InputError
            If a frequency is negative or not finite.
        """
        f = np.asarray(frequency, dtype=np.float64)
        if not (np.isfinite(f).all() and (f >= 0).all()):
            raise InputError(f"expected frequencies >= 0 Hz, got {f.min():g} .. {f.max():g} Hz")
        omega = 2.0 * np.pi * f
        eps = np.full(f.shape, self.eps_inf, dtype=np.complex128)
        for delta, tau, alpha in zip(self.delta_eps, self.tau, self.alpha, strict=True):
            eps = eps + delta / (1.0 + (1j * omega * tau) ** (1.0 - alpha))
        return self.sigma - omega * EPS_0 * eps.imag, eps.real


@cache
def load_dispersions() -> dict[str, dict[str, ColeCole]]:
    """Return the shipped parameters by tissue and variant ("4-term", "3-term")."""
    text = files("rheobase.meshes").joinpath("data/cole_cole.csv").read_text(encoding="utf-8")
    found: dict[str, dict[str, ColeCole]] = {}
    for row in csv.DictReader(text.splitlines()):
        terms = [n for n in TERMS if row[f"delta_eps_{n}"]]
        found.setdefault(row["tissue"], {})[row["variant"]] = ColeCole(
            eps_inf=float(row["eps_inf"]),
            sigma=float(row["sigma_S_per_m"]),
            delta_eps=tuple(float(row[f"delta_eps_{n}"]) for n in terms),
            tau=tuple(float(row[f"tau_{n}_s"]) for n in terms),
            alpha=tuple(float(row[f"alpha_{n}"]) for n in terms),
            source=row["source"],
            status=row["status"],
            remark=row["remark"],
        )
    return found
