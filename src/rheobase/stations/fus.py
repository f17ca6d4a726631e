"""Station of focused ultrasound: sound through the skull, heat, levels, cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rheobase.stations.fus_book import (
    write_heat,
    write_images,
    write_safety,
    write_scene,
    write_sound,
    write_summary,
)
from rheobase.stations.fus_cells import cells_station, check_cells
from rheobase.stations.fus_focus import focus_station, tissue_peaks
from rheobase.stations.fus_heat import heat_station, safety
from rheobase.stations.fus_scene import scene_station
from rheobase.stations.fus_sound import sound_station
from rheobase.stations.fus_steering import write_steering

if TYPE_CHECKING:
    from rheobase.meshes.head import Head
    from rheobase.stations.book import Book
    from rheobase.stations.fus_inputs import SoundInputs
    from rheobase.tables.fus import UltrasoundStudy


def fus_station(study: UltrasoundStudy, inputs: SoundInputs, head: Head | None, book: Book) -> None:
    """Solve for the sound, and tell what it does.

    Raises
    ------
    InputError
        If transducer, target and window do not fit the head, before anything is solved.
    """
    if study.neurons is not None:
        assert head is not None  # UltrasoundStudy
        check_cells(study.neurons, head)
    scene = scene_station(study, inputs, head)
    write_scene(study, scene, book)
    heard = sound_station(study, scene)
    found = focus_station(scene, heard)
    write_sound(scene, heard, found, book)
    if study.correction != "none":
        write_steering(scene, book)
    warmed = None
    if study.heat is not None:
        warmed = heat_station(study.heat, scene, heard, found[-1])
        write_heat(study, scene, heard, warmed, book)
    write_safety(safety(scene, heard, tissue_peaks(scene, heard.chosen), warmed), book)
    if study.neurons is not None:
        cells_station(study, scene, heard, found[-1], book)
    write_images(study, scene, heard, warmed, book)
    write_summary(study, scene, found, book)
