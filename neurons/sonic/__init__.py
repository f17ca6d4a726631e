"""Neurons under ultrasound by intramembrane cavitation: sonophore, effective rates, thresholds."""

from rheobase.neurons.sonic.cells import SonicCell, cell_of_type, sonic_cell, sonic_cells
from rheobase.neurons.sonic.lookup import EffectiveTable, effective_table
from rheobase.neurons.sonic.recruit import (
    ThresholdCurve,
    recruit_ultrasound,
    spike_times,
    threshold_curve,
)
from rheobase.neurons.sonic.response import Response, respond, threshold_pressure
from rheobase.neurons.sonic.sonophore import Sonophore, sonophore_of

__all__ = [
    "EffectiveTable",
    "Response",
    "SonicCell",
    "Sonophore",
    "ThresholdCurve",
    "cell_of_type",
    "effective_table",
    "recruit_ultrasound",
    "respond",
    "sonic_cell",
    "sonic_cells",
    "sonophore_of",
    "spike_times",
    "threshold_curve",
    "threshold_pressure",
]
