"""Fibre pathways: where axons run, and which of them a stimulus fires."""
