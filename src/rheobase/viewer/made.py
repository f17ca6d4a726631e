"""What the page makes of a field's layers before it draws them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rheobase.scenes.scene import Layer
from rheobase.viewer.slice_images import BRAIN, inside_brain

MOST_POINTS = 8_000  # of the lines along a field


def thinned(lines: Layer, most: int = MOST_POINTS) -> Layer:
    """Return lines of about ``most`` points in all, their ends kept: tubes take 20 triangles each.

    Parameters
    ----------
    lines
        Lines with at most one time.
    most
        Number of points above which some are left out.
    """
    assert lines.cells is not None  # Layer
    step = -(-len(lines.points) // most)
    if step <= 1:
        return lines
    sizes = np.diff(lines.cells)
    place = np.arange(len(lines.points)) - np.repeat(lines.cells[:-1], sizes)
    kept = (place % step == 0) | (place == np.repeat(sizes, sizes) - 1)
    starts = np.concatenate(
        [[0], np.cumsum(np.add.reduceat(kept.astype(np.int64), lines.cells[:-1]))]
    )
    return lines.but(
        points=lines.points[kept],
        cells=starts,
        quantities={n: replace(q, values=q.values[kept]) for n, q in lines.quantities.items()},
    )


def in_brain(volume: Layer) -> Layer:
    """Return a volume whose shown quantity is known only in the brain."""
    of, key = volume.quantity, volume.shown
    if of is None or key is None or inside_brain(volume) is None:
        return volume
    labels = volume.quantities["tissue"]
    numbers = [n for n, c in labels.categories.items() if c.name in BRAIN]
    values = np.where(np.isin(labels.values, numbers), of.values, np.nan)
    limits = of.range
    return volume.but(
        quantities={**volume.quantities, key: replace(of, values=values, limits=limits)}
    )


def same_colours(layer: Layer, volume: Layer) -> Layer:
    """Return a layer made of a volume with the ends of its colours: one bar stands for both."""
    of, shown = layer.quantity, layer.shown
    if of is None or shown is None or volume.quantity is None:
        return layer
    new = replace(of, limits=volume.quantity.range)
    return layer.but(quantities={**layer.quantities, shown: new})
