"""Currents of contacts: control, patterns, dosing, strength-duration, uncertainty."""
