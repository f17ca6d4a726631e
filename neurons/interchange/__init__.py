"""Interchange of networks and their activity with other tools."""

from rheobase.neurons.interchange.export import export_network
from rheobase.neurons.interchange.read import SonataModel, read_sonata
from rheobase.neurons.interchange.spikes import (
    Potentials,
    read_potentials,
    read_spikes,
    write_potentials,
    write_spikes,
)
from rheobase.neurons.interchange.write import write_sonata

__all__ = [
    "Potentials",
    "SonataModel",
    "export_network",
    "read_potentials",
    "read_sonata",
    "read_spikes",
    "write_potentials",
    "write_sonata",
    "write_spikes",
]
