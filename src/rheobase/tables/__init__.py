"""The tables of a study file: which keys there are, and what is checked before anything runs."""
