"""Run a study of focused ultrasound, from the head to the report."""

from __future__ import annotations

from pathlib import Path

from rheobase._progress import announce
from rheobase.results import Result, finish, open_book
from rheobase.stations.fus import fus_station
from rheobase.stations.fus_inputs import Estimate, check_estimate, estimate, open_sound
from rheobase.stations.head import head_station, subject, subject_of
from rheobase.tables.fus import UltrasoundStudy


def check_study(study: UltrasoundStudy) -> Estimate:
    """Refuse what cannot be used before the head is built; return what the waves will take.

    Raises
    ------
    InputError
        If a file is missing or damaged, a name is unknown, numbers cannot go together, or the waves
        will not fit in memory.
    """
    found = estimate(study, open_sound(study))
    check_estimate(found)
    return found


def run_fus(study: UltrasoundStudy, *, text: str, out: Path, folder: Path | None = None) -> Result:
    """Solve for the sound of a study, its heat and what it activates, write it into ``out``.

    Parameters
    ----------
    study, text
        The checked study and the text of its file.
    out
        Folder of the results; made when absent. Every file in it is whole or absent.
    folder
        Where the paths in the study start, for the record: a run is repeated from its results.

    Returns
    -------
    Result

    Raises
    ------
    InputError
        If a name in the study is unknown, a file damaged or the memory too small, before the head
        is built; if transducer, target and window do not fit the head or the memory, before
        anything is solved.
    """
    inputs = open_sound(study)
    expected = estimate(study, inputs)
    check_estimate(expected)
    announce(str(expected))
    if study.head is not None:
        name = subject(study.head)
    else:
        assert study.ct is not None  # UltrasoundStudy
        name = subject_of(study.ct.file)
    with open_book(text, out, head=name, kind="fus", folder=folder) as book:
        head = None if study.head is None else head_station(study.head, book)
        fus_station(study, inputs, head, book)
        return finish(
            book,
            title=study.title,
            question=study.question,
            text=text,
            seed=study.seed,
            read={place: path for place, path in inputs.files.items() if path.is_file()},
        )
