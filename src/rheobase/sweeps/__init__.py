"""Parameter studies: one study over many settings, heads and species."""
