"""Fluids that carry sound, and layers of them along a beam."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_positive
from rheobase.fields.acoustics.frequency import check_frequency
from rheobase.meshes.tissues import NEPER_PER_DB, Tissue, tissue

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fluid:
    """What carries pressure waves; bone is one too here: shear waves are left out.

    Parameters
    ----------
    name
        Name ("water", "skull").
    sound_speed
        Speed of compressional waves (m/s), > 0.
    density
        Mass density (kg/m³), > 0.
    attenuation
        Loss of amplitude of a plane wave at 1 MHz (Np/m), >= 0.
    exponent
        y of the power law: the loss goes with frequency as f^y, within 0 … 3.
    absorbed_fraction
        Share of the loss that turns to heat, within 0 … 1; the rest is scattered. The wave loses
        all of it.
    note
        What to know of the values, "" for nothing.

    Raises
    ------
    InputError
        If a value is impossible.
    """

    name: str
    sound_speed: float
    density: float
    attenuation: float = 0.0
    exponent: float = 1.0
    absorbed_fraction: float = 1.0
    note: str = ""

    def __post_init__(self) -> None:
        """Reject what no fluid can have."""
        check_positive(f"sound speed (m/s) of {self.name}", self.sound_speed)
        check_positive(f"density (kg/m^3) of {self.name}", self.density)
        ranges = (
            ("attenuation (Np/m at 1 MHz)", self.attenuation, np.inf),
            ("attenuation exponent", self.exponent, 3.0),
            ("absorbed fraction", self.absorbed_fraction, 1.0),
        )
        for what, value, most in ranges:
            if not (np.isfinite(value) and 0.0 <= value <= most):
                raise InputError(f"expected {what} within 0 … {most:g}, got {value}: {self.name}")

    @classmethod
    def from_decibels(
        cls,
        name: str,
        sound_speed: float,
        density: float,
        decibels_per_cm: float,
        *,
        frequency: float = 1e6,
        exponent: float = 1.0,
        absorbed_fraction: float = 1.0,
        note: str = "",
    ) -> Fluid:
        """Return the fluid with a loss of ``decibels_per_cm`` (dB/cm) at ``frequency`` (Hz).

        Raises
        ------
        InputError
            If the frequency is not of ultrasound, or a value is impossible.

        Examples
        --------
        >>> bone = Fluid.from_decibels("bone", 2800.0, 1850.0, 4.0, frequency=500e3)
        >>> round(bone.at(500e3)[2], 3)
        46.052
        """
        check_frequency(frequency, name)
        loss = float(decibels_per_cm * 100.0 * NEPER_PER_DB)
        return cls(
            name=name,
            sound_speed=sound_speed,
            density=density,
            attenuation=loss / (frequency * 1e-6) ** exponent,
            exponent=exponent,
            absorbed_fraction=absorbed_fraction,
            note=note,
        )

    def at(self, frequency: float) -> tuple[float, float, float]:
        """Return sound speed (m/s), density (kg/m³) and loss (Np/m) at ``frequency`` (Hz)."""
        return self.sound_speed, self.density, self.loss(frequency)

    def loss(self, frequency: float) -> float:
        """Return the loss of amplitude (Np/m) at ``frequency`` (Hz).

        Raises
        ------
        InputError
            If the frequency is not of ultrasound.
        """
        check_frequency(frequency, self.name)
        return float(self.attenuation * (frequency * 1e-6) ** self.exponent)

    def absorption(self, frequency: float) -> float:
        """Return the part of the loss that turns to heat (Np/m) at ``frequency`` (Hz)."""
        return self.absorbed_fraction * self.loss(frequency)

    def wavelength(self, frequency: float) -> float:
        """Return the wavelength (m) at ``frequency`` (Hz).

        Raises
        ------
        InputError
            If the frequency is not of ultrasound.
        """
        check_frequency(frequency, self.name)
        return self.sound_speed / frequency

    @property
    def impedance(self) -> float:
        """Density times sound speed (kg/(m² s))."""
        return self.density * self.sound_speed


def fluid_of(one: Tissue | str) -> Fluid:
    """Return a tissue as a fluid.

    The density is the acoustic one, which belongs to the sound speed beside it. A tissue with no
    known attenuation is an error, not a lossless fluid; one with no known share of absorption
    turns all of the loss to heat, and the note says so.

    Parameters
    ----------
    one
        The tissue, or the name of a shipped one.

    Raises
    ------
    InputError
        If sound speed, density, attenuation or its exponent is unknown, naming the tissue.

    Examples
    --------
    >>> fluid_of("grey_matter").at(500e3)[:2]
    (1560.0, 1040.0)
    """
    if isinstance(one, str):
        one = tissue(one)
    names = ("sound_speed", "acoustic_density", "attenuation", "attenuation_exponent")
    known = {name: one.quantity(name) for name in names}
    if "absorbed_fraction" in one.properties:
        known["absorbed_fraction"] = one.quantity("absorbed_fraction")
    doubts = [f"{n}: {q.status}" for n, q in known.items() if "check" in q.status]
    if "absorbed_fraction" not in known:
        doubts.append("absorbed_fraction: unknown, all of the loss is taken to turn to heat")
    share = known["absorbed_fraction"].value if "absorbed_fraction" in known else 1.0
    return Fluid.from_decibels(
        one.name,
        known["sound_speed"].value,
        known["acoustic_density"].value,
        known["attenuation"].value,
        exponent=known["attenuation_exponent"].value,
        absorbed_fraction=share,
        note="; ".join(doubts),
    )


WATER = fluid_of("water")
"""Water that couples the transducer, as the tissue table has it."""


class Surface(Protocol):
    """A height over the lateral plane of a beam."""

    def __call__(self, x: ArrayLike, y: ArrayLike) -> Floats:
        """Return the depth z (m) at lateral places (m), in their broadcast shape."""
        ...

    def gradient(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        """Return dz/dx and dz/dy there."""
        ...


@dataclass(frozen=True, slots=True)
class Plane:
    """The plane at depth ``z`` (m)."""

    z: float

    def __call__(self, x: ArrayLike, y: ArrayLike) -> Floats:
        """See `Surface`."""
        return np.full(np.broadcast_shapes(np.shape(x), np.shape(y)), float(self.z))

    def gradient(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        """See `Surface`."""
        zero = np.zeros(np.broadcast_shapes(np.shape(x), np.shape(y)))
        return zero, zero.copy()


@dataclass(frozen=True, slots=True)
class SphereCap:
    """The half of a sphere on the axis that faces the transducer; NaN beside the sphere.

    Parameters
    ----------
    radius
        Its radius (m), > 0.
    centre_z
        Depth of its centre (m).
    """

    radius: float
    centre_z: float

    def __post_init__(self) -> None:
        """Reject what is no sphere."""
        check_positive("radius (m) of a sphere", self.radius)

    def _half_chord(self, x: Floats, y: Floats) -> Floats:
        square = self.radius**2 - x**2 - y**2
        return np.sqrt(np.where(square >= 0.0, square, np.nan))

    def __call__(self, x: ArrayLike, y: ArrayLike) -> Floats:
        """See `Surface`."""
        return self.centre_z - self._half_chord(*_floats(x, y))

    def gradient(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        """See `Surface`."""
        x, y = _floats(x, y)
        half = self._half_chord(x, y)
        half = np.where(half > 0.0, half, np.nan)
        return x / half, y / half


@dataclass(frozen=True, eq=False)
class SampledSurface:
    """A cubic spline through heights on a lateral lattice; level beyond the lattice.

    Parameters
    ----------
    x, y
        Growing lattice lines (m), at least four each, shapes (nx,) and (ny,).
    z
        Heights (m), shape (nx, ny).

    Raises
    ------
    InputError
        If shapes do not fit, lines do not grow, or a height is not finite.
    """

    x: Floats
    y: Floats
    z: Floats
    _spline: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the lattice and fit the spline."""
        from scipy.interpolate import RectBivariateSpline

        for name in ("x", "y", "z"):
            object.__setattr__(self, name, np.array(getattr(self, name), dtype=np.float64))
        if self.x.ndim != 1 or self.y.ndim != 1 or min(len(self.x), len(self.y)) < 4:
            raise InputError(
                f"expected at least 4 lattice lines each way, got {self.x.shape} and {self.y.shape}"
            )
        if self.z.shape != (len(self.x), len(self.y)):
            raise InputError(
                f"expected heights of shape {(len(self.x), len(self.y))}, got {self.z.shape}"
            )
        if not ((np.diff(self.x) > 0).all() and (np.diff(self.y) > 0).all()):
            raise InputError("expected lattice lines that grow")
        if not np.isfinite(self.z).all():
            raise InputError(
                f"expected finite heights, got {(~np.isfinite(self.z)).sum()} of {self.z.size} not"
            )
        object.__setattr__(self, "_spline", RectBivariateSpline(self.x, self.y, self.z, s=0))

    def _inside(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        x, y = _floats(x, y)
        return np.clip(x, self.x[0], self.x[-1]), np.clip(y, self.y[0], self.y[-1])

    def __call__(self, x: ArrayLike, y: ArrayLike) -> Floats:
        """See `Surface`."""
        z: Floats = self._spline.ev(*self._inside(x, y))
        return z

    def gradient(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        """See `Surface`."""
        near = self._inside(x, y)
        given = _floats(x, y)
        along_x, along_y = self._spline.ev(*near, dx=1), self._spline.ev(*near, dy=1)
        return (
            np.where(near[0] == given[0], along_x, 0.0),
            np.where(near[1] == given[1], along_y, 0.0),
        )


@dataclass(frozen=True, eq=False)
class LayeredMedium:
    """Fluids one behind the other along a beam, with surfaces between them.

    Parameters
    ----------
    fluids
        K + 1 fluids, that of the transducer's side first.
    surfaces
        K surfaces, in the same order.

    Raises
    ------
    InputError
        If there is not one fluid more than surfaces.

    Examples
    --------
    >>> plate = Fluid.from_decibels("bone", 2800.0, 1850.0, 4.0, frequency=500e3)
    >>> medium = LayeredMedium((WATER, plate, WATER), (Plane(30e-3), Plane(36.5e-3)))
    >>> medium.layers([[0.0, 0.0, 0.032], [0.0, 0.0, 0.05]]).tolist()
    [1, 2]
    """

    fluids: tuple[Fluid, ...]
    surfaces: tuple[Surface, ...] = ()

    def __post_init__(self) -> None:
        """Check that fluids and surfaces fit."""
        object.__setattr__(self, "fluids", tuple(self.fluids))
        object.__setattr__(self, "surfaces", tuple(self.surfaces))
        if len(self.fluids) != len(self.surfaces) + 1:
            raise InputError(
                f"expected one fluid more than the {len(self.surfaces)} surfaces, got "
                f"{len(self.fluids)} fluids"
            )

    def heights(self, x: ArrayLike, y: ArrayLike) -> Floats:
        """Return the depth of each surface (m), shape (K, ...), ... of x and y."""
        shape = np.broadcast_shapes(np.shape(x), np.shape(y))
        if not self.surfaces:
            return np.empty((0, *shape))
        return np.stack([surface(x, y) for surface in self.surfaces])

    def layers(self, points: ArrayLike) -> NDArray[np.intp]:
        """Return the index into ``fluids`` of each point (m, beam frame), shape (n,)."""
        p = np.asarray(points, dtype=np.float64)
        return (self.heights(p[:, 0], p[:, 1]) <= p[:, 2]).sum(axis=0)

    def materials(self, points: ArrayLike, frequency: float) -> tuple[Floats, Floats, Floats]:
        """Return sound speed, density and loss (Np/m) at points (m), shape (n,) each."""
        table = np.array([fluid.at(frequency) for fluid in self.fluids])
        c, rho, alpha = table[self.layers(points)].T
        return c, rho, alpha

    def check(self, x: ArrayLike, y: ArrayLike, *, least: float = 0.0) -> None:
        """Check that the surfaces exist and follow one another at lateral places (m).

        Parameters
        ----------
        x, y
            Lateral places (m), of one broadcast shape.
        least
            Least thickness of a layer (m); all must be thicker.

        Raises
        ------
        InputError
            If a surface does not reach a place, or a layer is not thicker than ``least`` there.
        """
        x, y = np.broadcast_arrays(*_floats(x, y))
        z = self.heights(x, y)
        for k, height in enumerate(z):
            if not np.isfinite(height).all():
                at = _place(x, y, ~np.isfinite(height))
                raise InputError(
                    f"expected every surface over the whole window, the one before "
                    f"{self.fluids[k + 1].name!r} does not reach {at}"
                )
        for k, thickness in enumerate(np.diff(z, axis=0)):
            if not (thickness > least).all():
                at = _place(x, y, thickness == thickness.min())
                raise InputError(
                    f"expected layers thicker than {least * 1e3:g} mm, layer "
                    f"{self.fluids[k + 1].name!r} has {thickness.min() * 1e3:.3g} mm at {at}"
                )

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know of the fluids, one line each."""
        lines: Sequence[str] = [f"{f.name}: {f.note}" for f in self.fluids if f.note]
        return tuple(dict.fromkeys(lines))


def _floats(x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
    return np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)


def _place(x: Floats, y: Floats, where: NDArray[np.bool_]) -> str:
    return f"(x, y) = ({x[where].flat[0] * 1e3:.1f}, {y[where].flat[0] * 1e3:.1f}) mm"
