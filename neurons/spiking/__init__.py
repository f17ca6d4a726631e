"""The full simulation of a cell: channels on its tree, stepped for many placements at once."""

from rheobase.neurons.spiking.rest import resting_state
from rheobase.neurons.spiking.run import simulate, simulate_cell
from rheobase.neurons.spiking.thresholds import spiking_thresholds

__all__ = ["resting_state", "simulate", "simulate_cell", "spiking_thresholds"]
