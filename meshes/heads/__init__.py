"""Heads by name, and heads from files."""
