"""What a sound in the head puts into the scene of a study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rheobase.report import Picture
from rheobase.scenes.field import amount, grid_layer
from rheobase.scenes.head import FAINT_SCALP, frame_of, tissue_layers
from rheobase.scenes.picture import CURE, picture
from rheobase.scenes.scene import Scene as Drawn
from rheobase.scenes.sound import focus_layer, transducer_layers

if TYPE_CHECKING:
    from rheobase.fields.results.nifti import Grid
    from rheobase.stations.book import Book
    from rheobase.stations.fus_focus import Focused
    from rheobase.stations.fus_scene import Scene
    from rheobase.stations.fus_sound import Heard

Floats = NDArray[np.float64]

FAINT_BRAIN = 0.35
FLAT = 0.2  # sine of the least angle between beam and vertical, for a view across the beam
#: Of the quantities on voxels: label, factor to the unit, unit.
WORDS = {
    "pressure": ("pressure amplitude", 1e-3, "kPa"),
    "intensity": ("intensity at full output", 1e-4, "W/cm²"),
    "temperature": ("largest temperature rise", 1.0, "K"),
}


def show_beam(scene: Scene, heard: Heard, found: Focused, book: Book) -> list[Picture]:
    """Put head, transducer, beam and focus into the scene of the book, and draw them."""
    head, window, field = scene.head, scene.window, heard.chosen.field
    assert head is not None  # write_sound
    focus = focus_layer(
        found.focus, lambda x: scene.amplitude(field, x), window.low, window.high, scene.frame
    )
    brain = {"scalp": FAINT_SCALP, "grey matter": FAINT_BRAIN}
    book.scene.extend(tissue_layers(head, shown=brain))
    book.scene.extend([*transducer_layers(scene.transducer, scene.target), focus])
    across = np.cross(scene.frame[:3, 2], [0.0, 0.0, 1.0])
    view = across if np.linalg.norm(across) > FLAT else np.array([-1.0, 0.0, 0.0])
    book.frame.update(frame_of(head, view=view, point=scene.target))
    shown = Drawn(title="", layers=tuple(book.scene), **book.frame)
    if not picture(shown, book.figure_path("scene")):
        book.notes.append(CURE)
        return []
    words = "Transducer and beam on the head; red: pressure above half of its peak."
    return [book.has_figure("scene", words)]


def show_voxels(grid: Grid, images: Mapping[str, Floats], book: Book) -> None:
    """Put what is written on voxels into the scene of the book.

    Parameters
    ----------
    grid
        The voxels.
    images
        Values (Pa, W/m², K) by suffix, in C order.
    book
        Takes the layer.
    """
    found = {}
    for name, values in images.items():
        words, factor, unit = WORDS[name]
        found[name] = amount(factor * np.asarray(values).reshape(grid.shape), words, unit)
    affine = np.asarray(grid.affine)
    book.scene.append(grid_layer("sound", grid.shape, affine, found))
