"""Which cells a stimulus recruits: one threshold for each placement and polarity.

The drive is linear in amplitude, so there is no amplitude axis: the probability that a cell of a
group fires at amplitude a is the share of its placements with a threshold of at most a.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option
from rheobase._files import whole_file
from rheobase._netcdf import Variable, write_netcdf
from rheobase.neurons.morphology import Floats, Kind

if TYPE_CHECKING:
    import xarray as xr

POLARITIES = ("plus", "minus")
_KEYS = ("type", "cell_class", "layer", "species")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Recruitment:
    """Thresholds of n placements.

    Parameters
    ----------
    threshold
        Amplitude at which each placement fires, for the stimulus as given ("plus") and reversed
        ("minus"), in ``unit``, shape (2, n); inf where it cannot, NaN where it is not known (too
        much of the cell outside the mesh).
    site
        `Kind` of the compartment where the spike starts, -1 for none, shape (2, n).
    type, layer, species
        Labels, shape (n,) each.
    cell_class
        Class of each cell ("PYR", "PV", "SST", "VIP", "NGC"), shape (n,); None where not known.
    position, depth
        Soma (m), shape (n, 3), and its depth (0 pia … 1 white matter), shape (n,).
    outside
        Share of the cell's compartments outside the mesh, shape (n,).
    tissue
        Label of the tetrahedron around each soma, -1 where not known, shape (n,).
    unit
        Unit of one amplitude ("A", "A/s", "V/m").
    mode
        "cable", "af" or "spiking".
    error
        Mean relative error of the mode against full simulations of the type with such a pulse, of
        cells that the calibration has not seen, shape (n,); NaN where the pulse is outside the
        calibration, None where there is none. What 95 % of thresholds are within is in the notes.
    notes
        What limits the numbers: pulses or types outside the calibration, cells outside the mesh.
    """

    threshold: Floats
    site: NDArray[np.int8]
    type: NDArray[np.str_]
    layer: NDArray[np.str_]
    species: NDArray[np.str_]
    position: Floats
    depth: Floats
    outside: Floats
    tissue: NDArray[np.int32]
    unit: str
    mode: str
    error: Floats | None = None
    notes: tuple[str, ...] = ()
    cell_class: NDArray[np.str_] | None = None

    def __len__(self) -> int:
        """Return the number of placements."""
        return len(self.type)

    def groups(self, by: Sequence[str] = ("type", "layer")) -> dict[tuple[str, ...], NDArray[Any]]:
        """Return the placements of each group as index arrays, in order of first appearance.

        Raises
        ------
        InputError
            If a key is not one of "type", "cell_class", "layer", "species", or not known here.
        """
        if self.cell_class is None and "cell_class" in by:
            raise InputError(f"groups by class need classes, got none in mode {self.mode}")
        columns = [getattr(self, check_option("group key", key, _KEYS)) for key in by]
        out: dict[tuple[str, ...], list[int]] = {}
        for i, labels in enumerate(zip(*columns, strict=True)):
            out.setdefault(tuple(str(x) for x in labels), []).append(i)
        return {k: np.array(v) for k, v in out.items()}

    def shares(self, amplitudes: ArrayLike, by: Sequence[str] = ("type", "layer")) -> Floats:
        """Return the values of `probability`, shape (n_groups, 2, m), the groups as in `groups`.

        Raises
        ------
        InputError
            As `probability`.
        """
        a = np.atleast_1d(np.asarray(amplitudes, dtype=np.float64))
        if not (a >= 0).all():
            raise InputError(f"amplitudes must be >= 0 {self.unit}, got {a.min():g}")
        groups = self.groups(by)
        out = np.full((len(groups), 2, len(a)), np.nan)
        for g, members in enumerate(groups.values()):
            for k in range(2):
                known = np.sort(self.threshold[k, members])
                known = known[~np.isnan(known)]
                if len(known):
                    out[g, k] = np.searchsorted(known, a, side="right") / len(known)
        return out

    def levels(self, q: ArrayLike = 0.5, by: Sequence[str] = ("type", "layer")) -> Floats:
        """Return the values of `quantiles`, shape (n_groups, 2, m), the groups as in `groups`."""
        q = np.atleast_1d(np.asarray(q, dtype=np.float64))
        groups = self.groups(by)
        out = np.full((len(groups), 2, len(q)), np.nan)
        for g, members in enumerate(groups.values()):
            for k in range(2):
                known = self.threshold[k, members]
                known = known[~np.isnan(known)]
                if len(known):
                    out[g, k] = np.quantile(known, q, method="inverted_cdf")
        return out

    def probability(
        self, amplitudes: ArrayLike, by: Sequence[str] = ("type", "layer")
    ) -> xr.DataArray:
        """Return the share of each group that fires at each amplitude.

        Parameters
        ----------
        amplitudes
            Amplitudes (``unit``) >= 0, shape (m,); the reversed stimulus has its own polarity.
        by
            Labels that form the groups.

        Returns
        -------
        DataArray, dims (group, polarity, amplitude)
            Probability (0 … 1), rising with amplitude; the labels are coordinates of ``group``.
            Placements of unknown threshold are left out.

        Raises
        ------
        InputError
            If an amplitude is negative or a key unknown.
        """
        import xarray as xr

        a = np.atleast_1d(np.asarray(amplitudes, dtype=np.float64))
        groups = self.groups(by)
        labels = list(groups)
        return xr.DataArray(
            self.shares(a, by),
            dims=("group", "polarity", "amplitude"),
            coords={
                "group": ["/".join(label) for label in labels],
                "polarity": list(POLARITIES),
                "amplitude": ("amplitude", a, {"units": self.unit}),
                **{key: ("group", [label[i] for label in labels]) for i, key in enumerate(by)},
                "placements": ("group", [len(m) for m in groups.values()]),
            },
            name="probability",
            attrs={"units": "1", "long_name": "share of cells that fire", "mode": self.mode},
        )

    def quantiles(self, q: ArrayLike = 0.5, by: Sequence[str] = ("type", "layer")) -> xr.DataArray:
        """Return threshold quantiles of each group (``unit``), dims (group, polarity, quantile)."""
        import xarray as xr

        return xr.DataArray(
            self.levels(q, by),
            dims=("group", "polarity", "quantile"),
            coords={
                "group": ["/".join(label) for label in self.groups(by)],
                "polarity": list(POLARITIES),
                "quantile": np.atleast_1d(np.asarray(q, dtype=np.float64)),
            },
            name="threshold",
            attrs={"units": self.unit, "mode": self.mode},
        )

    def to_xarray(self) -> xr.Dataset:
        """Return everything as a labelled dataset, dims (polarity, placement, axis)."""
        import xarray as xr

        return xr.Dataset(*self._labelled())

    def _labelled(self) -> tuple[dict[str, Variable], dict[str, Variable], dict[str, Any]]:
        """Return variables, coordinates and attributes of the dataset."""
        kinds = {k.name.lower(): int(k) for k in Kind}
        known = self.cell_class
        error = {"units": "1", "long_name": "mean relative error of the calibration"}
        return (
            {
                "threshold": (
                    ("polarity", "placement"),
                    self.threshold,
                    {"units": self.unit, "long_name": "amplitude at which the cell fires"},
                ),
                "site": (
                    ("polarity", "placement"),
                    self.site,
                    {
                        "flag_values": list(kinds.values()),
                        "flag_meanings": " ".join(kinds),
                        "long_name": "where the spike starts, -1 for nowhere",
                    },
                ),
                "outside": (
                    "placement",
                    self.outside,
                    {"units": "1", "long_name": "share of the cell outside the mesh"},
                ),
                "tissue": ("placement", self.tissue, {"long_name": "tissue label at the soma"}),
                "position": (("placement", "axis"), self.position, {"units": "m"}),
            }
            | ({} if self.error is None else {"error": ("placement", self.error, error)}),
            {
                "polarity": ("polarity", list(POLARITIES)),
                "axis": ("axis", ["x", "y", "z"]),
                "type": ("placement", self.type),
                "layer": ("placement", self.layer),
                "species": ("placement", self.species),
                **({} if known is None else {"cell_class": ("placement", known)}),
                "depth": (
                    "placement",
                    self.depth,
                    {"units": "1", "long_name": "0 pia, 1 white matter"},
                ),
            },
            {"mode": self.mode, "notes": "; ".join(self.notes)},
        )

    def save(self, path: Path | str) -> None:
        """Write `to_xarray` as NetCDF; the file is whole or absent.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        variables, coords, attrs = self._labelled()
        with whole_file(path) as part:
            write_netcdf(part, variables, coords=coords, attrs=attrs)
