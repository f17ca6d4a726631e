"""How long the first view of a large result takes: python benchmarks/first_view.py [--nodes N].

Makes the folder of a result on a mesh of a million nodes (five nested tissues, a folded cortex, a
field, a coil's rings), then, in a fresh process each time, reads its scene and draws the first
frame off screen. Wall seconds from the call of `rheobase.results.open_result` to the picture in
memory, with and without the import of PyVista, and CPU seconds of the whole process.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

RADII = (0.066, 0.070, 0.074, 0.080, 0.088)  # m: white, grey, CSF, skull, scalp
NAMES = ("white_matter", "grey_matter", "csf", "skull", "scalp")
COLUMNS = 160  # along a meridian of the cortex
RUNS = 3

#: What is timed, in a process of its own.
VIEW = """
import json, sys, time
start = time.perf_counter()
from rheobase.results import open_result
scene = open_result(sys.argv[1]).scene()
read = time.perf_counter()
import pyvista as pv
loaded = time.perf_counter()
from rheobase.scenes import draw
pv.OFF_SCREEN = True
plotter = pv.Plotter(off_screen=True, window_size=[1400, 1100])
draw(scene, plotter)
pixels = plotter.screenshot(return_img=True)
end = time.perf_counter()
print(json.dumps({"read": read - start, "import": loaded - read, "draw": end - loaded,
    "total": end - start, "CPU": time.process_time(),
    "shades": len(set(map(bytes, pixels[::40, ::40].reshape(-1, 3))))}))
"""


def lattice(nodes: int) -> Any:
    """Return a mesh of a ball of about so many nodes, five tetrahedra a cube."""
    from rheobase.meshes.mesh import TetMesh

    n = round((nodes * 6 / np.pi) ** (1 / 3))
    line = np.linspace(-RADII[-1], RADII[-1], n)
    points = np.stack(np.meshgrid(line, line, line, indexing="ij"), axis=-1).reshape(-1, 3)
    i, j, k = (x.ravel() for x in np.meshgrid(*[np.arange(n - 1)] * 3, indexing="ij"))
    corner = [((i + a) * n + j + b) * n + k + c for a in (0, 1) for b in (0, 1) for c in (0, 1)]
    even = (i + j + k) % 2 == 0
    pieces = []
    for kept, tets in (
        (even, ((0, 4, 2, 1), (3, 2, 7, 1), (5, 4, 1, 7), (6, 4, 7, 2), (1, 2, 7, 4))),
        (~even, ((1, 5, 3, 0), (2, 3, 6, 0), (4, 5, 0, 6), (7, 5, 6, 3), (0, 3, 6, 5))),
    ):
        pieces += [np.stack([corner[v][kept] for v in tet], axis=1) for tet in tets]
    tets = np.concatenate(pieces).astype(np.int32)
    edges = points[tets[:, 1:]] - points[tets[:, :1]]
    turned = np.linalg.det(edges) < 0
    tets[turned, :2] = tets[turned, 1::-1]
    away = np.linalg.norm(points[tets].mean(axis=1), axis=1)
    label = np.searchsorted(RADII, away).astype(np.int32) + 1
    inside = label <= len(RADII)
    used, inverse = np.unique(tets[inside], return_inverse=True)
    return TetMesh(
        nodes=points[used],
        tets=inverse.reshape(-1, 4).astype(np.int32),
        labels=label[inside],
    )


def folded_cortex() -> Any:
    """Return a cortex with waves as high as gyri between the radii of white and grey matter."""
    from rheobase.meshes.cortex.sheet import sheet_from_surfaces

    turn = np.linspace(0, 2 * np.pi, 2 * COLUMNS, endpoint=False)
    tilt = np.linspace(0.02, np.pi - 0.02, COLUMNS)
    t, p = np.meshgrid(tilt, turn, indexing="ij")
    way = np.stack([np.sin(t) * np.cos(p), np.sin(t) * np.sin(p), np.cos(t)], axis=-1)
    fold = 1 + 0.02 * np.sin(18 * t) * np.sin(16 * p)
    pial, white = (r * way * fold[..., None] for r in (RADII[1], RADII[0]))
    n = 2 * COLUMNS
    a = (np.arange(COLUMNS - 1)[:, None] * n + np.arange(n)).ravel()
    b = (np.arange(COLUMNS - 1)[:, None] * n + np.roll(np.arange(n), -1)).ravel()
    cells = np.concatenate([np.stack([a, a + n, b], 1), np.stack([b, a + n, b + n], 1)])
    return sheet_from_surfaces(pial.reshape(-1, 3), white.reshape(-1, 3), cells)


def make(folder: Path, nodes: int) -> dict[str, Any]:
    """Write the result and return its sizes and the time that its scene took."""
    from rheobase.fields.basis import FieldBasis
    from rheobase.fields.recovery import split_nodes
    from rheobase.meshes.head import Head
    from rheobase.meshes.tissues import tissue
    from rheobase.results import finish, open_book
    from rheobase.scenes.device import lines_layer
    from rheobase.scenes.head import frame_of
    from rheobase.scenes.study import CORTEX, field_layers

    mesh = lattice(nodes)
    tissues = {k: tissue(name) for k, name in enumerate(NAMES, start=1)}
    head = Head(
        name="million",
        species="human",
        space="made",
        mesh=mesh,
        tissues=tissues,
        cortex=folded_cortex(),
    )
    split = split_nodes(mesh)
    at = mesh.nodes[split.node] - np.array([-0.05, 0.0, 0.09])
    E = np.cross(at, [0.0, 1.0, 0.0]) / (np.linalg.norm(at, axis=1, keepdims=True) ** 3) * 1e-3
    basis = FieldBasis(
        mesh=mesh,
        names=("coil",),
        unit="A/s",
        E=E[None],
        potential=np.zeros((1, len(mesh.nodes))),
        split_of_tet=split.of_tet,
        split_node=split.node,
        split_label=split.label,
        report=(SimpleNamespace(),),
        anisotropic=(),
    )
    strength = np.linalg.norm(E, axis=1)
    limit = float(np.percentile(strength[split.label == 2], 99.9))
    turn = np.linspace(0, 2 * np.pi, 60)
    ring = np.stack([0.04 * np.cos(turn), 0.04 * np.sin(turn), 0 * turn], axis=1)
    rings = [ring * (0.6 + 0.05 * k) + [x, 0, 0.1] for k in range(9) for x in (-0.045, 0.045)]
    start = time.process_time()
    with open_book("title = 'a million nodes'\n", folder, head=head.name) as book:
        book.scene.extend(
            field_layers(head, basis, strength, name="|E|", unit="V/m", limit=limit, E=E)
        )
        book.scene.append(lines_layer("coil", rings, colour="#b87333"))
        book.frame.update(frame_of(head, view=(-0.5, 0.4, 0.8), focus=(CORTEX,)))
        finish(book, title="a million nodes", question="", text="", seed=1, read={})
    return {
        "nodes": len(mesh.nodes),
        "tetrahedra": len(mesh.tets),
        "scene and report, CPU-s": time.process_time() - start,
        "scene.h5, MB": (folder / "scene.h5").stat().st_size / 1e6,
        "report.html, MB": (folder / "report.html").stat().st_size / 1e6,
    }


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=1_000_000)
    nodes = parser.parse_args().nodes
    with tempfile.TemporaryDirectory() as folder:
        sizes = make(Path(folder), nodes)
        runs = []
        for _ in range(RUNS):
            done = subprocess.run(
                [sys.executable, "-c", VIEW, folder], check=True, capture_output=True, text=True
            )
            runs.append(json.loads(done.stdout.splitlines()[-1]))
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, "
          f"PyVista {version('pyvista')}, VTK {version('vtk')}")  # fmt: skip
    for name, value in sizes.items():
        print(
            f"{name:28s} {value:12,.1f}" if isinstance(value, float) else f"{name:28s} {value:12,d}"
        )
    if min(run["shades"] for run in runs) < 10:
        raise SystemExit("the picture is empty: off-screen OpenGL does not work here")
    for name in ("read", "import", "draw", "total", "CPU"):
        values = [run[name] for run in runs]
        print(f"{name + ' (s)':28s} {min(values):12.2f} … {max(values):.2f}")


if __name__ == "__main__":
    main()
