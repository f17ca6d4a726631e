"""Pictures of a head: sections with tissues and elements, an image behind the mesh, a cut mesh.

Axes are in millimetres with letters for the sides: left L, right R, back P, front A, bottom I,
top S. Sections are seen along the axis that is cut, right is right (not the radiological mirror).
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase._files import whole_file
from rheobase.meshes.section import Section, section
from rheobase.scenes.head import colour_of, compact
from rheobase.scenes.picture import picture
from rheobase.scenes.scene import Layer, Scene, direction
from rheobase.views import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rheobase.meshes.head import Head

SIDES = ("LR", "PA", "IS")
NAMES = ("x", "y", "z")
#: Elements are drawn where a section of the largest panel has no more polygons than this.
MOST_ELEMENTS = 60_000


def middle(head: Head) -> NDArray[np.float64]:
    """Return the point that sections go through by default (m): the middle of the grey matter."""
    grey = [k for k, t in head.tissues.items() if t.name == "grey_matter"]
    tets = head.mesh.tets[np.isin(head.mesh.labels, grey)] if grey else head.mesh.tets
    if not len(tets):
        tets = head.mesh.tets
    points = head.mesh.nodes[np.unique(tets)]
    centre: NDArray[np.float64] = (points.min(axis=0) + points.max(axis=0)) / 2
    # off the planes of symmetry, where an element boundary may lie in the section
    return centre + 1e-3 * np.ptp(points, axis=0)


def head_sections(
    head: Head,
    *,
    at: NDArray[np.float64] | None = None,
    image: tuple[NDArray[Any], NDArray[np.float64]] | None = None,
    title: str | None = None,
    elements: bool = True,
) -> Figure:
    """Draw three sections through a head: tissues and elements, or an image and the interfaces.

    Parameters
    ----------
    head
        The head.
    at
        Point that the sections go through (m), shape (3,); the middle of the grey matter if None.
    image
        Image to draw behind the interfaces instead of tissues, shape (nx, ny, nz), and its affine
        (voxel indices to metres).
    title
        Title; name and size of the head if None.
    elements
        Whether to draw the edges of the elements.
    """
    point = middle(head) if at is None else np.asarray(at, dtype=np.float64)
    low, high = head.mesh.nodes.min(axis=0) * 1e3, head.mesh.nodes.max(axis=0) * 1e3
    width = high - low
    order = (2, 1, 0)
    ratios = [width[[k for k in range(3) if k != axis]][0] for axis in order]
    tallest = max(width[1], width[2])
    height = float(np.clip(12.5 * tallest / sum(ratios), 2.2, 7.5))
    figure = new_figure(12.5, height + 1.3)
    panels = figure.subplots(1, 3, width_ratios=ratios)
    for panel, axis in zip(panels, order, strict=True):
        cut = section(head.mesh, axis, float(point[axis]))
        _draw_section(panel, head, cut, image, elements=elements)
        i, j = [k for k in range(3) if k != axis]
        panel.set(xlim=(low[i], high[i]), ylim=(low[j], high[j]), aspect="equal")
        panel.set_xlabel(f"{NAMES[i]} (mm)", fontsize=8)
        panel.set_ylabel(f"{NAMES[j]} (mm)", fontsize=8)
        panel.tick_params(labelsize=7)
        digits = 1 if width.max() > 50 else 2
        panel.set_title(f"{NAMES[axis]} = {point[axis] * 1e3:.{digits}f} mm", fontsize=9)
        _letters(panel, i, j)
    if image is None:
        _legend(figure, head)
    figure.suptitle(title or _title(head), fontsize=10)
    return figure


def _title(head: Head) -> str:
    return f"{head.name} ({head.species}), {len(head.mesh.tets):,} tetrahedra"


def _letters(panel: Any, i: int, j: int) -> None:
    """Write the letters of the sides into the corners of a panel."""
    style = {"transform": panel.transAxes, "fontsize": 9, "fontweight": "bold", "color": "#000000"}
    panel.text(0.01, 0.5, SIDES[i][0], ha="left", va="center", **style)
    panel.text(0.99, 0.5, SIDES[i][1], ha="right", va="center", **style)
    panel.text(0.5, 0.01, SIDES[j][0], ha="center", va="bottom", **style)
    panel.text(0.5, 0.99, SIDES[j][1], ha="center", va="top", **style)


def _draw_section(
    panel: Any,
    head: Head,
    cut: Section,
    image: tuple[NDArray[Any], NDArray[np.float64]] | None,
    *,
    elements: bool,
) -> None:
    from matplotlib.collections import LineCollection, PolyCollection
    from matplotlib.colors import to_rgba

    if image is not None:
        _draw_image(panel, cut, *image)
        lines = [(cut.lines * 1e3, "#e6194b", 0.8)]
    else:
        table = {int(k): to_rgba(colour_of(head, int(k))) for k in np.unique(cut.labels)}
        faces = np.array([table[int(k)] for k in cut.labels]).reshape(-1, 4)
        drawn = elements and len(cut.labels) <= MOST_ELEMENTS
        panel.add_collection(
            PolyCollection(
                list(cut.polygons * 1e3),
                facecolors=faces,
                edgecolors=[(0.1, 0.1, 0.1, 0.45)] if drawn else faces,
                linewidths=0.12 if drawn else 0.25,
            )
        )
        lines = [(cut.lines * 1e3, "#202020", 0.45)]
    for ends, colour, width in lines:
        panel.add_collection(LineCollection(list(ends), colors=colour, linewidths=width))


def _draw_image(
    panel: Any, cut: Section, values: NDArray[Any], affine: NDArray[np.float64]
) -> None:
    """Draw the nearest voxels of an image in the plane of a section."""
    i, j = [k for k in range(3) if k != cut.axis]
    points = cut.polygons.reshape(-1, 2)
    low, high = points.min(axis=0), points.max(axis=0)
    step = 0.5 * np.linalg.norm(affine[:3, :3], axis=0).min()
    u, v = (np.arange(low[k], high[k] + step, step) for k in (0, 1))
    world = np.empty((len(v), len(u), 3))
    world[..., i], world[..., j], world[..., cut.axis] = u[None, :], v[:, None], cut.at
    inverse = np.linalg.inv(affine)
    index = np.rint(world @ inverse[:3, :3].T + inverse[:3, 3]).astype(int)
    inside = ((index >= 0) & (index < values.shape)).all(axis=-1)
    index = np.clip(index, 0, np.array(values.shape) - 1)
    shown = np.where(inside, values[tuple(np.moveaxis(index, -1, 0))], 0)
    half = step / 2
    panel.imshow(
        shown,
        origin="lower",
        cmap="gray",
        interpolation="nearest",
        extent=tuple(1e3 * x for x in (u[0] - half, u[-1] + half, v[0] - half, v[-1] + half)),
    )


def _legend(figure: Figure, head: Head) -> None:
    from matplotlib.patches import Patch

    volumes = head.mesh.tissue_volumes()
    handles = [
        Patch(
            facecolor=colour_of(head, label),
            edgecolor="#202020",
            linewidth=0.5,
            label=f"{label} {head.tissues[label].name.replace('_', ' ')}, {volume * 1e6:.4g} cm³",
        )
        for label, volume in volumes.items()
    ]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=min(len(handles), 5),
        fontsize=8,
        frameon=False,
    )


def cut_scene(
    head: Head, *, at: NDArray[np.float64] | None = None, corner: Sequence[int] = (-1, 1, 1)
) -> Scene:
    """Return a head with a corner taken out, its elements seen.

    Parameters
    ----------
    head
        The head.
    at
        Inner corner of what is taken out (m), shape (3,); the middle of the grey matter if None.
    corner
        Sides on which elements are taken out, −1 or 1 by axis: (−1, 1, 1) is left, front, top.
    """
    point = middle(head) if at is None else np.asarray(at, dtype=np.float64)
    side = np.asarray(corner, dtype=np.float64)
    gone = ((head.mesh.centroids() - point) * side > 0).all(axis=1)
    kept, labels = head.mesh.tets[~gone], head.mesh.labels[~gone]
    faces = kept[:, [[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]]].reshape(-1, 3)
    key = np.sort(faces, axis=1).astype(np.int64)
    n = len(head.mesh.nodes)
    pair = np.unique(key[:, 0] * n + key[:, 1], return_inverse=True)[1]
    _, first, count = np.unique(pair * n + key[:, 2], return_index=True, return_counts=True)
    single = first[count == 1]
    layers = []
    for label in np.unique(labels).tolist():
        points, cells = compact(head.mesh.nodes, faces[single[labels[single // 4] == label]])
        layers.append(
            Layer(
                name=head.tissues[label].name.replace("_", " "),
                kind="surface",
                group="head",
                points=points,
                cells=cells,
                colour=colour_of(head, label),
                edges=True,
            )
        )
    view = direction(side * [1.0, 1.2, 0.7])
    return Scene(title=head.name, layers=tuple(layers), view=view, space=head.space)


def write_picture(
    head: Head,
    path: Path,
    *,
    at: NDArray[np.float64] | None = None,
    image: tuple[NDArray[Any], NDArray[np.float64]] | None = None,
) -> bool:
    """Write sections and the cut mesh as one picture; return False where 3-D does not work.

    Parameters
    ----------
    head, at, image
        As in `head_sections`; the image is drawn in a second row.
    path
        The picture (PNG), whole or absent.
    """
    from matplotlib.image import imread, imsave

    rows = [trimmed(_pixels(head_sections(head, at=at)))]
    if image is not None:
        on_image = head_sections(head, at=at, image=image, title="interfaces on the image")
        rows.append(trimmed(_pixels(on_image)))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cut.png"
        drawn = picture(cut_scene(head, at=at), file, size=(950, 760))
        if drawn:
            rows.append(trimmed((imread(file)[..., :3] * 255).astype(np.uint8)))
    width = max(row.shape[1] for row in rows)
    page = [_centred(row, width) for row in rows]
    with whole_file(path) as part:
        imsave(part, np.concatenate(page), format="png")
    return drawn


def _pixels(figure: Figure) -> NDArray[np.uint8]:
    """Return what a figure shows, shape (height, width, 3)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3].copy()


def trimmed(pixels: NDArray[np.uint8], margin: int = 12) -> NDArray[np.uint8]:
    """Return a picture without its white border."""
    used = (pixels < 250).any(axis=2)
    if not used.any():
        return pixels
    rows, columns = np.flatnonzero(used.any(axis=1)), np.flatnonzero(used.any(axis=0))
    top, left = max(rows[0] - margin, 0), max(columns[0] - margin, 0)
    return pixels[top : rows[-1] + margin, left : columns[-1] + margin]


def _centred(pixels: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """Return a picture on a white band of the given width."""
    left = (width - pixels.shape[1]) // 2
    right = width - pixels.shape[1] - left
    return np.pad(pixels, ((0, 0), (left, right), (0, 0)), constant_values=255)
