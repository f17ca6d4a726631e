"""Station of deep brain stimulation: leads, their field, and what it activates."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rheobase.meshes.head import Head
    from rheobase.stations.book import Book
    from rheobase.stations.dbs_inputs import DeepInputs
    from rheobase.tables.dbs import DeepStudy


def dbs_station(study: DeepStudy, inputs: DeepInputs, head: Head, book: Book) -> None:
    """Solve for every lead, ask what it activates, and tell it."""
