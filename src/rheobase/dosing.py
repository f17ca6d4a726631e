"""Run an optimisation, or the uncertainty of a study, from the head to the report."""

from __future__ import annotations

from pathlib import Path

from rheobase.config import Study
from rheobase.results import Result, finish, open_book
from rheobase.stations.aiming import check_inputs
from rheobase.stations.currents import currents_station
from rheobase.stations.dose import check_dose
from rheobase.stations.dose_book import write_dose
from rheobase.stations.head import head_station, subject
from rheobase.stations.inputs import open_inputs
from rheobase.stations.placing import place_device
from rheobase.stations.poses import poses_station
from rheobase.stations.uncertain import uncertainty_station
from rheobase.tables.dose import OptimiseDose
from rheobase.tables.optimise import OptimiseStudy, OptimiseTMS


def check_study(study: OptimiseStudy) -> dict[str, Path]:
    """Refuse what cannot be used before the head is built; return the files by their place.

    Raises
    ------
    InputError
        If a file is missing or damaged, a name is unknown, or numbers cannot go together.
    """
    return check_dose(study) if isinstance(study.optimise, OptimiseDose) else check_inputs(study)


def run_optimise(
    study: OptimiseStudy, *, text: str, out: Path, folder: Path | None = None
) -> Result:
    """Find the currents, the pose of a coil or the intensity for a target; write it into ``out``.

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
        If a name in the study is unknown or a file damaged, before the head is built; if the
        target holds nothing of its tissues or limits conflict, before anything is solved.
    """
    files = check_study(study)
    name = subject(study.head)
    with open_book(text, out, head=name, kind="optimise", folder=folder) as book:
        head = head_station(study.head, book)
        if isinstance(study.optimise, OptimiseDose):
            write_dose(study, head, book)
        elif isinstance(study.optimise, OptimiseTMS):
            poses_station(study, study.optimise, head, book)
        else:
            currents_station(study, study.optimise, head, book)
        return finish(
            book,
            title=study.title,
            question=study.question,
            text=text,
            seed=study.seed,
            read={place: path for place, path in files.items() if path.is_file()},
        )


def run_uncertainty(study: Study, *, text: str, out: Path, folder: Path | None = None) -> Result:
    """Sample the field of a study over what is not known exactly and write it into ``out``.

    Parameters
    ----------
    study, text
        The checked study and the text of its file; all tissues vary over the ranges of the tissue
        table where it has no ``[uncertainty]``.
    out
        Folder of the results; a run that was interrupted goes on with the samples in it.
    folder
        Where the paths in the study start, for the record: a run is repeated from its results.

    Returns
    -------
    Result

    Raises
    ------
    InputError
        If a name in the study is unknown, a distribution allows a conductivity <= 0, or the device
        does not fit the head; before anything is solved.
    """
    inputs = open_inputs(study)
    name = subject(study.head)
    with open_book(text, out, head=name, kind="uncertainty", folder=folder) as book:
        head = head_station(study.head, book)
        uncertainty_station(study, place_device(study, head, inputs), inputs, book)
        return finish(
            book,
            title=f"{study.title}: how sure",
            question=study.question,
            text=text,
            seed=study.seed,
            read={place: path for place, path in inputs.files.items() if path.is_file()},
        )
