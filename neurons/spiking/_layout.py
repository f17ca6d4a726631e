"""Sizes that the kernels of spiking cells and those who call them agree on."""

LANES = 8  # placements side by side: the innermost loops of the kernels run over them as vectors
LOWEST, FINENESS, ROWS = -0.25, 2000.0, 801  # table of the gates: first V, rows a V, rows
