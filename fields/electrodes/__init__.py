"""Electrodes on the scalp, the montages they make, and how they are laid on a mesh."""
