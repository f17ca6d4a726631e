"""From indicator functions to tetrahedra: lattice, sizes, cuts, improvement, record."""
