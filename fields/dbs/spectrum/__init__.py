"""Frequency: complex tissue, contact interfaces, the reduced basis, courses in time."""
