"""Pressure of a source and layers that are round about the beam axis."""
