"""Montages: electrodes with the current through each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_positive
from rheobase.fields.electrodes.electrode import Electrode, Layer, Model, place_electrode
from rheobase.meshes.head import Head
from rheobase.meshes.placing.outlines import Disc, Outline
from rheobase.meshes.placing.scalp import Scalp


@dataclass(frozen=True, kw_only=True, eq=False)
class Montage:
    """Electrodes and the current into the head through each.

    Parameters
    ----------
    name
        Name of the montage ("C3-Fp2").
    electrodes
        At least two, with different names.
    currents
        Current (A) into the head through each electrode; they sum to zero.

    Raises
    ------
    InputError
        If a current is not finite, they do not sum to zero or are all zero, or names repeat.
    """

    name: str
    electrodes: tuple[Electrode, ...]
    currents: tuple[float, ...]

    def __post_init__(self) -> None:
        """Check the currents and the names."""
        object.__setattr__(self, "electrodes", tuple(self.electrodes))
        if not all(isinstance(c, Real) and isfinite(c) for c in self.currents):
            raise InputError(
                f"expected finite currents (A), got {tuple(self.currents)}: montage {self.name!r}"
            )
        object.__setattr__(self, "currents", tuple(float(c) for c in self.currents))
        if len(self.electrodes) != len(self.currents) or len(self.electrodes) < 2:
            raise InputError(
                "expected two or more electrodes with one current each, got "
                f"{len(self.electrodes)} and {len(self.currents)}: montage {self.name!r}"
            )
        names = [e.name for e in self.electrodes]
        for name in names:
            if names.count(name) > 1:
                raise InputError(f"two electrodes are called {name!r}: montage {self.name!r}")
        total, size = sum(self.currents), sum(abs(c) for c in self.currents)
        if not size > 0:
            raise InputError(f"every current is 0 mA: montage {self.name!r}")
        if not abs(total) <= 1e-9 * size:
            raise InputError(
                f"current sums to {total * 1e3:g} mA, must be 0: montage {self.name!r}"
            )

    @property
    def amplitude(self) -> float:
        """Total current into the head (A): the amplitude of this montage in its basis."""
        return sum(c for c in self.currents if c > 0)


def montage_1x1(
    head: Head,
    *,
    anode: str,
    cathode: str,
    current: float,
    shape: Outline | None = None,
    layers: Sequence[Layer] | None = None,
    model: Model = "complete",
) -> Montage:
    """Return two equal electrodes at 10-10 positions.

    Parameters
    ----------
    head
        The head.
    anode, cathode
        10-10 names.
    current
        Current (A) from anode to cathode.
    shape, layers, model
        Of both electrodes, as in `place_electrode`.

    Raises
    ------
    InputError
        If the head has no such position.
    """
    pads = tuple(
        place_electrode(head, name, shape=shape, layers=layers, model=model)
        for name in (anode, cathode)
    )
    return Montage(name=f"{anode}-{cathode}", electrodes=pads, currents=(current, -current))


def montage_4x1(
    head: Head,
    *,
    centre: str,
    current: float,
    ring: float | Sequence[str] = 0.05,
    rotation_deg: float = 0.0,
    shape: Outline | None = None,
    layers: Sequence[Layer] | None = None,
    model: Model = "complete",
) -> Montage:
    """Return a centre electrode and four around it that return a quarter of the current each.

    Parameters
    ----------
    head
        The head.
    centre
        10-10 name.
    current
        Current (A) into the head at the centre.
    ring
        Four 10-10 names, or the distance (m) along the scalp: the returns are then in front, on
        the left, behind and on the right.
    rotation_deg
        Turns a ring that is given by its distance, anticlockwise seen from outside.
    shape, layers, model
        Of all electrodes, as in `place_electrode`; a disc of 6 mm radius if ``shape`` is None.

    Raises
    ------
    InputError
        If a position is not known, the ring leaves the head, or ``ring`` is neither four names nor
        a distance > 0.
    """
    shape = shape or Disc(radius_mm=6.0)
    positions: list[str | NDArray[np.float64]] = [centre]
    names = [centre]
    if isinstance(ring, Real):
        check_positive(f"ring around {centre!r}", float(ring))
        if not (isinstance(rotation_deg, Real) and isfinite(rotation_deg)):
            raise InputError(f"rotation_deg must be finite, got {rotation_deg!r}: {centre!r}")
        frame = Scalp(head.mesh).frame(head.position(centre), where=f"electrode {centre!r}")
        frame = frame.turned(np.deg2rad(rotation_deg))
        for k, side in enumerate(("front", "left", "back", "right")):
            angle = np.pi / 2 * (k + 1)
            uv = float(ring) * np.array([np.cos(angle), np.sin(angle)])
            positions.append(frame.point(uv, where=f"{side} of the ring around {centre!r}"))
            names.append(f"{centre} {side}")
    elif not isinstance(ring, str) and isinstance(ring, Sequence) and len(ring) == 4:
        positions += ring
        names += ring
    else:
        raise InputError(
            f"expected four ring positions or a distance (m), got {ring!r}: ring around {centre!r}"
        )
    pads = tuple(
        place_electrode(head, at, name=name, shape=shape, layers=layers, model=model)
        for at, name in zip(positions, names, strict=True)
    )
    return Montage(name=f"{centre} 4x1", electrodes=pads, currents=(current, *[-current / 4] * 4))
