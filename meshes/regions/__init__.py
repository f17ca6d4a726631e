"""Regions of a head, atlases that name them, statistics over them."""
