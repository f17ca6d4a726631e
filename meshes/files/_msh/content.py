"""What a Gmsh mesh file holds, and the element types of the format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

TRIANGLE, TETRAHEDRON = 2, 4

TYPES: dict[int, tuple[str, int, int]] = {
    1: ("line", 1, 2),
    2: ("triangle", 2, 3),
    3: ("quadrangle", 2, 4),
    4: ("tetrahedron", 3, 4),
    5: ("hexahedron", 3, 8),
    6: ("prism", 3, 6),
    7: ("pyramid", 3, 5),
    8: ("3-node line", 1, 3),
    9: ("6-node triangle", 2, 6),
    10: ("9-node quadrangle", 2, 9),
    11: ("10-node tetrahedron", 3, 10),
    12: ("27-node hexahedron", 3, 27),
    13: ("18-node prism", 3, 18),
    14: ("14-node pyramid", 3, 14),
    15: ("point", 0, 1),
    16: ("8-node quadrangle", 2, 8),
    17: ("20-node hexahedron", 3, 20),
    18: ("15-node prism", 3, 15),
    19: ("13-node pyramid", 3, 13),
    20: ("9-node triangle", 2, 9),
    21: ("10-node triangle", 2, 10),
    26: ("4-node line", 1, 4),
    29: ("20-node tetrahedron", 3, 20),
}
"""Name, dimension and nodes of each element type (Gmsh reference manual, "Node ordering")."""

Fields = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Msh:
    """The contents of a mesh file.

    Parameters
    ----------
    nodes_mm
        Coordinates as in the file (mm), shape (n_nodes, 3), float64.
    triangles, tets
        Node indices from 0, shapes (n_triangles, 3) and (n_tets, 4), int32.
    triangle_tags, tet_tags
        Physical group of each element (the region; SimNIBS adds 1000 for surfaces), int32.
    node_data, triangle_data, tet_data
        Fields by name, shape (n,) or (n, components), float64, in the file's own units; NaN where
        the file gives none for an element.
    triangle_corner_data, tet_corner_data
        Fields given at the corners of each element, shape (n, 3 or 4, components).
    names
        Name of each physical group, by (dimension, tag).
    left_out
        How many elements of each other kind the file holds; they are not read.
    """

    nodes_mm: NDArray[np.float64]
    triangles: NDArray[np.int32]
    triangle_tags: NDArray[np.int32]
    tets: NDArray[np.int32]
    tet_tags: NDArray[np.int32]
    node_data: Fields = field(default_factory=dict)
    triangle_data: Fields = field(default_factory=dict)
    tet_data: Fields = field(default_factory=dict)
    triangle_corner_data: Fields = field(default_factory=dict)
    tet_corner_data: Fields = field(default_factory=dict)
    names: Mapping[tuple[int, int], str] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def nodes(self) -> NDArray[np.float64]:
        """Coordinates (m), shape (n_nodes, 3)."""
        return self.nodes_mm / 1e3
