"""Seven columns of cortex, by layer and class of cell, for rat, mouse and human."""
