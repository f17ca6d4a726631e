"""Membranes of whole cells: voltage-gated channels and where they are."""

from rheobase.neurons.membrane.channels import CHANNELS, TEMPERATURE, Channel
from rheobase.neurons.membrane.circuit import Circuit, circuit
from rheobase.neurons.membrane.membranes import Membrane, membrane, membranes

__all__ = [
    "CHANNELS",
    "TEMPERATURE",
    "Channel",
    "Circuit",
    "Membrane",
    "circuit",
    "membrane",
    "membranes",
]
