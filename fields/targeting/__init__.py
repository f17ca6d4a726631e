"""Coils for a target: reciprocity maps of a region, and the field of any coil at any pose."""
