"""Uncertainty: random conductivities and placements, and what they do to the field."""
