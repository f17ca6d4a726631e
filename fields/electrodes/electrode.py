"""An electrode on the scalp: its outline, its place, the layers under the metal."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from numbers import Real
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option, check_positive
from rheobase.meshes.head import Head
from rheobase.meshes.placing.outlines import Disc, Outline
from rheobase.meshes.placing.scalp import NORMAL_RADIUS, OFF_HEAD, Frame, Scalp

#: How the layers are modelled (see `Electrode.model`).
Model = Literal["complete", "ideal", "meshed"]
#: How far a place given in MNI space may be off the scalp (mm): cortical targets are.
MNI_LIMIT_MM = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """One layer between skin and metal.

    Parameters
    ----------
    name
        Name ("gel").
    sigma
        Conductivity (S/m).
    thickness_mm
        Thickness.
    shape
        Its outline where it is smaller than that of the electrode; only meshed layers have one.
    """

    name: str
    sigma: float
    thickness_mm: float
    shape: Outline | None = None

    def __post_init__(self) -> None:
        """Check that the layer conducts and is thick."""
        check_positive("sigma", self.sigma)
        check_positive("thickness_mm", self.thickness_mm)

    @property
    def resistance(self) -> float:
        """Resistance times area (ohm m²)."""
        return self.thickness_mm * 1e-3 / self.sigma


@cache
def _layer_table() -> dict[str, tuple[float, float]]:
    """Return conductivity (S/m) and thickness (mm) of the shipped layers by name."""
    text = files("rheobase.fields").joinpath("data/electrode_layers.csv").read_text("utf-8")
    return {
        r["name"]: (float(r["sigma_S_per_m"]), float(r["thickness_mm"]))
        for r in csv.DictReader(text.splitlines())
    }


def layer_names() -> tuple[str, ...]:
    """Return the names of the shipped layers."""
    return tuple(_layer_table())


def layer(
    name: str,
    *,
    thickness_mm: float | None = None,
    sigma: float | None = None,
    shape: Outline | None = None,
) -> Layer:
    """Return a shipped layer ("gel", "sponge", "rubber"), with other values where given.

    Parameters
    ----------
    name
        Name in ``fields/data/electrode_layers.csv``.
    thickness_mm
        Thickness; that of the table if None.
    sigma
        Conductivity (S/m); that of the table if None.
    shape
        Outline of its own, as in `Layer`.

    Raises
    ------
    InputError
        If there is none of that name, with the nearest ones.
    """
    table = _layer_table()
    known = table[check_option("electrode layer", name, table)]
    return Layer(
        name=name,
        sigma=known[0] if sigma is None else sigma,
        thickness_mm=known[1] if thickness_mm is None else thickness_mm,
        shape=shape,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Electrode:
    """An electrode on the scalp.

    Parameters
    ----------
    name
        Name, used in reports and errors.
    centre
        Position (m), shape (3,); it is carried to the nearest point of the scalp.
    shape
        Outline, in millimetres along the scalp.
    layers
        What lies between skin and metal, from the skin upwards.
    model
        "complete": one voltage behind the layers, whose resistances add up and which carry current
        across only (complete electrode model). "ideal": the same current density everywhere.
        "meshed": the layers are bodies in the mesh, with metal on top.
    rotation_deg
        Turns the outline anticlockwise, seen from outside. At 0 its height runs from back to front
        (as carried over the head from the vertex), or ``towards`` a point.
    towards
        Point (m), shape (3,), that the height of the outline points to, None for the front.
    limit_mm
        How far off the scalp ``centre`` may be.
    connector
        Where the metal is on top of meshed layers, around the centre; everywhere if None.
    normal_mm
        The outline lies across the mean normal of the scalp over this distance; less than the
        default where the scalp is thin or bends sharply, as on an ear.

    Raises
    ------
    InputError
        If a value makes no sense, or one is given that the model does not know.
    """

    name: str
    centre: NDArray[np.float64]
    shape: Outline = field(default_factory=Disc)
    layers: tuple[Layer, ...] = field(default_factory=lambda: (layer("gel"),))
    model: Model = "complete"
    rotation_deg: float = 0.0
    towards: NDArray[np.float64] | None = None
    limit_mm: float = OFF_HEAD * 1e3
    connector: Outline | None = None
    normal_mm: float = NORMAL_RADIUS * 1e3

    def __post_init__(self) -> None:
        """Check every value, and that the model knows it."""
        set_ = object.__setattr__
        where = f"electrode {self.name!r}"
        check_option("electrode model", self.model, get_args(Model), where=where)
        set_(self, "centre", _point(self.centre, where))
        if self.towards is not None:
            set_(self, "towards", _point(self.towards, where))
        set_(self, "layers", tuple(self.layers))
        if not self.layers:
            raise InputError(f"expected one layer or more, got none: {where}")
        names = [one.name for one in self.layers]
        for name in names:
            if names.count(name) > 1:
                raise InputError(f"two layers are called {name!r}: {where}")
        given: dict[str, object] = {"shape": self.shape}
        if self.connector is not None:
            given["connector"] = self.connector
        for kind, outline in given.items():
            if not isinstance(outline, Outline):
                raise InputError(
                    f"expected a disc, rectangle, ring or polygon as {kind}, got {outline!r}: "
                    f"{where}"
                )
        if not (isinstance(self.rotation_deg, Real) and np.isfinite(self.rotation_deg)):
            raise InputError(f"rotation_deg must be finite, got {self.rotation_deg!r}: {where}")
        check_positive(f"limit_mm of {where}", self.limit_mm)
        check_positive(f"normal_mm of {where}", self.normal_mm)
        for one in self.layers:
            if one.shape is not None and one.shape.reach > (1 + 1e-9) * self.shape.reach:
                raise InputError(f"layer {one.name!r} reaches beyond the outline: {where}")
        if self.model != "meshed":
            known_to = f"only model 'meshed' knows, got {self.model!r}: {where}"
            for one in self.layers:
                if one.shape is not None:
                    raise InputError(f"layer {one.name!r} has an outline, which {known_to}")
            if self.connector is not None:
                raise InputError(f"there is a connector, which {known_to}")

    @property
    def conductance(self) -> float:
        """Conductance of the layers in series per area (S/m²)."""
        return 1.0 / sum(one.resistance for one in self.layers)

    def frame(self, scalp: Scalp) -> Frame:
        """Return where the electrode is on a scalp: its origin and the axes of its outline.

        Raises
        ------
        InputError
            If the electrode is off the head, or its place is the point to turn to.
        """
        frame = scalp.frame(
            self.centre,
            where=f"electrode {self.name!r}",
            radius=self.normal_mm * 1e-3,
            limit=self.limit_mm * 1e-3,
        )
        return frame.turned(self.angle(frame))

    def angle(self, frame: Frame) -> float:
        """Return the angle (rad) by which the outline is turned in a frame at its place."""
        angle = float(np.deg2rad(self.rotation_deg))
        if self.towards is None:
            return angle
        return angle + frame.bearing(self.towards, where=f"electrode {self.name!r}")


def place_electrode(
    head: Head,
    position: str | ArrayLike,
    *,
    space: Literal["head", "MNI"] = "head",
    name: str | None = None,
    shape: Outline | None = None,
    layers: Sequence[Layer] | None = None,
    model: Model = "complete",
    rotation_deg: float = 0.0,
    towards: str | ArrayLike | None = None,
    limit_mm: float | None = None,
    connector: Outline | None = None,
) -> Electrode:
    """Place an electrode on a head by a 10-10 name or by coordinates.

    Parameters
    ----------
    head
        The head.
    position
        10-10 name, or coordinates (m), shape (3,), that are carried to the nearest point of the
        scalp.
    space
        Space of the coordinates: that of the head, or MNI.
    name
        Name of the electrode; the 10-10 name, or the coordinates in mm, if None.
    shape, layers
        Outline and layers; a disc of 12 mm radius on gel if None.
    model, rotation_deg, connector
        As in `Electrode`.
    towards
        10-10 name or point (m, in ``space``) that the height of the outline points to.
    limit_mm
        How far off the scalp the coordinates may be: 10 mm if None, and 30 mm for those of MNI,
        which may be a target in the cortex.

    Raises
    ------
    InputError
        If a 10-10 name is unknown (with the nearest names) or the head has no map from MNI space.
    """
    check_option("space", space, ("head", "MNI"))
    by_name = isinstance(position, str)
    if name is None:
        name = str(position) if by_name else _coordinates(position, space)

    def found(place: str | ArrayLike) -> NDArray[np.float64]:
        if isinstance(place, str):
            return head.position(place)
        point = _point(place, f"electrode {name!r}")
        return head.from_mni(point)[0] if space == "MNI" else point

    if limit_mm is None:
        limit_mm = MNI_LIMIT_MM if space == "MNI" and not by_name else OFF_HEAD * 1e3
    return Electrode(
        name=name,
        centre=found(position),
        shape=shape or Disc(),
        layers=(layer("gel"),) if layers is None else tuple(layers),
        model=model,
        rotation_deg=rotation_deg,
        towards=None if towards is None else found(towards),
        limit_mm=limit_mm,
        connector=connector,
    )


def _point(value: ArrayLike, where: str) -> NDArray[np.float64]:
    try:
        point = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        point = np.empty(0)
    if point.shape != (3,) or not np.isfinite(point).all():
        raise InputError(f"expected three finite coordinates (m), got {value!r}: {where}")
    return point


def _coordinates(position: ArrayLike, space: str) -> str:
    x, y, z = _point(position, "electrode") * 1e3
    return f"({x:.0f}, {y:.0f}, {z:.0f}) mm" + (" MNI" if space == "MNI" else "")
