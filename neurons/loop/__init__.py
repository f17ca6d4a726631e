"""Closed loop: a plant that is stimulated, a biomarker that is read, a law that decides."""
