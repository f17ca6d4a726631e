"""What is random: conductivities of tissues, places of electrodes, the pose of a coil, a lead.

Correlated inputs are joined by a Gaussian copula: the correlation is that of their normal scores,
the distribution of each stays as it is (Nelsen, An Introduction to Copulas, 2006,
doi:10.1007/0-387-28678-0). Samples are scrambled Sobol' points (Owen, J Complexity 14:466 (1998),
doi:10.1006/jcom.1998.0487) carried to the distributions by their quantiles.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral, Real
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option
from rheobase.fields.uncertainty.distributions import Distribution, distribution, of_quantity
from rheobase.meshes.head import Head

Floats = NDArray[np.float64]
ElectrodeAxis = Literal["front", "right", "turn"]
CoilAxis = Literal["x", "y", "z", "pitch", "roll", "turn"]
LeadAxis = Literal["x", "y", "z", "pitch", "roll", "turn"]

#: Samples reach no further out than this probability: the tails of no distribution are endless.
TAIL = 1e-6


@dataclass(frozen=True, kw_only=True)
class Conductivity:
    """The conductivity of a tissue (S/m; of one with tensors the scale of all of them).

    Parameters
    ----------
    tissue
        Name of the tissue.
    distribution
        Its distribution (S/m).

    Raises
    ------
    InputError
        If the distribution allows a conductivity <= 0.
    """

    tissue: str
    distribution: Distribution

    def __post_init__(self) -> None:
        """Check that every conductivity is > 0."""
        if not self.distribution.positive:
            raise InputError(
                "expected a distribution of conductivities > 0 S/m, got "
                f"{self.distribution}, which reaches down to {self.distribution.low:g}: tissue "
                f"{self.tissue!r}"
            )

    @property
    def name(self) -> str:
        """Name in tables."""
        return self.tissue

    @property
    def unit(self) -> str:
        """Unit of the values."""
        return "S/m"


@dataclass(frozen=True, kw_only=True)
class ElectrodeShift:
    """How far an electrode is from its place, along the scalp.

    Parameters
    ----------
    electrode
        Name of the electrode.
    axis
        "front" or "right" (mm, as carried over the head from the vertex), or "turn" of the outline
        (degrees anticlockwise, seen from outside).
    distribution
        Of the shift (mm) or turn (degrees).

    Raises
    ------
    InputError
        If the axis is unknown.
    """

    electrode: str
    axis: ElectrodeAxis
    distribution: Distribution

    def __post_init__(self) -> None:
        """Check the axis."""
        check_option("axis", self.axis, get_args(ElectrodeAxis), where=f"shift of {self.electrode}")

    @property
    def name(self) -> str:
        """Name in tables."""
        return f"{self.electrode} {self.axis}"

    @property
    def unit(self) -> str:
        """Unit of the values."""
        return "deg" if self.axis == "turn" else "mm"


@dataclass(frozen=True, kw_only=True)
class CoilShift:
    """How far a coil is from its pose, in its own frame.

    Parameters
    ----------
    axis
        "x", "y" (towards the handle), "z" (away from the head; mm), or a turn about one of them in
        degrees: "pitch" about x, "roll" about y, "turn" about z.
    distribution
        Of the shift (mm) or turn (degrees).
    coil
        Name of the coil; every coil if "".

    Raises
    ------
    InputError
        If the axis is unknown.
    """

    axis: CoilAxis
    distribution: Distribution
    coil: str = ""

    def __post_init__(self) -> None:
        """Check the axis."""
        check_option("axis", self.axis, get_args(CoilAxis), where="shift of a coil")

    @property
    def name(self) -> str:
        """Name in tables."""
        return f"{self.coil or 'coil'} {self.axis}"

    @property
    def unit(self) -> str:
        """Unit of the values."""
        return "mm" if self.axis in ("x", "y", "z") else "deg"


@dataclass(frozen=True, kw_only=True)
class LeadShift:
    """How far a lead is from its place, in its own frame.

    Parameters
    ----------
    axis
        "x" (where its marker looks), "y", "z" (up the shaft; mm), or a turn about one of them
        through the tip in degrees: "pitch" about x, "roll" about y, "turn" about z.
    distribution
        Of the shift (mm) or turn (degrees).

    Raises
    ------
    InputError
        If the axis is unknown.
    """

    axis: LeadAxis
    distribution: Distribution

    def __post_init__(self) -> None:
        """Check the axis."""
        check_option("axis", self.axis, get_args(LeadAxis), where="shift of a lead")

    @property
    def name(self) -> str:
        """Name in tables."""
        return f"lead {self.axis}"

    @property
    def unit(self) -> str:
        """Unit of the values."""
        return "mm" if self.axis in ("x", "y", "z") else "deg"


@dataclass(frozen=True, kw_only=True)
class EncapsulationThickness:
    """The thickness of the tissue that grows around a lead (mm).

    Parameters
    ----------
    distribution
        Its distribution (mm).

    Raises
    ------
    InputError
        If the distribution allows a thickness <= 0 mm.
    """

    distribution: Distribution
    name = "encapsulation"
    unit = "mm"

    def __post_init__(self) -> None:
        """Check that every thickness is > 0."""
        if not self.distribution.positive:
            raise InputError(
                f"expected a distribution of thicknesses > 0 mm, got {self.distribution}, which "
                f"reaches down to {self.distribution.low:g}: encapsulation"
            )


Input = Conductivity | ElectrodeShift | CoilShift | LeadShift | EncapsulationThickness


class Inputs:
    """Random inputs and how they hang together.

    Parameters
    ----------
    inputs
        One or more, with different names.
    correlation
        Correlation of the normal scores of two inputs, by their names; 0 for those not given.

    Raises
    ------
    InputError
        If there is no input, a name comes twice or is unknown, or the correlations are impossible.
    """

    def __init__(
        self,
        inputs: Iterable[Input],
        correlation: Mapping[tuple[str, str], float] | None = None,
    ) -> None:
        self.inputs = tuple(inputs)
        self.names = tuple(one.name for one in self.inputs)
        if not self.inputs:
            raise InputError("expected one random input or more, got none")
        for name in self.names:
            if self.names.count(name) > 1:
                raise InputError(f"two random inputs are called {name!r}")
        self.matrix = np.eye(len(self.inputs))
        for pair, r in (correlation or {}).items():
            if len(list(pair)) != 2 or not isinstance(r, Real):
                raise InputError(
                    f"expected a number for two names as a correlation, got {r!r} for {pair!r}"
                )
            i, j = (self.index(name) for name in pair)
            if i == j or not -1 < r < 1:
                raise InputError(
                    f"expected a correlation between -1 and 1 of two inputs, got {r!r} of "
                    f"{pair[0]!r} and {pair[1]!r}"
                )
            self.matrix[i, j] = self.matrix[j, i] = r
        if not np.linalg.eigvalsh(self.matrix)[0] > 1e-9:
            raise InputError(
                "expected correlations that can occur together, their matrix is not positive "
                f"definite: {', '.join('-'.join(pair) for pair in correlation or {})}"
            )

    def __len__(self) -> int:
        """Return the number of inputs."""
        return len(self.inputs)

    @property
    def independent(self) -> bool:
        """Whether no two are correlated."""
        return bool((self.matrix == np.eye(len(self))).all())

    @cached_property
    def distributions(self) -> tuple[Distribution, ...]:
        """The distribution of each."""
        return tuple(one.distribution for one in self.inputs)

    def index(self, name: str) -> int:
        """Return the place of the input called ``name``."""
        return self.names.index(check_option("random input", name, self.names))

    def values(self, u: Floats) -> Floats:
        """Return the inputs, shape (n, d), of points of the unit cube, shape (n, d)."""
        from scipy.special import ndtr, ndtri

        u = np.clip(u, TAIL, 1 - TAIL)
        if not self.independent:
            scores = ndtri(u) @ np.linalg.cholesky(self.matrix).T
            u = np.clip(ndtr(scores), TAIL, 1 - TAIL)
        return np.stack(
            [d.quantile(p) for d, p in zip(self.distributions, u.T, strict=True)], axis=1
        )

    def sample(self, n: int, *, seed: int = 0) -> Floats:
        """Return the first ``n`` points of a scrambled Sobol' sequence, shape (n, d).

        Raises
        ------
        InputError
            If ``n`` is not > 0.
        """
        from scipy.stats import qmc

        if not (isinstance(n, Integral) and n > 0):
            raise InputError(f"expected one sample or more, got {n!r}")
        points = qmc.Sobol(len(self), rng=seed).random_base2(max(int(n - 1).bit_length(), 0))
        return self.values(points[:n])

    def as_dict(self) -> dict[str, Any]:
        """Return the inputs as plain values, for JSON."""
        rows = []
        for one in self.inputs:
            what = {k: v for k, v in vars(one).items() if k != "distribution"}
            rows.append(
                {"input": type(one).__name__, **what, "distribution": one.distribution.as_dict()}
            )
        return {"inputs": rows, "correlation": self.matrix.tolist()}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Inputs:
        """Return the inputs that `as_dict` wrote.

        Raises
        ------
        KeyError, TypeError
            If the record is damaged.
        """
        kinds: dict[str, Any] = {kind.__name__: kind for kind in get_args(Input)}
        made = []
        for row in record["inputs"]:
            rest = {k: v for k, v in row.items() if k not in ("input", "distribution")}
            law = distribution(**row["distribution"])
            made.append(kinds[row["input"]](**rest, distribution=law))
        names = [one.name for one in made]
        return cls(
            made,
            {
                (names[i], names[j]): r
                for i, row in enumerate(record["correlation"])
                for j, r in enumerate(row[:i])
                if r != 0
            },
        )


def conductivities(head: Head, tissues: Sequence[str] | None = None) -> tuple[Conductivity, ...]:
    """Return the conductivities of tissues as random as their table says.

    Parameters
    ----------
    head
        The head.
    tissues
        Names of tissues; all of the head that have a range if None.

    Raises
    ------
    InputError
        If the head has no such tissue, or no range is known of it.
    """
    known = {t.name: t for t in head.tissues.values() if t.label in head.mesh.labels}
    if tissues is None:
        tissues = [
            name
            for name, t in known.items()
            if "conductivity" in t.properties and t.quantity("conductivity").low is not None
        ]
    chosen = []
    for name in tissues:
        check_option("tissue", name, known, where=f"head {head.name!r}")
        q = known[name].quantity("conductivity")
        where = f"conductivity of {name!r}, head {head.name!r}"
        chosen.append(Conductivity(tissue=name, distribution=of_quantity(q, where=where)))
    return tuple(chosen)
