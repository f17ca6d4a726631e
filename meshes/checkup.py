"""A look at a whole head: mesh, closed layers, labels, landmarks, cortex, values.

Each finding is a sentence that says what was looked at and what was found; those that fail make a
head unfit for a simulation without a second look.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rheobase.meshes.contacts import SharedNodes
from rheobase.meshes.cortex.layers import quadratic
from rheobase.meshes.head import Head
from rheobase.meshes.heads.mni152 import on_surface
from rheobase.meshes.heads.sizes import sizes
from rheobase.meshes.quality import Quality, quality

#: Smallest dihedral angle (°) of a good mesh, and that of its first percentile of tetrahedra.
MIN_DIHEDRAL, P1_DIHEDRAL = 5.0, 12.0
#: Contact of layers that should not touch, relative to the surface of the inner one, that fails.
MOST_CONTACT = 1e-3
#: A label with fewer tetrahedra is told as tiny.
FEW_TETS = 50
#: Farthest that a landmark or an electrode may lie from the surface, relative to the head's width.
FAR = 0.03
#: Share of the grey matter that the columns of a cortical sheet should fill; the deep nuclei have
#: none.
LEAST_COVERED = 0.7
#: Slices of each column that are looked at.
SLICES = 5

#: Layers from the inside out; what is not named here (vessels, eyes …) may touch anything.
LAYERS = (
    ("brain", frozenset({"white_matter", "grey_matter"})),
    ("csf", frozenset({"csf"})),
    ("bone", frozenset({"skull", "compact_bone", "spongy_bone"})),
    ("cover", frozenset({"scalp", "skin", "fat", "muscle"})),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What one look at a head found.

    Parameters
    ----------
    topic
        What was looked at.
    level
        "ok", "note" or "fails".
    text
        One sentence.
    """

    topic: str
    level: str
    text: str


def check_up(head: Head) -> list[Finding]:
    """Look at a head from all sides.

    Returns
    -------
    list of Finding
        In the order of looking; the head is fit if none of them has the level "fails".
    """
    worth = quality(head.mesh)
    return [
        *_units(head, worth),
        *_mesh(worth),
        *_layers(head),
        *_labels(head),
        *_landmarks(head),
        *_cortex(head),
        *_values(head),
    ]


def _units(head: Head, worth: Quality) -> list[Finding]:
    extent = np.ptp(head.mesh.nodes, axis=0)
    limits = sizes()[head.species]
    width = f"{' x '.join(f'{x * 1e3:.0f}' for x in extent)} mm"
    if not limits.width[0] <= extent.max() <= limits.width[1]:
        level, text = (
            "fails",
            f"{width}, expected {limits.width[0] * 1e3:g} to {limits.width[1] * 1e3:g} mm "
            f"for a {head.species}",
        )
        if extent.max() < limits.width[0]:
            level = "note"  # a block of tissue may be smaller than a head
    else:
        level, text = "ok", f"{width}, as a {head.species} can be"
    found = [Finding(topic="size", level=level, text=text)]
    names = {label: t.name for label, t in head.tissues.items()}
    brain = sum(v for k, v in worth.volumes.items() if names[k] in LAYERS[0][1])
    whole = any(names[k] in LAYERS[3][1] for k in worth.volumes)
    if whole and brain and {names[k] for k in worth.volumes} >= LAYERS[0][1]:
        fits = limits.brain[0] <= brain <= limits.brain[1]
        found.append(
            Finding(
                topic="brain volume",
                level="ok" if fits else "fails",
                text=f"{brain * 1e6:.4g} cm³ of grey and white matter"
                + (
                    ""
                    if fits
                    else f", expected {limits.brain[0] * 1e6:g} to {limits.brain[1] * 1e6:g} cm³ "
                    f"for a {head.species}"
                ),
            )
        )
    return found


def _mesh(worth: Quality) -> list[Finding]:
    def of(ok: bool) -> str:
        return "ok" if ok else "fails"

    return [
        Finding(
            topic="conformity",
            level=of(worth.n_bad_faces == 0 and worth.n_inverted == 0),
            text=f"{worth.n_tets:,} tetrahedra, {worth.n_inverted} inverted, "
            f"{worth.n_bad_faces} faces with more than two tetrahedra",
        ),
        Finding(
            topic="angles",
            level=of(worth.min_dihedral >= MIN_DIHEDRAL and worth.p1_dihedral >= P1_DIHEDRAL),
            text=f"smallest dihedral angle {worth.min_dihedral:.1f}° (floor {MIN_DIHEDRAL:g}°), "
            f"1st percentile {worth.p1_dihedral:.1f}° (floor {P1_DIHEDRAL:g}°)",
        ),
    ]


def _layers(head: Head) -> list[Finding]:
    """Layers that are not neighbours must not touch: each closes off the one inside it."""
    present = [
        (name, {k for k, t in head.tissues.items() if t.name in members})
        for name, members in LAYERS
    ]
    on = set(np.unique(head.mesh.labels).tolist())
    present = [(name, labels & on) for name, labels in present if labels & on]
    if present and present[-1][0] == "cover":
        present.append(("outside", {0}))
    if len(present) < 3:
        return [Finding(topic="layers", level="note", text="fewer than three layers to be closed")]
    meeting = SharedNodes(head.mesh, outside=True)
    touching = {c.labels: c.area for c in meeting.contacts()}
    nodes = {name: meeting.of(*labels) for name, labels in present}
    found = []
    for i, (inner, labels) in enumerate(present):
        total = sum(a for (p, q), a in touching.items() if (p in labels) != (q in labels))
        for outer, others in present[i + 2 :]:
            area = sum(
                a
                for (p, q), a in touching.items()
                if (p in labels and q in others) or (q in labels and p in others)
            )
            shared = int(np.count_nonzero(nodes[inner] & nodes[outer]))
            between = present[i + 1][0]
            if area > 0:
                share = area / total
                found.append(
                    Finding(
                        topic="layers",
                        level="fails" if share > MOST_CONTACT else "note",
                        text=f"{inner} touches {outer} on {area * 1e4:.3g} cm² "
                        f"({100 * share:.2g} % of its surface): {between} has holes",
                    )
                )
            elif shared:
                found.append(
                    Finding(
                        topic="layers",
                        level="note",
                        text=f"{inner} and {outer} share {shared} nodes, and current crosses "
                        f"{between} there",
                    )
                )
    if not found:
        names = ", ".join(name for name, _ in present)
        found = [Finding(topic="layers", level="ok", text=f"closed from the inside out: {names}")]
    return found


def _labels(head: Head) -> list[Finding]:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    mesh = head.mesh
    labels, counts = np.unique(mesh.labels, return_counts=True)
    found = []
    for label, count in zip(labels.tolist(), counts.tolist(), strict=True):
        name = head.tissues[label].name
        if count < FEW_TETS:
            found.append(
                Finding(
                    topic="labels",
                    level="note",
                    text=f"{name} (label {label}) has {count} tetrahedra only",
                )
            )
        tets = mesh.tets[mesh.labels == label]
        used, number = np.unique(tets, return_inverse=True)
        number = number.reshape(-1, 4)
        ends = np.concatenate([number[:, [0, k]] for k in (1, 2, 3)])
        graph = coo_matrix((np.ones(len(ends), np.bool_), ends.T), shape=(len(used), len(used)))
        n, part = connected_components(graph, directed=False)
        if n > 1:
            size = np.bincount(part[number[:, 0]], minlength=n)
            found.append(
                Finding(
                    topic="labels",
                    level="note",
                    text=f"{name} (label {label}) is in {n} parts, the largest holds "
                    f"{100 * size.max() / size.sum():.2f} % of its tetrahedra",
                )
            )
    unused = sorted(set(head.tissues) - set(labels.tolist()))
    if unused:
        names = ", ".join(head.tissues[k].name for k in unused)
        found.append(
            Finding(topic="labels", level="note", text=f"no tetrahedron is labelled {names}")
        )
    if not found:
        found = [
            Finding(topic="labels", level="ok", text=f"{len(labels)} labels, each in one part")
        ]
    return found


def _landmarks(head: Head) -> list[Finding]:
    marks = dict(head.fiducials)
    if not marks and not head.positions:
        return [Finding(topic="landmarks", level="note", text="none: no electrode positions")]
    found = []
    for behind, ahead, axis, meaning in (
        ("lpa", "rpa", 0, "left and right"),
        ("inion", "nasion", 1, "back and front"),
        ("lambda", "bregma", 1, "back and front"),
    ):
        if behind in marks and ahead in marks and not marks[behind][axis] < marks[ahead][axis]:
            found.append(
                Finding(
                    topic="landmarks",
                    level="fails",
                    text=f"{behind} and {ahead} are the wrong way round ({meaning} swapped?)",
                )
            )
    wrong = [
        name
        for name, p in head.positions.items()
        if name[-1:].isdigit()
        and "Cz" in head.positions
        and (p[0] - head.positions["Cz"][0]) * (-1 if int(name[-1]) % 2 else 1) <= 0
    ]
    if wrong:
        found.append(
            Finding(
                topic="landmarks",
                level="fails",
                text=f"on the wrong side (odd numbers are left): {', '.join(wrong[:8])}",
            )
        )
    points = {**marks, **head.positions}
    inner = {"bregma", "lambda"}  # on the skull
    named = {name: p for name, p in points.items() if name not in inner}
    if named:
        moved = on_surface(head.mesh, named)
        away = [float(np.linalg.norm(moved[k] - p)) for k, p in named.items()]
        limit = FAR * float(np.ptp(head.mesh.nodes, axis=0).max())
        far = [f"{k} ({a * 1e3:.1f} mm)" for k, a in zip(named, away, strict=True) if a > limit]
        if far:
            found.append(
                Finding(
                    topic="landmarks",
                    level="fails",
                    text=f"farther than {limit * 1e3:.1f} mm from the surface: "
                    + ", ".join(far[:8]),
                )
            )
    if not found:
        found = [
            Finding(
                topic="landmarks",
                level="ok",
                text=f"{len(marks)} landmarks and {len(head.positions)} positions, on the surface "
                "and on their sides",
            )
        ]
    return found


def _cortex(head: Head) -> list[Finding]:
    if head.cortex is None:
        return [Finding(topic="cortex", level="note", text="no cortical sheet")]
    from rheobase.meshes.locate import Locator

    sheet = head.cortex
    grey = [k for k, t in head.tissues.items() if t.name == "grey_matter"]
    locator = Locator(head.mesh)

    def in_grey(depth: float) -> NDArray[np.bool_]:
        tet, _ = locator.locate(sheet.points(depth))
        return np.isin(np.where(tet >= 0, head.mesh.labels[tet], 0), grey)

    inside = in_grey(0.5).mean()
    filled = 0.0
    a, b, c = quadratic(sheet.sections())
    for k in range(SLICES):
        top, end = k / SLICES, (k + 1) / SLICES
        across = a * (end - top) + b * (end**2 - top**2) / 2 + c * (end**3 - top**3) / 3
        filled += float((sheet.thickness * across)[in_grey((top + end) / 2)].sum())
    volumes = head.mesh.tissue_volumes()
    whole = sum(volumes.get(k, 0.0) for k in grey)
    share = filled / whole if whole else 0.0
    low, middle, high = np.percentile(sheet.thickness, [5, 50, 95]) * 1e3
    found = [
        Finding(
            topic="cortex",
            level="ok" if inside > 0.8 else "fails" if grey else "note",
            text=f"{len(sheet.pial):,} columns, {sheet.area.sum() * 1e4:.4g} cm², thickness "
            f"{low:.2f}, {middle:.2f}, {high:.2f} mm (5, 50, 95 %); {100 * inside:.0f} % of their "
            "middles lie in grey matter",
        )
    ]
    if whole:
        found.append(
            Finding(
                topic="cortex",
                level="ok" if share >= LEAST_COVERED else "note",
                text=f"the columns fill {100 * share:.0f} % of the grey matter"
                + (
                    ""
                    if share >= LEAST_COVERED
                    else f", less than {100 * LEAST_COVERED:.0f} %: the rest has no depth, layers "
                    "or cells"
                ),
            )
        )
    return found


def _values(head: Head) -> list[Finding]:
    silent = [t.name for t in head.tissues.values() if "conductivity" not in t.properties]
    unsure = [
        t.name
        for t in head.tissues.values()
        if "conductivity" in t.properties
        and t.properties["conductivity"].status.startswith(("unverified", "peers disagree"))
    ]
    found = []
    if silent:
        found.append(
            Finding(
                topic="values",
                level="fails",
                text=f"no conductivity is known of {', '.join(silent)}",
            )
        )
    if unsure:
        found.append(
            Finding(
                topic="values",
                level="note",
                text=f"the conductivity of {', '.join(unsure)} is unverified",
            )
        )
    if not found:
        found = [
            Finding(topic="values", level="ok", text="a conductivity with a source for each tissue")
        ]
    return found
