"""Coils: their windings or sampled fields, the files they come from, where they stand."""
