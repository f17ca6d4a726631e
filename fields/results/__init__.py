"""Fields in files: Gmsh, VTK, NIfTI, tables; and those of other programs read back."""
