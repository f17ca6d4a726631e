"""Focused ultrasound: media, sources, pressure, heat."""
