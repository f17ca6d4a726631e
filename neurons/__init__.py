"""The cells and what they are wired into: morphologies, cable, activation, network."""

from rheobase.neurons.activation import thresholds
from rheobase.neurons.generate import Cell, cell_types, generate_cell
from rheobase.neurons.morphology import Kind, Morphology, Skeleton
from rheobase.neurons.placement import Population, place_cells, place_in_sheet, place_in_slab
from rheobase.neurons.read import read_cell
from rheobase.neurons.recruitment import Recruitment
from rheobase.neurons.sample import PointSource, UniformField
from rheobase.neurons.strength_duration import strength_duration
from rheobase.neurons.subthreshold import polarisation, polarisation_length

__all__ = [
    "Cell",
    "Kind",
    "Morphology",
    "PointSource",
    "Population",
    "Recruitment",
    "Skeleton",
    "UniformField",
    "cell_types",
    "generate_cell",
    "place_cells",
    "place_in_sheet",
    "place_in_slab",
    "polarisation",
    "polarisation_length",
    "read_cell",
    "strength_duration",
    "thresholds",
]
