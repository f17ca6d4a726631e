"""Which axons of a pathway a stimulus fires."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option
from rheobase.neurons.fibres.bends import node_bends, weighted
from rheobase.neurons.fibres.mrg import PERIOD
from rheobase.neurons.fibres.mrg_linear import NodeWeights, node_weights
from rheobase.neurons.fibres.mrg_stimulus import separate
from rheobase.neurons.fibres.mrg_thresholds import mrg_thresholds
from rheobase.neurons.morphology import Floats
from rheobase.neurons.pathways.placing import PlacedAxons
from rheobase.neurons.pathways.sampled import Fate, SampledAxons

if TYPE_CHECKING:
    import xarray as xr

Model = Literal["linear", "mrg"]
POLARITIES = ("as given", "reversed")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PathwayModel:
    """A pathway under a pulse: thresholds for any currents; see `pathway_model`.

    Parameters
    ----------
    sampled
        Potentials along the axons.
    stimulus
        Pulse width (s) or waveform.
    model
        "linear" or "mrg".
    weights
        Of the bends.
    driven
        Weighted bends at all nodes per unit of each source (1), shape (sides, N, nodes), 0 at nodes
        that are not judged; the second side, if any, is for a negative phase of the stimulus.
    """

    sampled: SampledAxons
    stimulus: Any
    model: Model
    weights: NodeWeights
    driven: Floats

    @property
    def name(self) -> str:
        """Name of the pathway."""
        return self.sampled.name

    @property
    def judged(self) -> NDArray[np.int64]:
        """Indices of the axons that have a threshold."""
        return self.sampled.judged

    def thresholds(self, patterns: ArrayLike) -> Floats:
        """Return the factor on each pattern at which each axon fires.

        Parameters
        ----------
        patterns
            Units of each source (A for a lead's contacts), shape (N,) or (k, N).

        Returns
        -------
        ndarray, shape (k, m)
            inf for an axon that does not fire, or has no threshold: see ``sampled.fate``.

        Raises
        ------
        InputError
            If the patterns are for another number of sources.
        """
        sources = self.driven.shape[1]
        try:
            p = np.atleast_2d(np.asarray(patterns, dtype=np.float64))
        except (TypeError, ValueError):
            p = np.empty(0)
        if p.ndim != 2 or p.shape[1] != sources or not np.isfinite(p).all():
            raise InputError(
                f"expected patterns of {sources} finite amounts, got {patterns!r}: pathway "
                f"{self.name!r}"
            )
        out = np.stack([self._linear(one) for one in p])
        if self.model == "mrg":
            for k, one in enumerate(p):
                self._full(one, out[k])
        return out

    def activation(self, pattern: ArrayLike, *, unit: str = "1") -> PathwayActivation:
        """Return what a pattern and its reverse fire, in factors (``unit``) of the pattern."""
        p = np.asarray(pattern, dtype=np.float64)
        return PathwayActivation(
            name=self.name,
            threshold=self.thresholds(np.stack([p, -p])),
            fate=self.sampled.fate,
            model=self.model,
            unit=unit,
        )

    def _linear(self, pattern: Floats) -> Floats:
        count = self.sampled.axons.nodes
        out = np.full(len(count), np.inf)
        some = count > 0
        if not some.any():
            return out
        start = np.cumsum(count) - count
        drive = pattern @ self.driven[0]
        if len(self.driven) > 1:
            drive = np.maximum(drive, pattern @ self.driven[1])
        top = np.maximum.reduceat(drive, start[some])
        with np.errstate(divide="ignore"):
            out[some] = 1.0 / np.maximum(top, 0.0)
        return out

    def _full(self, pattern: Floats, threshold: Floats) -> None:
        """Replace linear thresholds by those of the double-cable axon."""
        s = self.sampled
        judged = s.judged
        V = [pattern @ s.potential[:, a:b] for a, b in s.span[judged].tolist()]
        guess = np.where(np.isfinite(threshold[judged]), threshold[judged], 0.0)
        found = mrg_thresholds(s.axons.axon, V, self.stimulus, guess=guess)
        threshold[judged] = found.amplitude


def pathway_model(sampled: SampledAxons, stimulus: Any, model: Model = "linear") -> PathwayModel:
    """Return the thresholds of a pathway as a function of the currents.

    Parameters
    ----------
    sampled
        Potentials along the axons per unit of each source.
    stimulus
        Pulse width (s), or a waveform with times ``t`` (s) and values ``w`` (1).
    model
        "linear": weighted bends of the potential at the nodes, for any number of axons; "mrg": the
        double-cable axon, which needs axons placed with all compartments.

    Raises
    ------
    InputError
        If the model is unknown or needs compartments that were not placed.
    """
    check_option("model of the axons", model, get_args(Model))
    axons = sampled.axons
    if model == "mrg" and axons.period != PERIOD:
        raise InputError(
            "the double-cable axon needs all compartments, got nodes alone: "
            f"place_axons(…, compartments=True) for pathway {axons.name!r}"
        )
    weights = node_weights(axons.axon, stimulus)
    V = sampled.potential if axons.period == 1 else sampled.potential[:, _nodes(axons)]
    driven = np.zeros((len(weights.weights), *V.shape))
    node = np.cumsum(axons.nodes) - axons.nodes
    for k in sampled.judged.tolist():
        begin, end = (int(i) for i in sampled.span[k] - axons.first[k])
        a = int(node[k]) + begin // axons.period
        b = a + (end - begin - 1) // axons.period + 1
        bends = node_bends(V[:, a:b])
        for side, w in enumerate(weights.weights):
            driven[side, :, a + 1 : b - 1] = weighted(bends, w)[:, 1:-1] * (-1) ** side
    return PathwayModel(
        sampled=sampled, stimulus=stimulus, model=model, weights=weights, driven=driven
    )


def _nodes(axons: PlacedAxons) -> NDArray[np.int64]:
    """Return the indices of the points that are nodes."""
    own = np.arange(len(axons.points)) - np.repeat(axons.first[:-1], np.diff(axons.first))
    out: NDArray[np.int64] = np.flatnonzero(own % axons.period == 0)
    return out


def thresholds_over_time(sampled: SampledAxons, t: ArrayLike, potential: ArrayLike) -> Floats:
    """Return the thresholds of double-cable axons under potentials that change shape over time.

    Parameters
    ----------
    sampled
        Axons placed with all compartments, and their fate.
    t
        Times (s), shape (n,).
    potential
        Potential at all their points at each time (V per unit amplitude), shape (n, P): of
        dispersive tissue.

    Returns
    -------
    ndarray, shape (m,)
        inf for an axon that does not fire or has no threshold.

    Raises
    ------
    InputError
        If shapes do not fit or the axons are placed by their nodes alone.
    """
    axons = sampled.axons
    V = np.asarray(potential, dtype=np.float64)
    if axons.period != PERIOD or V.ndim != 2 or V.shape[1] != len(axons.points):
        raise InputError(
            f"expected potentials of shape (times, {len(axons.points)}) at all compartments, got "
            f"{V.shape} at {'compartments' if axons.period == PERIOD else 'nodes alone'}"
        )
    out = np.full(len(axons), np.inf)
    judged = sampled.judged
    if len(judged):
        keep = np.concatenate([np.arange(a, b) for a, b in sampled.span[judged].tolist()])
        courses, patterns = separate(t, V[:, keep])
        length = np.diff(sampled.span[judged], axis=1)[:, 0]
        parts = np.split(patterns, np.cumsum(length)[:-1], axis=1)
        out[judged] = mrg_thresholds(axons.axon, parts, courses).amplitude
    return out


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PathwayActivation:
    """Thresholds of the axons of a pathway for one stimulus and its reverse.

    Parameters
    ----------
    name
        Of the pathway.
    threshold
        Amplitude at which each axon fires, for the stimulus as given and reversed (``unit``),
        shape (2, m); inf where it does not, or has no threshold.
    fate
        `Fate` of each axon, shape (m,).
    model
        "linear" or "mrg".
    unit
        Of the amplitude.
    """

    name: str
    threshold: Floats
    fate: NDArray[np.int8]
    model: str
    unit: str

    def percent(self, amplitudes: ArrayLike) -> xr.DataArray:
        """Return the percentage of the judged axons that fire at each amplitude.

        Parameters
        ----------
        amplitudes
            Amplitudes (``unit``) >= 0, shape (a,).

        Returns
        -------
        DataArray, dims (polarity, amplitude)
            Percentage (0 … 100) of the axons that are whole or cut; NaN without any. Its attributes
            count the axons by fate, damaged ones among them.

        Raises
        ------
        InputError
            If an amplitude is negative.
        """
        import xarray as xr

        a = np.atleast_1d(np.asarray(amplitudes, dtype=np.float64))
        if not (a >= 0).all():
            raise InputError(f"amplitudes must be >= 0 {self.unit}, got {a.min():g}")
        known = np.sort(self.threshold[:, self.fate <= Fate.CUT], axis=1)
        share = np.full((2, len(a)), np.nan)
        if known.shape[1]:
            fired = np.stack([np.searchsorted(side, a, side="right") for side in known])
            share = 100.0 * fired / known.shape[1]
        return xr.DataArray(
            share,
            dims=("polarity", "amplitude"),
            coords={
                "polarity": list(POLARITIES),
                "amplitude": ("amplitude", a, {"units": self.unit}),
            },
            name="activated",
            attrs={"units": "%", "pathway": self.name, "model": self.model, **self.fates},
        )

    @property
    def fates(self) -> dict[str, int]:
        """Number of axons by fate."""
        return {f.name.lower(): int((self.fate == f).sum()) for f in Fate}
