"""Interchange: cells for other simulators."""

from rheobase.neurons.export.folder import export_neuron

__all__ = ["export_neuron"]
