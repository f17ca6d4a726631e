"""Station of deep brain stimulation: leads, their field, and what it activates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rheobase.stations.dbs_book import write_leads
from rheobase.stations.dbs_fibres import place_pathways, recruit, write_fibres
from rheobase.stations.dbs_search import search_station
from rheobase.stations.dbs_solve import activate, criterion_of, place_leads, surroundings
from rheobase.stations.dbs_spectrum import spectrum_station
from rheobase.stations.dbs_spread import check_spread, spread_station

if TYPE_CHECKING:
    from rheobase.meshes.head import Head
    from rheobase.stations.book import Book
    from rheobase.stations.dbs_inputs import DeepInputs
    from rheobase.tables.dbs import DeepStudy


COARSEST = 0.5e-3  # m, of the points that the volume of a region is taken from


def dbs_station(study: DeepStudy, inputs: DeepInputs, head: Head, book: Book) -> None:
    """Solve for every lead, ask what it activates, and tell it.

    Raises
    ------
    InputError
        If a lead leaves the tissue, or a region or a pathway is not in the head; before anything
        is solved.
    """
    from rheobase.fields.dbs.volumes.zones import region_zone

    around = surroundings(study, head)
    leads = place_leads(study, around)
    if study.uncertainty is not None:
        check_spread(study.uncertainty, around)
    step = min(COARSEST, study.results.voxel_mm * 1e-3)
    zones = [region_zone(region, head, step=step) for region in inputs.regions]
    pathways = place_pathways(study, head)
    criterion, threshold = criterion_of(study)
    actives = [
        activate(study, table, lead, around, criterion)
        for table, lead in zip(study.leads, leads, strict=True)
    ]
    lines = {name: axons.lines for name, axons in pathways.items()}
    write_leads(study, actives, around, zones, lines, threshold, book)
    recruited = recruit(study, pathways, actives, book)
    if recruited:
        write_fibres(study, recruited, actives, book)
    if study.tissue.dispersive:
        spectrum_station(study, actives, book)
    if study.dosing is not None:
        search_station(study.dosing, actives, zones, recruited, criterion, book)
    if study.uncertainty is not None:
        spread_station(study, study.uncertainty, actives, around, zones, criterion, book)
