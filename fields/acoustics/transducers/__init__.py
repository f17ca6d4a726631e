"""Transducers: the shapes of their elements, where these sit, and where they stand on the head."""
