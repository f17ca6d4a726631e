"""A beam's window in a head: layers with smooth faces, and what is at a point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option, check_positive
from rheobase._progress import stage
from rheobase.fields.acoustics.media import WATER, Fluid, LayeredMedium, SampledSurface
from rheobase.fields.acoustics.window.anatomy import Anatomy, Kind, anatomy_of, values_of
from rheobase.fields.acoustics.window.checks import check_box, check_rays
from rheobase.fields.acoustics.window.heights import Heights, fit_heights
from rheobase.fields.acoustics.window.rays import Rays, cast, to_head
from rheobase.fields.acoustics.window.report import WindowReport
from rheobase.fields.coils.coil import checked_pose
from rheobase.meshes.head import Head
from rheobase.meshes.leads.medium import Medium

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

INSIDES = ("uniform", "labels")
#: Steepest skull that columns of elements follow, between beam axis and normal (degrees).
STEEPEST = 60.0
#: What depths are off by steps and facets, over the size of the head's elements: the root mean
#: square of half a voxel either way.
NOISE = 0.29
#: Farthest that a smooth surface may be from the head's own, over the size of its elements.
APART = 2.0
#: Fewest and most rays across the wider side if no spacing is given, and those of exact heads.
FEWEST, MOST, EXACT = 24, 160, 64
#: Steps along a ray through the window, if the head's elements do not set them.
STEPS = 400
#: Least share of a window that layers must describe.
LEAST_CONFORMING = 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class WindowMaterial:
    """The part of a head that a beam goes through.

    Parameters
    ----------
    frame
        Beam to head, z into the head, shape (4, 4).
    half_width
        Half extent along x and y (m).
    depth
        First and last depth (m).
    layers
        Fluids between smooth surfaces.
    kinds
        What each of these layers is.
    described
        Whether the layers describe the head at the lattice of the rays, shape (nx, ny).
    rays, heights
        What the surfaces were made from.
    anatomy
        The head.
    inside
        "uniform" (soft layers are one fluid each) or "labels" (the tissue of each point).
    report, notes
        Numbers, and what to know.
    """

    frame: Floats
    half_width: tuple[float, float]
    depth: tuple[float, float]
    layers: LayeredMedium
    kinds: tuple[Kind, ...]
    described: Bools
    rays: Rays
    heights: Heights
    anatomy: Anatomy
    inside: str
    report: WindowReport
    notes: tuple[str, ...]

    @property
    def layered(self) -> LayeredMedium | None:
        """The layers; None where they describe less than half of the window."""
        return self.layers if self.report.conforming >= LEAST_CONFORMING else None

    def conforming(self, x: ArrayLike, y: ArrayLike) -> Bools:
        """Return whether the layers describe the head at lateral places (m)."""
        places = zip((x, y), (self.rays.x, self.rays.y), strict=True)
        i, j = (
            np.clip(np.rint((np.asarray(p) - line[0]) / (line[1] - line[0])), 0, len(line) - 1)
            for p, line in places
        )
        found: Bools = self.described[i.astype(np.intp), j.astype(np.intp)]
        return found

    def materials(self, points: ArrayLike, frequency: float) -> tuple[Floats, Floats, Floats]:
        """Return sound speed (m/s), density (kg/m³) and loss (Np/m) at points of the beam frame.

        Where the layers describe the head, it is layered between its smooth surfaces; elsewhere
        a point is of the kind that the head has there (`Anatomy`), and so is bone behind the skull.

        Parameters
        ----------
        points
            Beam coordinates (m), shape (n, 3).
        frequency
            Hz.

        Returns
        -------
        sound_speed, density, loss
            Shape (n,) each.
        """
        c, rho, alpha, _ = self.sound(points, frequency).T
        return c, rho, alpha

    def sound(self, points: ArrayLike, frequency: float) -> Floats:
        """Return the same and the absorption (Np/m), shape (n, 4)."""
        p = np.asarray(points, dtype=np.float64)
        x, y, z = p.T
        layer = self.layers.layers(p)
        table = np.array([values_of(fluid, frequency) for fluid in self.layers.fluids])
        out: Floats = table[layer]
        layer_kind = np.array(self.kinds, np.int8)[layer]
        within = layer == len(self.layers.surfaces)
        beside = ~self.conforming(x, y)
        # bone behind the skull, unless it is the skull's own border
        margin = APART * self.anatomy.detail
        behind = within & (z > self.layers.surfaces[-1](x, y) + margin)
        fine = self.inside == "labels" and (layer_kind == Kind.SOFT) | (layer_kind == Kind.BRAIN)
        there = to_head(self.frame, p)
        asked = beside | behind | fine
        kind = np.full(len(p), -1, np.int8)
        kind[asked] = self.anatomy.kinds(there[asked])
        take = (beside | behind) & (kind >= Kind.COMPACT)
        if self.anatomy.graded:
            take |= ~beside & (layer_kind >= Kind.COMPACT)
        if self.inside == "labels":
            take |= (beside | fine) & ((kind == Kind.SOFT) | (kind == Kind.BRAIN))
        for one in (Kind.OUTSIDE, Kind.SOFT, Kind.BRAIN):
            if one in self.kinds:
                out[beside & (kind == one)] = table[self.kinds.index(one)]
        own = self.anatomy.sound(there[take], frequency, within[take])
        out[take] = np.where(np.isfinite(own), own, out[take])
        return out


def beam_window(
    source: Head | Medium | Anatomy,
    frame: ArrayLike,
    *,
    half_width: float | Sequence[float],
    depth: Sequence[float],
    target: ArrayLike | None = None,
    skull: str = "auto",
    inside: str = "uniform",
    smoothing: float | None = None,
    spacing: float | None = None,
    least: float | None = None,
    fluids: Mapping[str, Fluid] | None = None,
) -> WindowMaterial:
    """Return the part of a head that a beam goes through.

    Rays along the beam's axis meet skin, skull and brain; smooth surfaces go through where they do
    (`rheobase.fields.acoustics.window.smoothing`), so that faces of elements can follow them.

    Parameters
    ----------
    source
        A head, a medium of tissue labels (`rheobase.meshes.leads.medium`), or a tomogram in
        Hounsfield units (`rheobase.fields.acoustics.window.tomogram`).
    frame
        Beam to head: z along the beam into the head, shape (4, 4).
    half_width
        Half extent along x and y (m), one number for both.
    depth
        First and last depth (m); the first face must be in the water before the head.
    target
        A point that must be inside (m), head frame.
    skull
        Layers of the skull, as `rheobase.fields.acoustics.window.heights.fit_heights`.
    inside
        "uniform": one fluid for the soft tissue before the skull, one for all behind it; "labels":
        the tissue of each point.
    smoothing
        Standard deviation of the smoothing (m); an edge of the tetrahedra of bone, or three voxels,
        if None.
    spacing
        Of the rays (m); a third of the smoothing if None, within 24 to 160 rays a width.
    least
        Least thickness of a layer (m); 0.3 mm or 0.15 of the skull's thickness if None.
    fluids
        Fluids by tissue, instead of those of the tissue table.

    Raises
    ------
    InputError
        If the frame is no rotation and shift, the box makes no sense or misses the target, the
        window starts inside the head, misses it, meets no bone or air, or a fluid is unknown.
    """
    frame = checked_pose(frame, where="a beam")
    widths = np.broadcast_to(np.asarray(half_width, dtype=np.float64), (2,))
    half = (float(widths[0]), float(widths[1]))
    ends = (float(depth[0]), float(depth[1]))
    check_option("inside", inside, INSIDES)
    check_box(half, ends, frame, target)
    for name, value in (("smoothing", smoothing), ("least", least)):
        if value is not None and not (np.isfinite(value) and value >= 0):
            raise InputError(f"expected {name} of a window >= 0 m, got {value!r}")
    corners = np.stack(np.meshgrid(*([-h, h] for h in half), ends), axis=-1).reshape(-1, 3)
    with stage("preparing the head"):
        anatomy = anatomy_of(source, to_head(frame, corners), fluids)
    smoothing = anatomy.smoothing if smoothing is None else smoothing
    if spacing is None:
        wide = 2.0 * max(half)
        spacing = float(np.clip(smoothing / 3 or wide / EXACT, wide / MOST, wide / FEWEST))
    check_positive("spacing of rays (m)", spacing)
    step = 0.5 * anatomy.detail or (ends[1] - ends[0]) / STEPS
    x, y = (np.linspace(-h, h, max(round(2 * h / spacing), 4) + 1) for h in half)
    rays = cast(anatomy, frame, x, y, ends, step)
    notes = check_rays(rays, half)
    noise = NOISE * anatomy.detail
    heights = fit_heights(rays, skull=skull, smoothing=smoothing, noise=noise, least=least)
    fluids_here = _fluids(anatomy, frame, rays, heights, ends[1])
    layers = LayeredMedium(fluids_here, tuple(SampledSurface(x, y, z) for z in heights.z))
    layers.check(x[:, None], y[None])
    described, report = _judge(anatomy, rays, heights, layers, smoothing)
    return WindowMaterial(
        frame=frame,
        half_width=half,
        depth=ends,
        layers=layers,
        kinds=heights.kinds,
        described=described,
        rays=rays,
        heights=heights,
        anatomy=anatomy,
        inside=inside,
        report=report,
        notes=(*notes, *anatomy.notes, *layers.notes),
    )


def _fluids(
    anatomy: Anatomy, frame: Floats, rays: Rays, heights: Heights, end: float
) -> tuple[Fluid, ...]:
    """Return the fluid of each layer: that of the most frequent tissue of its kind there."""
    places = np.argwhere(rays.bone)
    lateral = np.column_stack([rays.x[places[:, 0]], rays.y[places[:, 1]]])
    found = [WATER]
    for k, kind in enumerate(heights.kinds[1:]):
        top = heights.z[k][rays.bone]
        below = heights.z[k + 1][rays.bone] if k + 1 < len(heights.z) else np.full_like(top, end)
        points = np.concatenate(
            [np.column_stack([lateral, top + part * (below - top)]) for part in (0.2, 0.5, 0.8)]
        )
        there = to_head(frame, points)
        # what a head's labels do not tell apart stands for either
        others = {Kind.BRAIN: (Kind.SOFT,), Kind.COMPACT: (Kind.SPONGY,)}
        fluid = next(
            (f for one in (kind, *others.get(kind, ())) if (f := anatomy.fluid(one, there))), None
        )
        if fluid is None:
            raise InputError(
                f"expected a tissue with known sound in layer {kind.name.lower()} of the window, "
                "found none: give one in fluids"
            )
        found.append(fluid)
    return tuple(found)


def _judge(
    anatomy: Anatomy, rays: Rays, heights: Heights, layers: LayeredMedium, smoothing: float
) -> tuple[Bools, WindowReport]:
    """Return where the layers describe the head, and the numbers of the window."""
    first_bone = heights.kinds.index(Kind.COMPACT)
    x, y = rays.x[:, None], rays.y[None]
    angles = [
        np.degrees(np.arctan(np.hypot(*surface.gradient(x, y))))
        for surface in (layers.surfaces[first_bone - 1], layers.surfaces[-1])
    ]
    away = {k: np.abs(z - heights.raw[k]) for k, z in heights.smooth.items()}
    bone = rays.bone
    steep = bone & (np.maximum(*angles) > STEEPEST)
    if anatomy.detail:
        steep |= bone & (np.max([away["outer"], away["inner"]], axis=0) > APART * anatomy.detail)
    pocket = np.isfinite(rays.pocket) | np.isfinite(rays.fold)
    described = bone & ~rays.repeated & ~steep & ~pocket
    before = layers.fluids[first_bone - 1].sound_speed
    ratio = before / layers.fluids[first_bone].sound_speed
    critical = float(np.degrees(np.arcsin(min(ratio, 1.0))))
    good = described if described.any() else bone
    raw = (heights.raw["inner"] - heights.raw["outer"])[good]
    thickness = (heights.smooth["inner"] - heights.smooth["outer"])[good]
    angle = angles[0][bone]
    return described, WindowReport(
        rays=rays.hit.size,
        detail=anatomy.detail,
        smoothing=smoothing,
        change={k: float(np.sqrt((d[good] ** 2).mean())) for k, d in away.items()},
        thickness=_five(thickness),
        thickness_kept=float(thickness.mean() / raw.mean()),
        incidence=(float(np.median(angle)), float(np.quantile(angle, 0.95)), float(angle.max())),
        critical=critical,
        beyond_critical=float((angle > critical).mean()),
        missed=float((~rays.hit).mean()),
        boneless=float((rays.hit & ~bone & ~rays.repeated).mean()),
        repeated=float(rays.repeated.mean()),
        far_bone=float(np.isfinite(rays.far_bone).mean()),
        steep=float(steep.mean()),
        pockets=float(pocket.mean()),
        thickened=float(heights.thickened.mean()),
        conforming=float(described.mean()),
    )


def _five(values: Floats) -> tuple[float, float, float, float, float]:
    low, fifth, middle, most_of, high = np.quantile(values, [0.0, 0.05, 0.5, 0.95, 1.0]).tolist()
    return low, fifth, middle, most_of, high
