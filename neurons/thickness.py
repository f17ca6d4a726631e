"""What the thickness of the cortex does to recruitment.

People differ in cortical thickness, and images measure it within some tenths of a millimetre. Here
the white surface is moved along the columns, the pia stays, and the cells are placed anew: in
thinner cortex their somata lie nearer to the pia, their axons leave through a nearer border, and
cells of a smaller thickness class take the places of larger ones (`rheobase.neurons.placement`).
The places and draws are the same for all thicknesses, so that differences are not those of a draw.
The field is left as it is: the conductivities of a head do not move with this border.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rheobase._errors import InputError, check_option
from rheobase._progress import track
from rheobase.fields.basis import as_numbers
from rheobase.meshes.cortex.sheet import CorticalSheet, sheet_from_pairs
from rheobase.neurons.activation import thresholds
from rheobase.neurons.morphology import Floats
from rheobase.neurons.placement import place_in_sheet
from rheobase.neurons.recruitment import POLARITIES, Recruitment


def with_thickness(sheet: CorticalSheet, factor: ArrayLike) -> CorticalSheet:
    """Return a sheet whose columns are ``factor`` times as thick, from the same pia.

    Parameters
    ----------
    sheet
        The cortex, n columns.
    factor
        Of the thickness, > 0, one or one for each column.

    Raises
    ------
    InputError
        If a factor is not > 0 or their number is another.
    """
    f = as_numbers(factor, "factors of the thickness")
    if f.shape not in {(), (len(sheet),)} or not (np.isfinite(f) & (f > 0)).all():
        raise InputError(
            f"expected one factor > 0, or one for each of {len(sheet)} columns, got shape {f.shape}"
        )
    white = sheet.pial + np.broadcast_to(f, (len(sheet),))[:, None] * (sheet.white - sheet.pial)
    return sheet_from_pairs(sheet.pial, white, sheet.triangles)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ThicknessEffect:
    """Recruitment in cortices of several thicknesses.

    Parameters
    ----------
    factors
        Of the thickness, ascending, shape (q,).
    recruitments
        Thresholds at each of them.
    thickness
        Mean thickness of the columns used at factor 1 (m).
    """

    factors: Floats
    recruitments: tuple[Recruitment, ...]
    thickness: float

    def share(
        self,
        factor: ArrayLike,
        amplitude: float,
        *,
        by: Sequence[str] = ("type", "layer"),
        polarity: str = "plus",
    ) -> dict[tuple[str, ...], Floats]:
        """Return the share of each group that fires, for thicknesses drawn from a distribution.

        Parameters
        ----------
        factor
            Thicknesses over that of the sheet, shape (s,), within ``factors``.
        amplitude
            Of the stimulus (its unit), >= 0.
        by
            Labels that form the groups.
        polarity
            Of the stimulus as given ("plus") or reversed ("minus").

        Returns
        -------
        dict
            Share (0 … 1) by group, shape (s,): linear between the thicknesses that were computed.
            Its mean and quantiles are those of recruitment under the distribution.

        Raises
        ------
        InputError
            If a factor lies outside those computed, or the amplitude is < 0.
        """
        check_option("polarity", polarity, POLARITIES)
        f = np.atleast_1d(as_numbers(factor, "factors of the thickness"))
        if not ((f >= self.factors[0]) & (f <= self.factors[-1])).all():
            raise InputError(
                f"expected factors from {self.factors[0]:g} to {self.factors[-1]:g}, got "
                f"{f.min():g} to {f.max():g}: thickness"
            )
        found = [r.probability(amplitude, by=by).sel(polarity=polarity) for r in self.recruitments]
        keys = [
            tuple(str(v) for v in label)
            for label in zip(*(found[0][b].values for b in by), strict=True)
        ]
        known = np.stack([p.values[:, 0] for p in found])
        return {key: np.interp(f, self.factors, known[:, g]) for g, key in enumerate(keys)}


def thickness_effect(
    sheet: CorticalSheet,
    field: Any,
    *,
    factors: ArrayLike,
    waveform: Any,
    species: str,
    counts: Mapping[str, int],
    seed: int,
    weights: ArrayLike | None = None,
    centre: ArrayLike | None = None,
    radius: float | None = None,
    area: str | None = None,
    clones: int = 4,
) -> ThicknessEffect:
    """Return thresholds of cells in a cortex of several thicknesses.

    Parameters
    ----------
    sheet
        The cortex.
    field, waveform, weights
        As for `rheobase.neurons.thresholds`.
    factors
        Of the thickness, > 0, at least two different ones.
    species, counts, seed, centre, radius, area, clones
        As for `rheobase.neurons.place_in_sheet`; the ball chooses columns by their middles in the
        sheet as given, and these stay the same.

    Raises
    ------
    InputError
        As these functions do, or if factors are not > 0 or fewer than two.
    """
    q = np.unique(as_numbers(factors, "factors of the thickness"))
    if len(q) < 2 or not (np.isfinite(q) & (q > 0)).all():
        raise InputError(f"expected two factors > 0 or more, got {q.tolist()}: thickness")
    mask = np.ones(len(sheet), dtype=bool)
    if centre is not None:
        if radius is None or not radius > 0:
            raise InputError(f"radius must be > 0 m where a centre is given, got {radius!r}")
        away = sheet.points(0.5) - as_numbers(centre, "centre")
        mask = np.linalg.norm(away, axis=1) <= radius
    found = []
    for factor in track(q.tolist(), "thicknesses", total=len(q)):
        population = place_in_sheet(
            with_thickness(sheet, factor),
            species=species,
            counts=counts,
            seed=seed,
            mask=mask,
            area=area,
            clones=clones,
        )
        found.append(thresholds(population, field, waveform=waveform, weights=weights))
    return ThicknessEffect(
        factors=q,
        recruitments=tuple(found),
        thickness=float(sheet.thickness[mask].mean()),
    )
