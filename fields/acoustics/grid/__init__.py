"""Grids of columns of elements: polynomials, and layers that follow interfaces."""
