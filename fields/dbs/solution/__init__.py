"""Matrices of a lead in its tissue, their solution, and the unit responses."""
