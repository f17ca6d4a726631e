"""What the cells are wired into: a spiking engine, circuits for it, what drives it, read-outs."""
