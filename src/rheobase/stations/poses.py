"""Where a coil stands best: every position and angle over a target, and the field of the best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rheobase._progress import stage
from rheobase.dosing_views import draw_angles, draw_poses, draw_shares
from rheobase.meshes.placing.scalp import Scalp
from rheobase.meshes.spaces import is_mni
from rheobase.pose_files import MNI, NATIVE, in_mm, write_poses
from rheobase.report import Section, Table
from rheobase.scenes.device import coil_layers
from rheobase.stations.again import write_study
from rheobase.stations.aiming import aim, place_targets
from rheobase.stations.currents_book import write_field
from rheobase.stations.field import field_pictures
from rheobase.stations.placing import direction_to
from rheobase.stations.recruiting_poses import Fired, fire, fired_by
from rheobase.tables.optimise import OptimiseStudy, OptimiseTMS
from rheobase.tables.text import plain
from rheobase.views import COLOURS, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rheobase.fields.coils.coil import Coil
    from rheobase.fields.optimisation.target import Target
    from rheobase.fields.targeting.reciprocity import TargetingMap
    from rheobase.meshes.head import Head
    from rheobase.meshes.placing.scalp import Frame
    from rheobase.stations.book import Book

Floats = NDArray[np.float64]

NEARER_mm = 0.5  # than asked for, of a coil on a rough scalp: what is told


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Ranked:
    """What of all poses is compared.

    Parameters
    ----------
    poses
        Every pose, and the field of it.
    values
        What is to be large, as tables show it, shape (p, a).
    best
        Position and angle that are chosen.
    name, key
        Of the values, in tables and in files.
    """

    poses: TargetingMap
    values: Floats
    best: tuple[int, int]
    name: str
    key: str

    def first(self, count: int) -> list[tuple[int, int]]:
        """Return the best pose at each of the best positions, the chosen one first."""
        angle = self.values.argmax(axis=1)
        angle[self.best[0]] = self.best[1]
        order = np.argsort(-self.values.max(axis=1), kind="stable")
        order = np.concatenate([[self.best[0]], order[order != self.best[0]]])[:count]
        return [(int(i), int(angle[i])) for i in order]


def poses_station(study: OptimiseStudy, table: OptimiseTMS, head: Head, book: Book) -> None:
    """Find the pose, solve for its field, write both, draw all poses, tabulate the best."""
    from rheobase.fields.coils.placing import stand
    from rheobase.fields.focality import tissue_focality
    from rheobase.fields.induction import solve_induction
    from rheobase.fields.optimisation.target import rows
    from rheobase.fields.solver import Conductor
    from rheobase.fields.targeting.poses import scalp_grid
    from rheobase.fields.targeting.reciprocity import reciprocity

    coil = table.open_coil()
    target = aim(study.target, head)
    cells = place_targets(study.target, head, study.seed)
    scalp = Scalp(head.mesh)
    frame = scalp.frame(scalp.nearest(target.centre)[0], where="target")
    along, points = scalp_grid(frame, table.radius_mm * 1e-3, table.spacing_mm * 1e-3)
    conductor = Conductor(head)
    # a turned coil has the same |E|
    round_ = 180.0 if target.direction is None and cells is None else 360.0
    found = reciprocity(conductor, target).map(
        coil,
        positions=points,
        angles_deg=np.arange(0.0, round_, table.step_deg),
        distance_mm=table.distance_mm,
    )
    fired = None if cells is None else fire(table, head, conductor, cells, coil, found)
    ranked = _ranked(found, fired)
    placed = stand(coil, scalp, found.poses[ranked.best], contact="lift")
    basis = solve_induction(conductor, placed, allow_intersection=True)  # lifted out already
    value = float(np.linalg.norm(rows(basis, target))) * 1e6  # at 1 A/µs
    rate = table.intensity_A_per_us or (
        1.0 if table.field_V_per_m is None else table.field_V_per_m / value
    )
    strength = basis.magnitude([rate * 1e6])
    region = study.target.region(head)
    spread = tissue_focality(basis, strength, head, tissues=study.target.tissues, target=region)
    _write(study, table, head, ranked, rate, book)
    reached = [
        ("in the target, solved for (V/m at 1 A/µs)", value),
        ("dI/dt (A/µs)", rate),
        ("in the target at that (V/m)", rate * value),
        ("|E|, 99.9 % of the tissue at that (V/m)", spread.reference),
    ]
    curve = None
    if fired is not None:
        assert cells is not None  # there are thresholds of them
        solved = fired_by(table, coil, basis, cells)
        curve = solved.threshold[0] * 1e-6
        reached += fired.rows(curve, rate)
        with book.file("recruitment", ".nc", title="Thresholds of cells", role="cells") as part:
            solved.save(part)
        book.notes.extend(solved.notes)
        if not fired.share[fired.best]:
            book.notes.append(
                f"No cell fires at {rate:.4g} A/µs: which pose is best is not told by that. The "
                f"lowest threshold at the one shown is {np.nanmin(curve):.4g} A/µs."
            )
    tables = {
        "Best poses": _poses_table(ranked, table.poses),
        "Reached": Table(columns=("quantity", "value"), rows=reached),
    }
    book.tables.update(tables)
    with stage("pictures"):
        pictures = [
            book.picture(
                "poses",
                _figure(ranked, frame, along, rate, table.spacing_mm * 1e-3, curve),
                "Every position: the largest value over all angles, and the direction in which the "
                "coil drives current at the best one; the red ring is the best position. Then: "
                "all angles there"
                + ("." if curve is None else ", and the cells that fire, solved for at the best."),
            ),
            *field_pictures(
                head,
                basis,
                strength,
                name="E magnitude",
                unit=f"V/m at {rate:.3g} A/µs",
                limit=spread.reference,
                centre=target.centre,
                E=basis.combine([rate * 1e6]),
                devices=coil_layers(placed),
                view=direction_to(head, placed.pose[:3, 3]),
                book=book,
            ),
        ]
    best = ranked.best
    book.facts["Target"] = study.target.title
    book.facts["Device"] = coil.name
    book.facts["Best pose"] = (
        f"handle at {float(found.angles_deg[best[1]]):g}°, {value:.3g} V/m in the target at 1 A/µs"
    )
    write_field(head, basis, {"E": basis.combine([rate * 1e6])}, book)
    book.sections.append(
        Section(
            title="Pose of the coil",
            paragraphs=_paragraphs(study, ranked, fired, target, coil, rate, value),
            figures=pictures,
            tables=[Table(columns=t.columns, rows=t.rows, title=k) for k, t in tables.items()],
        )
    )
    book.notes.extend(placed.notes)
    near = float(found.clearance[ranked.best]) * 1e3
    if near < table.distance_mm - NEARER_mm:
        book.notes.append(
            f"The coil is {near:.1f} mm off the scalp at the best pose, where nearest; the "
            f"{table.distance_mm:g} mm of distance_mm are from the scalp below its middle. Part of "
            "its lead over the others may be that."
        )
    if coil.dIdt_max is not None and rate * 1e6 > coil.dIdt_max:
        book.notes.append(
            f"{rate:.3g} A/µs are needed; the stimulator of coil {coil.name!r} gives at most "
            f"{coil.dIdt_max * 1e-6:g} A/µs."
        )
    book.details["optimise"] = {
        "kind": "tms",
        "goal": table.goal,
        "coil": coil.name,
        "target": study.target.title,
        "target_centre_m": target.centre,
        "poses": int(np.prod(found.values.shape)),
        "pose_m": found.poses[ranked.best],
        "by_reciprocity_V_per_m_at_1_A_per_us": float(found.values[ranked.best] * 1e6),
        "solved_V_per_m_at_1_A_per_us": value,
        "dIdt_A_per_us": rate,
        **({} if fired is None or curve is None else fired.facts(curve, rate)),
    }


def _ranked(found: TargetingMap, fired: Fired | None) -> Ranked:
    if fired is None:
        return Ranked(
            poses=found,
            values=found.values * 1e6,
            best=found.best,
            name="in the target (V/m at 1 A/µs)",
            key="in_target_V_per_m_at_1_A_per_us",
        )
    return Ranked(
        poses=found,
        values=100 * fired.share,
        best=fired.best,
        name="cells that fire (%)",
        key="cells_that_fire_percent",
    )


def _paragraphs(
    study: OptimiseStudy,
    ranked: Ranked,
    fired: Fired | None,
    target: Target,
    coil: Coil,
    rate: float,
    value: float,
) -> list[str]:
    found = ranked.poses
    where = ", ".join(f"{c * 1e3:.0f}" for c in target.centre)
    p, a = found.values.shape
    what = "length of the mean field" if target.direction is None else "mean field along it"
    by_map = float(found.values[ranked.best]) * 1e6
    text = [
        f"Target: {study.target.title}, {target.volume * 1e6:.2f} cm³ of "
        f"{', '.join(study.target.tissues)} around ({where}) mm. Coil {coil.name}: {p:,} positions "
        f"× {a} angles = {p * a:,} poses by reciprocity, lifted where it would reach into the "
        f"head. The {what} of the best is {by_map:.4g} V/m at 1 A/µs; solved for at that pose, "
        f"{value:.4g} V/m."
    ]
    if fired is not None:
        return [*text, *fired.paragraphs(rate)]
    if target.direction is None:
        text.append(
            "Without a direction a coil turned by 180° does the same; angles are from 0 to 180°."
        )
    if study.optimise.field_V_per_m is not None:
        text.append(f"{study.optimise.field_V_per_m:g} V/m in the target need {rate:.4g} A/µs.")
    return text


def _poses_table(ranked: Ranked, count: int) -> Table:
    found = ranked.poses
    return Table(
        columns=(
            *("rank", "coil at (mm)", "handle (°)", ranked.name),
            *("lifted by (mm)", "clearance (mm)"),
        ),
        rows=[
            (
                k,
                ", ".join(f"{c * 1e3:.1f}" for c in found.poses[i, j, :3, 3]),
                float(found.angles_deg[j]),
                float(ranked.values[i, j]),
                float(found.lift[i, j] * 1e3),
                float(found.clearance[i, j] * 1e3),
            )
            for k, (i, j) in enumerate(ranked.first(count), start=1)
        ],
    )


def _write(
    study: OptimiseStudy,
    table: OptimiseTMS,
    head: Head,
    ranked: Ranked,
    rate: float,
    book: Book,
) -> None:
    """Write the best poses, the map of all, and a study of the best."""
    found, first = ranked.poses, ranked.first(table.poses)
    write_poses(
        book.door("pose", title="Best poses of the coil", role="montage"),
        np.stack([found.poses[at] for at in first]),
        names=[f"pose {k}" for k in range(1, len(first) + 1)],
        rows=[
            {
                "handle_angle_deg": float(found.angles_deg[j]),
                ranked.key: float(ranked.values[i, j]),
                "clearance_mm": float(found.clearance[i, j] * 1e3),
            }
            for i, j in first
        ],
        facts={
            "title": study.title,
            "head": head.name,
            "space": head.space,
            "target": study.target.title,
            "coil": found.coil.name,
            "dIdt_A_per_us": rate,
        },
        space=MNI if is_mni(head.space) else NATIVE,
    )
    with book.file("pose", ".npz", desc="map", title="The map of all poses") as part:
        np.savez_compressed(
            part,
            allow_pickle=False,
            positions_m=found.positions,
            angles_deg=found.angles_deg,
            poses_m=found.poses,
            lift_m=found.lift,
            clearance_m=found.clearance,
            field_V_per_m=found.field * 1e6,
            **({} if table.goal == "field" else {ranked.key: ranked.values}),
        )
    device = {
        "kind": "tms",
        "coil": plain(table.coil),
        "deformations": table.deformations,
        "matrix_frame": "rheobase",
        "matrix_mm": in_mm(found.poses[ranked.best]).tolist(),
        "contact": "lift",
        **({} if table.waveform is None else {"waveform": plain(table.waveform)}),
    }
    what = {
        "title": f"{study.title}: the pose that was found",
        "device": device,
        "results": {"intensity_A_per_us": rate},
    }
    write_study(book, study, what)


def _figure(
    ranked: Ranked,
    frame: Frame,
    along: Floats,
    rate: float,
    spacing: float,
    curve: Floats | None,
) -> Figure:
    """Draw the best value at every place, all angles at the best, and the cells that fire."""
    i, _ = ranked.best
    found = ranked.poses
    fires = curve is not None
    values = ranked.values if fires else ranked.values * rate
    label = f"cells that fire at {rate:.3g} A/µs (%)" if fires else ""
    label = label or f"in the target (V/m at {rate:.3g} A/µs)"
    best = values.argmax(axis=1)
    best[i] = ranked.best[1]
    current = -found.poses[np.arange(len(best)), best, :3, 1]  # away from the handle
    figure = new_figure(15.0 if fires else 10.5, 4.6)
    everywhere, angles, *more = figure.subplots(
        1, 2 + fires, width_ratios=(1.15, 1, 1) if fires else (1.15, 1)
    )
    shown = draw_poses(
        everywhere,
        along,
        values.max(axis=1),
        current @ np.stack([frame.right, frame.front], axis=1),
        best=i,
        spacing=spacing,
        arrows=fires or found.field.shape[2] == 1,
    )
    figure.colorbar(shown, ax=everywhere, label=label)
    draw_angles(angles, found.angles_deg, {"best position": values[i]}, ylabel=label)
    low, high = float(values[i].min()), float(values[i].max())
    angles.set(ylim=(1.1 * min(0.0, low), 1.1 * high or 1.0))
    if curve is not None:
        draw_shares(
            more[0],
            {"best pose": (curve, np.ones(len(curve)), COLOURS[0])},
            above=False,
            xlabel="largest rate of change of the coil current (A/µs)",
            ylabel="cells that fire (%)",
            marks={f"{rate:.3g} A/µs": (rate, "k")},
        )
    return figure
