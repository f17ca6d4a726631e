"""Waves in a window of columns: explicit spectral elements, steady or pulsed."""
