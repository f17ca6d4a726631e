"""The grid that fits a lead: domains, coordinates, layers of elements."""
