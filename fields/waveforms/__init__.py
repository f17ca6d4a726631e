"""Waveforms: how a source varies in time."""
