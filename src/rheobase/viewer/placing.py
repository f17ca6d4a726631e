"""A coil or an electrode put to another place, and the field there.

Two ways lead to the field of a moved device:

- *exact*: the solver of studies itself (`solve_conduction`, `solve_induction`) with one conductor
  for the whole session, so that matrix and multigrid are made once;
- *prepared*: responses of the head that were solved for beforehand and are kept in the cache. For
  electrodes the lead field (`rheobase.fields.leadfield`), which knows ideal discs at the 10-10
  positions: each electrode goes to the nearest of them. For coils the modes of the head
  (`rheobase.fields.targeting.modes`), for any coil at any pose, in the tissues they are kept for.

What a field was made of is said in `Moved.how`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option

if TYPE_CHECKING:
    from rheobase.config import Study
    from rheobase.fields.coils.coil import Coil
    from rheobase.meshes.head import Head
    from rheobase.viewer.bench import Bench, Rig

Floats = NDArray[np.float64]
Way = Literal["exact", "prepared"]
WAYS: tuple[Way, ...] = ("exact", "prepared")
STEPS = 8  # towards the scalp; each leaves a small part of the way, as the scalp is curved little


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moved:
    """The field of a device at a new place.

    Parameters
    ----------
    rig
        The device where it is now.
    E
        Field of each source at its amplitude (V/m) at the split nodes of the head, shape
        (k, n_split, 3); NaN in tissues that it is not known for.
    strength
        What is drawn of it (V/m): |E|, or the envelope of temporal interference, (n_split,).
    how
        What it was made of, in a sentence.
    error
        Estimated relative error of the way, beyond that of the mesh; None where it is the solver's
        tolerance.
    seconds
        What it took, of wall time.
    voltages
        Of each electrode (V) in the order of all montages; none where they are not known.
    """

    rig: Rig
    E: Floats
    strength: Floats
    how: str
    error: float | None
    seconds: float
    voltages: tuple[float, ...] = ()


def place_electrode(
    bench: Bench,
    rig: Rig,
    name: str,
    position: str | ArrayLike,
    *,
    way: Way = "exact",
) -> Moved:
    """Move one electrode and return the field of all.

    Parameters
    ----------
    bench
        The head.
    rig
        The electrodes where they are now.
    name
        The electrode that moves.
    position
        10-10 name, or a point within 10 mm of the scalp (m), shape (3,).
        Its outline goes on pointing to where the study turns it.
    way
        "exact" keeps shape, layers and model of the electrodes; "prepared" puts ideal discs of
        6 mm radius at the 10-10 positions nearest to all electrodes.

    Returns
    -------
    Moved

    Raises
    ------
    InputError
        If there is no such electrode or position, the place is off the scalp or electrodes
        overlap, or nothing is prepared.
    """
    known = rig.electrodes
    old = known[check_option("electrode", name, known, where="placing")]
    point = bench.head.position(position) if isinstance(position, str) else _point(position)
    moved = replace(old, centre=point)
    montages = tuple(
        replace(m, electrodes=tuple(moved if e is old else e for e in m.electrodes))
        for m in rig.montages
    )
    return solve_rig(bench, replace(rig, montages=montages), way=way)


def place_coil(
    bench: Bench,
    rig: Rig,
    position: str | ArrayLike,
    *,
    handle_angle_deg: float = 45.0,
    distance_mm: float = 4.0,
    way: Way = "exact",
) -> Moved:
    """Move a coil and return its field.

    Parameters
    ----------
    bench, rig
        The head, and the coil where it is now.
    position
        10-10 name, or a point within 10 mm of the scalp (m), shape (3,).
    handle_angle_deg, distance_mm
        As for `rheobase.fields.coils.placing.place_coil`. Where the coil would reach into the head
        it is lifted.
    way
        "exact", or "prepared": from the modes of the head, in grey and white matter.

    Raises
    ------
    InputError
        If the place is off the scalp, the device is no coil or nothing is prepared.
    """
    from rheobase.fields.coils.placing import scalp_pose, stand

    if bench.coil is None:
        raise InputError("expected a coil to move, the device of this result has electrodes")
    pose = scalp_pose(
        bench.head,
        bench.scalp,
        position=position if isinstance(position, str) else _point(position),
        handle_angle_deg=handle_angle_deg,
        distance_mm=distance_mm,
        where=f"coil {bench.coil.name!r}",
    )
    coil = stand(bench.coil, bench.scalp, pose, contact="lift")
    return solve_rig(bench, replace(rig, coil=coil), way=way)


def stance(bench: Bench, coil: Coil) -> tuple[Floats, float, float]:
    """Return how a coil stands: the scalp under it (m), handle angle (deg), distance (mm).

    `place_coil` with these puts a coil that stands upright on the scalp where it was.
    """
    from rheobase.fields.coils.placing import NORMAL_RADIUS

    handle, axis, middle = coil.pose[:3, 1], coil.pose[:3, 2], coil.pose[:3, 3]
    away = 0.0
    for _ in range(STEPS):  # down the coil's axis to the scalp
        below = middle - away * axis
        away += float((below - bench.scalp.nearest(below)[0]) @ axis)
    foot = bench.scalp.nearest(middle - away * axis)[0]
    frame = bench.scalp.frame(foot, where=f"coil {coil.name!r}", radius=NORMAL_RADIUS)
    outwards = -frame.right if foot[0] < -1e-3 else frame.right
    angle = np.rad2deg(np.arctan2(handle @ outwards, -(handle @ frame.front)))
    return foot, float(angle), 1e3 * away


def solve_rig(bench: Bench, rig: Rig, *, way: Way = "exact") -> Moved:
    """Return the field of a device where it is.

    Raises
    ------
    InputError
        As `place_electrode` and `place_coil`.
    """
    check_option("way", way, WAYS, where="placing")
    start = perf_counter()
    found = (_exact if way == "exact" else _prepared)(bench, rig)
    return replace(found, seconds=perf_counter() - start)


def scaled(bench: Bench, moved: Moved, rig: Rig) -> Moved:
    """Return the field of the same places at other amplitudes: nothing is solved again."""
    factor = rig.amplitudes / moved.rig.amplitudes
    E = factor[:, None, None] * moved.E
    volts: list[float] = []
    for m, f in zip(moved.rig.montages, factor, strict=False):
        first = len(volts)
        volts += [f * v for v in moved.voltages[first : first + len(m.electrodes)]]
    strength = _strength(bench.study, E)
    return replace(moved, rig=rig, E=E, strength=strength, voltages=tuple(volts))


def _exact(bench: Bench, rig: Rig) -> Moved:
    from rheobase.fields.conduction import solve_conduction
    from rheobase.fields.induction import solve_induction

    if rig.coil is not None:
        basis = solve_induction(bench.conductor, rig.coil, allow_intersection=True)
        how = f"solved for coil {rig.coil.name!r} here"
    else:
        basis = solve_conduction(bench.conductor, rig.montages)
        models = " and ".join(sorted({e.model for e in rig.electrodes.values()}))
        how = f"solved for these electrodes here ({models} model)"
    volts = [a * v for a, r in zip(rig.amplitudes, basis.report, strict=True) for v in r.voltages]
    E = rig.amplitudes[:, None, None] * basis.E
    return Moved(
        rig=rig,
        E=E,
        strength=_strength(bench.study, E),
        how=how,
        error=None,
        seconds=0.0,
        voltages=tuple(volts),
    )


def _prepared(bench: Bench, rig: Rig) -> Moved:
    responses: Any = bench.responses
    if responses is None:
        what = "lead field" if bench.coil is None else "coil modes"
        raise InputError(f"expected the {what} of head {bench.head.name!r}: prepare them first")
    E = np.full((len(rig.amplitudes), len(bench.split.node), 3), np.nan)
    inside = " and ".join(t.replace("_", " ") for t in bench.tissues)
    if rig.coil is not None:
        unit, missing = responses.field(rig.coil)
        E[0, responses.kept] = rig.dIdt * unit
        how = f"from {len(responses.singular)} modes of the head, in {inside}"
        return Moved(
            rig=rig,
            E=E,
            strength=_strength(bench.study, E),
            how=how,
            error=missing,
            seconds=0.0,
        )
    snapped, volts = [], []
    far = 0.0
    for k, montage in enumerate(rig.montages):
        electrodes, currents = [], {}
        for e, current in zip(montage.electrodes, montage.currents, strict=True):
            name, away = nearest_position(bench.head, e.centre, responses.names)
            if name in currents:
                raise InputError(
                    f"two electrodes would both be at {name}, the nearest 10-10 position: "
                    "move one of them or solve exactly"
                )
            currents[name], far = current, max(far, away)
            electrodes.append(replace(e, centre=bench.head.position(name)))
        E[k, responses.kept] = responses.field(currents)
        U = responses.voltages(currents)
        volts += [U[name] for name in currents]
        snapped.append(replace(montage, electrodes=tuple(electrodes)))
    how = (
        f"from the lead field, in {inside}: ideal discs of 6 mm radius at the nearest 10-10 "
        f"positions, up to {1e3 * far:.0f} mm from where the electrodes were put"
    )
    return Moved(
        rig=replace(rig, montages=tuple(snapped)),
        E=E,
        strength=_strength(bench.study, E),
        how=how,
        error=None,
        seconds=0.0,
        voltages=tuple(volts),
    )


def _strength(study: Study, E: Floats) -> Floats:
    """Return what is drawn of the fields of all sources: |E|, or the envelope of their carriers."""
    from rheobase.fields.interference import envelope_along, envelope_max
    from rheobase.tables.electrodes import TI

    table = study.device
    if not isinstance(table, TI):
        size: Floats = np.linalg.norm(E[0], axis=-1)
        return size
    known = np.isfinite(E).all(axis=(0, 2))
    drawn = np.full(E.shape[1], np.nan)
    carriers = table.carriers()
    drawn[known] = (
        envelope_max(E[:, known], carriers)
        if table.direction is None
        else envelope_along(E[:, known], table.direction, carriers)
    )
    return drawn


def nearest_position(
    head: Head, point: ArrayLike, names: tuple[str, ...] | None = None
) -> tuple[str, float]:
    """Return the 10-10 position nearest to a point (m), and how far it is (m).

    Raises
    ------
    InputError
        If the head has none.
    """
    known = {n: p for n, p in head.positions.items() if names is None or n in names}
    if not known:
        raise InputError(f"head {head.name!r} has no 10-10 positions")
    away = np.linalg.norm(np.stack(list(known.values())) - np.asarray(point), axis=1)
    best = int(away.argmin())
    return list(known)[best], float(away[best])


def _point(place: ArrayLike) -> Floats:
    point = np.asarray(place, dtype=np.float64)
    if point.shape != (3,) or not np.isfinite(point).all():
        raise InputError(f"expected three finite coordinates (m), got {place!r}")
    return point
