"""Sizes that the kernels of double-cable fibres and those who call them agree on."""

LANES = 16  # fibres side by side: the innermost loops of the kernels run over them as vectors
PARTS = 10  # compartments between two nodes
LOWEST, FINENESS, ROWS = -250.0, 10.0, 4501  # table of the gates: first mV, rows a mV, rows
