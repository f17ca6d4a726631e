"""Run a study of closed-loop stimulation, from the plant to the report."""

from __future__ import annotations

from pathlib import Path

from rheobase._progress import stage
from rheobase.results import Result, finish, open_book
from rheobase.stations.loop import open_parts, run_controllers
from rheobase.stations.loop_book import write_loop
from rheobase.tables.loop import LoopStudy


def check_loop(study: LoopStudy) -> None:
    """Refuse what cannot be used, before anything runs.

    Raises
    ------
    InputError
        If a file is missing or damaged, a name is unknown, or numbers cannot go together.
    """
    open_parts(study)


def run_loop_study(study: LoopStudy, *, text: str, out: Path, folder: Path | None = None) -> Result:
    """Run a study with each of its controllers and write the results into ``out``.

    Parameters
    ----------
    study, text
        The checked study and the text of its file.
    out
        Folder of the results; made when absent. Every file in it is whole or absent.
    folder
        Where the paths in the study start, for the record: a run is repeated from its results.

    Raises
    ------
    InputError
        As `check_loop`.
    """
    parts = open_parts(study)
    with open_book(text, out, head=study.plant.kind, kind="loop", folder=folder) as book:
        off, outcomes = run_controllers(study, parts)
        with stage("writing results"):
            write_loop(study, parts, off, outcomes, book)
        return finish(
            book,
            title=study.title,
            question=study.question,
            text=text,
            seed=study.seed,
            read=study.files(),
        )
