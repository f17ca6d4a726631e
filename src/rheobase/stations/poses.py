"""Where a coil stands best: every position and angle over a target, and the field of the best."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase._files import whole_file
from rheobase._progress import stage
from rheobase.dosing_views import draw_angles, draw_poses
from rheobase.field_views import coil_scene
from rheobase.meshes.placing.scalp import Scalp
from rheobase.meshes.spaces import is_mni
from rheobase.pose_files import MNI, NATIVE, in_mm, write_poses
from rheobase.report import Section, Table
from rheobase.stations.again import write_study
from rheobase.stations.aiming import aim
from rheobase.stations.currents_book import write_field
from rheobase.stations.field import field_pictures
from rheobase.stations.placing import direction_to
from rheobase.tables.optimise import OptimiseStudy, OptimiseTMS
from rheobase.views import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rheobase.fields.coils.coil import Coil
    from rheobase.fields.optimisation.target import Target
    from rheobase.fields.targeting.reciprocity import TargetingMap
    from rheobase.meshes.head import Head
    from rheobase.meshes.placing.scalp import Frame
    from rheobase.stations.book import Book

Floats = NDArray[np.float64]


def poses_station(study: OptimiseStudy, table: OptimiseTMS, head: Head, book: Book) -> None:
    """Find the pose, solve for its field, write both, draw all poses, tabulate the best."""
    from rheobase.fields.focality import tissue_focality
    from rheobase.fields.induction import solve_induction
    from rheobase.fields.optimisation.target import rows
    from rheobase.fields.solver import Conductor
    from rheobase.fields.targeting.poses import scalp_grid
    from rheobase.fields.targeting.reciprocity import reciprocity

    coil = table.open_coil()
    target = aim(study.target, head)
    scalp = Scalp(head.mesh)
    frame = scalp.frame(scalp.nearest(target.centre)[0], where="target")
    along, points = scalp_grid(frame, table.radius_mm * 1e-3, table.spacing_mm * 1e-3)
    conductor = Conductor(head)
    round_ = 180.0 if target.direction is None else 360.0  # a turned coil has the same |E|
    found = reciprocity(conductor, target).map(
        coil,
        positions=points,
        angles_deg=np.arange(0.0, round_, table.step_deg),
        distance_mm=table.distance_mm,
    )
    placed = found.placed()
    basis = solve_induction(conductor, placed, allow_intersection=True)  # lifted out already
    value = float(np.linalg.norm(rows(basis, target))) * 1e6  # at 1 A/µs
    rate = 1.0 if table.field_V_per_m is None else table.field_V_per_m / value
    strength = basis.magnitude([rate * 1e6])
    region = study.target.region(head)
    spread = tissue_focality(basis, strength, head, tissues=study.target.tissues, target=region)
    ranked = _ranked(found, table.poses)
    book.files.extend(_write(study, table, head, found, ranked, rate, book))
    tables = _tables(found, ranked, rate, value, spread.reference)
    book.tables.update(tables)
    with stage("pictures"):
        pictures = [
            book.picture(
                "poses",
                _figure(found, frame, along, rate, table.spacing_mm * 1e-3),
                "Every position: the largest value over all angles, and the direction in which the "
                "coil drives current at the best one; the red ring is the best position. Right: "
                "all angles there.",
            ),
            *field_pictures(
                head,
                basis,
                strength,
                name="E magnitude",
                unit=f"V/m at {rate:.3g} A/µs",
                limit=spread.reference,
                centre=target.centre,
                scene=coil_scene(placed),
                view=direction_to(head, placed.pose[:3, 3]),
                book=book,
            ),
        ]
    write_field(head, basis, {"E": basis.combine([rate * 1e6])}, book)
    book.sections.append(
        Section(
            title="Pose of the coil",
            paragraphs=_paragraphs(study, found, target, coil, rate, value),
            figures=pictures,
            tables=[Table(columns=t.columns, rows=t.rows, title=k) for k, t in tables.items()],
        )
    )
    book.notes.extend(placed.notes)
    if coil.dIdt_max is not None and rate * 1e6 > coil.dIdt_max:
        book.notes.append(
            f"{rate:.3g} A/µs are needed; the stimulator of coil {coil.name!r} gives at most "
            f"{coil.dIdt_max * 1e-6:g} A/µs."
        )
    book.details["optimise"] = {
        "kind": "tms",
        "coil": coil.name,
        "target": study.target.title,
        "target_centre_m": target.centre,
        "poses": int(np.prod(found.values.shape)),
        "pose_m": found.best_pose,
        "by_reciprocity_V_per_m_at_1_A_per_us": float(found.values.max() * 1e6),
        "solved_V_per_m_at_1_A_per_us": value,
        "dIdt_A_per_us": rate,
    }


def _paragraphs(
    study: OptimiseStudy,
    found: TargetingMap,
    target: Target,
    coil: Coil,
    rate: float,
    value: float,
) -> list[str]:
    where = ", ".join(f"{c * 1e3:.0f}" for c in target.centre)
    p, a = found.values.shape
    what = "length of the mean field" if target.direction is None else "mean field along it"
    by_map = float(found.values.max()) * 1e6
    text = [
        f"Target: {study.target.title}, {target.volume * 1e6:.2f} cm³ of "
        f"{', '.join(study.target.tissues)} around ({where}) mm. Coil {coil.name}: {p:,} positions "
        f"× {a} angles = {p * a:,} poses by reciprocity, lifted where it would reach into the "
        f"head. The {what} of the best is {by_map:.4g} V/m at 1 A/µs; solved for at that pose, "
        f"{value:.4g} V/m."
    ]
    if target.direction is None:
        text.append(
            "Without a direction a coil turned by 180° does the same; angles are from 0 to 180°."
        )
    if study.optimise.field_V_per_m is not None:
        text.append(f"{study.optimise.field_V_per_m:g} V/m in the target need {rate:.4g} A/µs.")
    return text


def _ranked(found: TargetingMap, count: int) -> list[tuple[int, int]]:
    """Return position and angle of the best pose at each of the best positions, best first."""
    values = found.values
    angle = values.argmax(axis=1)
    order = np.argsort(-values.max(axis=1), kind="stable")[:count]
    return [(int(i), int(angle[i])) for i in order]


def _tables(
    found: TargetingMap,
    ranked: list[tuple[int, int]],
    rate: float,
    value: float,
    reference: float,
) -> dict[str, Table]:
    poses = Table(
        columns=(
            *("rank", "coil at (mm)", "handle (°)", "in the target (V/m at 1 A/µs)"),
            *("lifted by (mm)", "clearance (mm)"),
        ),
        rows=[
            (
                k,
                ", ".join(f"{c * 1e3:.1f}" for c in found.poses[i, j, :3, 3]),
                float(found.angles_deg[j]),
                float(found.values[i, j] * 1e6),
                float(found.lift[i, j] * 1e3),
                float(found.clearance[i, j] * 1e3),
            )
            for k, (i, j) in enumerate(ranked, start=1)
        ],
    )
    reached = Table(
        columns=("quantity", "value"),
        rows=[
            ("in the target, solved for (V/m at 1 A/µs)", value),
            ("dI/dt (A/µs)", rate),
            ("in the target at that (V/m)", rate * value),
            ("|E|, 99.9 % of the tissue at that (V/m)", reference),
        ],
    )
    return {"Best poses": poses, "Reached": reached}


def _write(
    study: OptimiseStudy,
    table: OptimiseTMS,
    head: Head,
    found: TargetingMap,
    ranked: list[tuple[int, int]],
    rate: float,
    book: Book,
) -> list[Any]:
    """Write the best poses, the map of all, and a study of the best."""
    files = write_poses(
        book.out,
        np.stack([found.poses[at] for at in ranked]),
        names=[f"pose {k}" for k in range(1, len(ranked) + 1)],
        rows=[
            {
                "handle_angle_deg": float(found.angles_deg[j]),
                "in_target_V_per_m_at_1_A_per_us": float(found.values[i, j] * 1e6),
                "clearance_mm": float(found.clearance[i, j] * 1e3),
            }
            for i, j in ranked
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
    whole = book.out / "poses.npz"
    with whole_file(whole) as part:
        np.savez_compressed(
            part,
            allow_pickle=False,
            positions_m=found.positions,
            angles_deg=found.angles_deg,
            poses_m=found.poses,
            lift_m=found.lift,
            clearance_m=found.clearance,
            field_V_per_m=found.field * 1e6,
        )
    what = {
        "title": f"{study.title}: the pose that was found",
        "device": {
            "kind": "tms",
            "coil": table.coil if isinstance(table.coil, str) else table.coil.absolute(),
            "deformations": table.deformations,
            "matrix_frame": "rheobase",
            "matrix_mm": in_mm(found.best_pose).tolist(),
            "contact": "lift",
        },
        "results": {"intensity_A_per_us": rate},
    }
    return [*files, whole, write_study(book.out, study, what)]


def _figure(
    found: TargetingMap, frame: Frame, along: Floats, rate: float, spacing: float
) -> Figure:
    """Draw the best value at every place along the scalp, and all angles at the best place."""
    i, _ = found.best
    values = found.values * rate * 1e6
    best = values.argmax(axis=1)
    current = -found.poses[np.arange(len(best)), best, :3, 1]  # away from the handle
    figure = new_figure(10.5, 4.6)
    everywhere, angles = figure.subplots(1, 2, width_ratios=(1.15, 1))
    shown = draw_poses(
        everywhere,
        along,
        values.max(axis=1),
        current @ np.stack([frame.right, frame.front], axis=1),
        best=i,
        spacing=spacing,
        arrows=found.field.shape[2] == 1,
    )
    label = f"in the target (V/m at {rate:.3g} A/µs)"
    figure.colorbar(shown, ax=everywhere, label=label)
    draw_angles(angles, found.angles_deg, {"best position": values[i]}, ylabel=label)
    angles.set(ylim=(1.1 * min(0.0, float(values[i].min())), 1.1 * float(values[i].max())))
    return figure
