"""Run a study of deep brain stimulation, from the head to the report."""

from __future__ import annotations

from pathlib import Path

from rheobase.results import Result, finish, open_book
from rheobase.stations.dbs import dbs_station
from rheobase.stations.dbs_inputs import open_deep
from rheobase.stations.head import head_station, subject
from rheobase.tables.dbs import DeepStudy


def check_study(study: DeepStudy) -> dict[str, Path]:
    """Refuse what cannot be used before the head is built; return the files by their place.

    Raises
    ------
    InputError
        If a file is missing or damaged, a name is unknown, or numbers cannot go together.
    """
    return open_deep(study).files


def run_dbs(study: DeepStudy, *, text: str, out: Path, folder: Path | None = None) -> Result:
    """Solve for the leads of a study, ask what they activate, write it into ``out``.

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
        If a name in the study is unknown or a file damaged, before the head is built; if a lead
        leaves the head or its tissues are not there, before anything is solved.
    """
    inputs = open_deep(study)
    name = subject(study.head)
    with open_book(text, out, head=name, kind="dbs", folder=folder) as book:
        head = head_station(study.head, book)
        dbs_station(study, inputs, head, book)
        return finish(
            book,
            title=study.title,
            question=study.question,
            text=text,
            seed=study.seed,
            read={place: path for place, path in inputs.files.items() if path.is_file()},
        )
