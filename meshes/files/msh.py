"""Gmsh's mesh format, versions 2.2 and 4.1, binary and text, as SimNIBS and Gmsh write it.

After the Gmsh reference manual ("MSH file format", and "MSH file format version 2 (legacy)").
"""

from __future__ import annotations

from rheobase.meshes.files._msh.content import TETRAHEDRON, TRIANGLE, Msh
from rheobase.meshes.files._msh.read import read_msh
from rheobase.meshes.files._msh.write import write_msh

__all__ = ["TETRAHEDRON", "TRIANGLE", "Msh", "read_msh", "write_msh"]
