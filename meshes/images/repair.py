"""Repair of a label image, where that is safe, with a report of every voxel changed.

Mended are slices without labels, specks beside the head, small holes, islands, holes in the bone
through which CSF meets the scalp, and brain that touches bone (one voxel of CSF is put between, out
of the bone where that is thick enough; the rule of Huang et al. 2013,
doi:10.1088/1741-2560/10/6/066004, who take it from the bone everywhere). A step that would change
the volume of a tissue by more than a tenth is not made. Everything else is only reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase.meshes.images.label_tables import Labels, LabelTable, label_counts
from rheobase.meshes.images.mending import Finding, Work, centre
from rheobase.meshes.tissues import load_tissues

Image = NDArray[np.uint16]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class RepairReport:
    """What was found and changed in a label image.

    Parameters
    ----------
    findings
        In the order in which they were found.
    before, after
        Volume of each tissue (m³).
    """

    findings: tuple[Finding, ...]
    before: Mapping[str, float]
    after: Mapping[str, float]

    def notes(self) -> list[str]:
        """Return the findings in words, and the tissues whose volume changed."""
        changed = [
            f"{name} {100 * (self.after.get(name, 0.0) / v - 1):+.2f} %"
            for name, v in self.before.items()
            if abs(self.after.get(name, 0.0) / v - 1) > 5e-5
        ]
        said = [f.text for f in self.findings]
        return said + ([f"volumes changed by the repair: {', '.join(changed)}"] if changed else [])

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return {
            "findings": [asdict(f) for f in self.findings],
            "volume before (m3)": dict(self.before),
            "volume after (m3)": dict(self.after),
        }

    def __str__(self) -> str:
        """Return the findings, one a line."""
        return "\n".join(self.notes()) or "nothing to repair"


def repair(
    image: Labels,
    affine: NDArray[np.float64],
    *,
    names: Mapping[int, str] | None = None,
    air: Bools | None = None,
    mend: bool = True,
) -> tuple[Image, RepairReport]:
    """Repair a label image.

    Parameters
    ----------
    image
        Labels of tissues, shape (nx, ny, nz); 0 is outside.
    affine
        Voxel indices to world (m), shape (4, 4); axes nearest to right, front, up.
    names
        Name of the tissue of each label; those of ``data/tissues.csv`` if None.
    air
        Voxels that are labelled as air inside the head: never filled. None where none are.
    mend
        False: report only.

    Returns
    -------
    image : ndarray of uint16
        A mended copy, or one as it was.
    report : RepairReport
    """
    if names is None:
        names = {t.label: t.name for t in load_tissues().values()}
    work = Work(image, affine, names, air)
    before = work.volumes()
    work.edges()
    work.run(work.slices, mend)
    work.run(work.specks, mend)
    work.run(work.holes, mend)
    work.run(work.islands, mend)
    work.run(work.bone, mend)
    work.run(work.fluid, mend)
    if mend:
        work.run(work.islands, mend)  # what the two steps before left of thin bone
    work.few()
    return work.whole(), RepairReport(
        findings=tuple(work.findings), before=before, after=work.volumes()
    )


def mirrored(values: Labels, affine: NDArray[np.float64], table: LabelTable) -> str | None:
    """Return a warning when the labels of the left side lie to the right of those of the right.

    Parameters
    ----------
    values
        Labels as in the file, shape (nx, ny, nz).
    affine
        Voxel indices to world, shape (4, 4); x to the right.
    table
        Their names: those that begin with "left" or "ctx-lh", and the like, tell the side.
    """
    sides: dict[str, list[int]] = {"l": [], "r": []}
    for label in label_counts(values):
        words = table.names.get(label, "").lower().replace("_", "-").split("-")
        if words[0] in ("left", "right"):
            sides[words[0][0]].append(label)
        elif len(words) > 1 and words[0] in ("ctx", "wm") and words[1] in ("lh", "rh"):
            sides[words[1][0]].append(label)
    if not sides["l"] or not sides["r"]:
        return None
    x = [float(affine[0, :3] @ centre(np.isin(values, sides[side]))) for side in ("l", "r")]
    if x[0] < x[1]:
        return None
    return (
        f"left labels lie {1e3 * (x[0] - x[1]):.0f} mm to the right of right labels: the affine of "
        "the image is mirrored, or the sides of its labels are swapped; nothing was turned"
    )
