"""Whole-brain propagation: neural masses on a structural connectome."""
