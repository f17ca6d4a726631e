"""Each peer's amplitudes against the exact field: ``compare.py [FOLDER]``, after the others.

Prints a table and writes ``table.json``. Points from 4 mm to 27 mm ahead of the rear vertex and
within 9 mm of the axis in either direction count. For the slab there are two exact fields: that of
the slab where it is, and that of the slab as the grid's points see it, a quarter millimetre nearer.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from case import (
    APERTURE,
    BONE,
    FREQUENCY,
    PRESSURE,
    RADIUS,
    SHAPE,
    SLAB,
    STEP,
    WATER,
    depth,
    in_bone,
    lateral,
)

from rheobase.validation.acoustic_closed_forms import Layer
from rheobase.validation.acoustic_layers import LayeredField, bowl_rings


def exact(slab: tuple[float, float] | None) -> np.ndarray:
    """Exact amplitude (Pa) on the grid, shape `SHAPE`."""
    water, bone = Layer(*WATER), Layer(*BONE)
    field = LayeredField(
        [water, bone, water] if slab else [water],
        list(slab or ()),
        bowl_rings(RADIUS, APERTURE),
        velocity=PRESSURE / (WATER[0] * WATER[1]),
        frequency=FREQUENCY,
    )
    r = np.hypot(lateral()[:, None], lateral())
    distances, which = np.unique(np.round(r, 9), return_inverse=True)
    P = field.sample(distances, depth()[counted()[0]])
    amplitude: np.ndarray = abs(P).T[:, which.reshape(r.shape)]
    return amplitude


def counted() -> tuple[np.ndarray, np.ndarray]:
    """Which depths and which lateral places count."""
    z, x = depth(), lateral()
    return (z > 4e-3 - 1e-9) & (z < 27e-3 + 1e-9), abs(x) < 9e-3 + 1e-9


def errors(P: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """Return L2, Linf and the error of the peak ahead of the slab's place (percent)."""
    along, across = counted()
    d = (P[along] - reference)[:, across][:, :, across]
    ref = reference[:, across][:, :, across]
    behind = depth()[along] > SLAB[1] + STEP
    peak, least = (a[behind].max() for a in (d + ref, ref))
    return {
        "l2_percent": float(100 * np.linalg.norm(d) / np.linalg.norm(ref)),
        "linf_percent": float(100 * abs(d).max() / ref.max()),
        "peak_percent": float(100 * (peak / least - 1)),
    }


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out/fus_peers")
    z = depth()[in_bone("bone")]
    slabs = {
        "water": {"exact": None},
        "bone": {"exact": SLAB, "as voxels": (z[0] - STEP / 2, z[-1] + STEP / 2)},
    }
    references = {k: {n: exact(s) for n, s in v.items()} for k, v in slabs.items()}
    rows = []
    for path in sorted(folder.glob("*-*.json")):
        facts = json.loads(path.read_text(encoding="utf-8"))
        P = np.load(path.with_suffix(".npy")).astype(float)
        assert P.shape == SHAPE, f"{path}: {P.shape}"
        for name, reference in references[facts["case"]].items():
            rows.append(facts | {"against": name} | errors(P, reference))
    (folder / "table.json").write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    print("| solver | case | steps | CPU s | against | L2 % | Linf % | peak % |")
    print("|---|---|---|---|---|---|---|---|")
    for r in rows:
        print(
            f"| {r['version']} | {r['case']} | {r['steps']} | {r['cpu_seconds']:.1f} "
            f"| {r['against']} | {r['l2_percent']:.2f} | {r['linf_percent']:.2f} "
            f"| {r['peak_percent']:+.2f} |"
        )


if __name__ == "__main__":
    main()
