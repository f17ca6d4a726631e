"""The cortical sheet: columns from white matter to pia, layers, curvature, sites on it."""
