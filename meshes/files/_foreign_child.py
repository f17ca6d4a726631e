"""The process that reads a file with VTK or meshio: ``python -m … kind path out.npz``.

It prints nothing; what went wrong is written to the output in place of the arrays.
"""

from __future__ import annotations

import json
import resource
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase.meshes.files.foreign import LENGTH_UNIT

Found = tuple[dict[str, NDArray[Any]], dict[str, Any]]

VTK_TETRA, VTK_QUADRATIC_TETRA = 10, 24
VTK_VOLUMES = {11: "voxel", 12: "hexahedron", 13: "wedge", 14: "pyramid", 25: "hexahedron20"}
VTK_VOLUMES |= {26: "wedge15", 27: "pyramid13", 29: "hexahedron27", 42: "polyhedron"}
BY_VTK = (".vtu", ".vtk", ".vtkhdf", ".pvtu", ".vtm")


class NoMeshError(ValueError):
    """What was read is not what was asked for."""


def surface(path: Path) -> Found:
    """Read polygons, cut into triangles, coinciding points joined."""
    import pyvista as pv

    found: Any = pv.read(path)
    if isinstance(found, pv.MultiBlock):
        raise NoMeshError("expected one surface, got several blocks")
    if not isinstance(found, pv.PolyData):
        found = found.extract_surface(algorithm=None)
    n = found.n_points
    _check_corners(pv.convert_array(found.GetPolys().GetConnectivityArray()), n)
    found = found.triangulate().clean(
        tolerance=0.0, lines_to_points=False, polys_to_lines=False, strips_to_polys=False
    )
    faces = np.asarray(found.faces, dtype=np.int64)
    if faces.size % 4 or (faces.reshape(-1, 4)[:, 0] != 3).any():
        raise NoMeshError("expected polygons only, got others")
    arrays = {"points": np.asarray(found.points, np.float64)}
    arrays["triangles"] = faces.reshape(-1, 4)[:, 1:]
    return arrays, {"joined": n - found.n_points}


def grid(path: Path) -> Found:
    """Read tetrahedra and the whole-number arrays over them."""
    arrays, meta = _by_vtk(path) if path.suffix.lower() in BY_VTK else _by_meshio(path)
    n = len(arrays["tets"])
    for name in [k for k in arrays if k.startswith("cell:")]:
        values = np.asarray(arrays[name])
        if values.ndim == 2 and values.shape[1] == 1:
            values = values[:, 0]
        whole = values.shape == (n,) and (
            values.dtype.kind in "iub"
            or (
                values.dtype.kind == "f"
                and bool(np.isfinite(values).all())
                and bool((values == np.rint(values)).all() and (np.abs(values) < 2**31).all())
            )
        )
        if whole:
            arrays[name] = values.astype(np.int64)
        else:
            del arrays[name]
    return arrays, meta


def _by_vtk(path: Path) -> Found:
    import pyvista as pv

    found: Any = pv.read(path)
    if isinstance(found, pv.MultiBlock):
        found = found.combine()
    if not isinstance(found, pv.UnstructuredGrid):
        raise NoMeshError(f"expected an unstructured grid, got {type(found).__name__}")
    kinds = np.asarray(found.celltypes)
    _check_corners(np.asarray(found.cell_connectivity), found.n_points)
    parts, rows = [], []
    for kind in (VTK_TETRA, VTK_QUADRATIC_TETRA):
        if (kinds == kind).any():
            parts.append(np.asarray(found.cells_dict[kind])[:, :4])
            rows.append(np.flatnonzero(kinds == kind))
    row = np.concatenate(rows) if rows else np.empty(0, np.int64)
    arrays = {f"cell:{k}": np.asarray(found.cell_data[k])[row] for k in found.cell_data.keys()}  # noqa: SIM118
    arrays["points"] = np.asarray(found.points, np.float64)
    arrays["tets"] = np.concatenate(parts) if parts else np.empty((0, 4), np.int64)
    counts = Counter(kinds.tolist())
    unit = found.field_data.get(LENGTH_UNIT)
    return arrays, {
        "volumes": {v: counts[k] for k, v in VTK_VOLUMES.items() if counts[k]},
        "quadratic": counts[VTK_QUADRATIC_TETRA],
        "unit": None if unit is None else " ".join(str(u) for u in unit),
    }


def _check_corners(corners: NDArray[Any], n: int) -> None:
    """Refuse indices of points that there are not, before VTK follows them."""
    if corners.size and (corners.min() < 0 or corners.max() >= n):
        raise NoMeshError(
            f"expected corners among {n} points, got {corners.min()} to {corners.max()}"
        )


def _by_meshio(path: Path) -> Found:
    import meshio

    found: Any = meshio.read(path)
    blocks = [k for k, b in enumerate(found.cells) if b.type in ("tetra", "tetra10")]
    arrays: dict[str, NDArray[Any]] = {
        f"cell:{name}": np.concatenate([np.asarray(data[k]) for k in blocks])
        for name, data in found.cell_data.items()
        if blocks
    }
    points = np.asarray(found.points, np.float64)
    if points.ndim != 2 or points.shape[1] != 3:
        raise NoMeshError(f"expected points in space, got shape {points.shape}")
    arrays["points"] = points
    corners = [np.asarray(found.cells[k].data)[:, :4] for k in blocks]
    arrays["tets"] = np.concatenate(corners) if corners else np.empty((0, 4), np.int64)
    names = _sets(found, blocks, arrays)
    volumes: Counter[str] = Counter()
    for b in found.cells:
        if b.dim == 3 and b.type not in ("tetra", "tetra10"):
            volumes[b.type] += len(b.data)
    quadratic = sum(len(b.data) for b in found.cells if b.type == "tetra10")
    return arrays, {"volumes": dict(volumes), "quadratic": quadratic, "names": names}


def _sets(found: Any, blocks: list[int], arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """Turn named sets that cover every tetrahedron once (Abaqus) into an array of tags."""
    names: dict[str, Any] = {}
    tags = getattr(found, "cell_tags", None)  # MED: family number -> names
    if tags and "cell:cell_tags" in arrays:
        names["cell_tags"] = {str(k): " ".join(v) for k, v in tags.items()}
    first = np.cumsum([0, *(len(found.cells[k].data) for k in blocks)])
    tag = np.zeros(first[-1], np.int64)
    times = np.zeros(first[-1], np.int64)
    labels = {}
    for number, (name, rows) in enumerate(found.cell_sets.items(), start=1):
        for at, k in zip(first, blocks, strict=False):
            mine = rows[k] if k < len(rows) else None
            if mine is not None and len(mine):
                labels[str(number)] = str(name)
                tag[at + np.asarray(mine, np.int64)] = number
                times[at + np.asarray(mine, np.int64)] += 1
    if labels and (times == 1).all():
        arrays["cell:sets"] = tag
        names["sets"] = labels
    return names


def main(kind: str, path: str, out: str, limit: str) -> None:
    """Read ``path`` and write arrays and remarks, or the error, to ``out``."""
    resource.setrlimit(resource.RLIMIT_AS, (int(limit), int(limit)))
    try:
        arrays, meta = {"surface": surface, "grid": grid}[kind](Path(path))
    except (Exception, SystemExit) as error:  # readers raise many kinds; meshio also exits
        why = str(error).strip() or type(error).__name__
        arrays, meta = {}, {"error": why.splitlines()[0][:300]}
    np.savez(out, allow_pickle=False, meta=np.array(json.dumps(meta)), **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:5])
