"""Cells put into cortex: positions, orientations, layers.

A cell keeps its length constants, so it is never stretched in place: `rheobase.neurons.supply`
says which cells stand where.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError
from rheobase.meshes.cortex.layers import layer_table
from rheobase.meshes.cortex.sheet import CorticalSheet
from rheobase.meshes.cortex.sites import sample_sites
from rheobase.neurons.generate import Cell
from rheobase.neurons.morphology import Floats
from rheobase.neurons.supply import Supply

_Draw = Callable[[int, np.random.Generator], tuple[Floats, Floats, NDArray[np.int32]]]

_THINNEST, _THICKEST = 0.3e-3, 8e-3  # columns outside are artefacts of the surfaces (m)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Population:
    """Cells and where they stand.

    Parameters
    ----------
    cells
        The different cells.
    cell
        Which of them each placement is, shape (n,).
    position
        Soma (m), shape (n, 3).
    rotation
        From the frame of the cell (+z to the pia) to that of the head, shape (n, 3, 3).
    depth
        Depth of the soma (0 pia … 1 white matter), shape (n,).
    column
        Column of the cortical sheet, -1 in a slab, shape (n,).
    seed
        Of all draws.
    notes
        What a reader must know of how the cells were placed.
    """

    cells: tuple[Cell, ...]
    cell: NDArray[np.int32]
    position: Floats
    rotation: Floats
    depth: Floats
    column: NDArray[np.int32]
    seed: int
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check shapes."""
        n = len(self.cell)
        shapes = (self.position.shape, self.rotation.shape, self.depth.shape, self.column.shape)
        if shapes != ((n, 3), (n, 3, 3), (n,), (n,)):
            raise InputError(f"placements must share one length, got {shapes} for {n} cells")
        if n and not 0 <= self.cell.min() <= self.cell.max() < len(self.cells):
            raise InputError(f"cell must index the {len(self.cells)} cells, got {self.cell.max()}")

    def __len__(self) -> int:
        """Return the number of placements."""
        return len(self.cell)

    @property
    def type(self) -> NDArray[np.str_]:
        """Type of each placement, shape (n,)."""
        return np.array([c.name for c in self.cells])[self.cell]

    @property
    def cell_class(self) -> NDArray[np.str_]:
        """Class of each placement (PYR, PV, SST, VIP, NGC), shape (n,)."""
        return np.array([c.cell_class for c in self.cells])[self.cell]

    @property
    def layer(self) -> NDArray[np.str_]:
        """Layer of each soma, shape (n,)."""
        return np.array([c.layer for c in self.cells])[self.cell]

    @property
    def species(self) -> NDArray[np.str_]:
        """Species of each placement, shape (n,)."""
        return np.array([c.species for c in self.cells])[self.cell]

    def select(self, which: ArrayLike) -> Population:
        """Return the placements chosen by a mask or by indices."""
        i = np.asarray(which)
        return replace(
            self,
            cell=self.cell[i],
            position=self.position[i],
            rotation=self.rotation[i],
            depth=self.depth[i],
            column=self.column[i],
        )

    def compartments(self, placement: int) -> Floats:
        """Return the compartment centres of one placement (m), shape (n_compartments, 3)."""
        local = self.cells[self.cell[placement]].morphology.centre
        out: Floats = local @ self.rotation[placement].T + self.position[placement]
        return out


def place_in_sheet(
    sheet: CorticalSheet,
    *,
    species: str,
    counts: Mapping[str, int],
    seed: int,
    centre: ArrayLike | None = None,
    radius: float | None = None,
    mask: ArrayLike | None = None,
    area: str | None = None,
    clones: int = 4,
    cells: Sequence[Cell] = (),
    substitute: Mapping[str, str] | None = None,
) -> Population:
    """Place generated cells in a cortical sheet, evenly over its mid-depth surface.

    Parameters
    ----------
    sheet
        The cortex.
    species, area
        Choose layers and size factors.
    counts
        Number of placements of each type, for instance ``{"L5_pyramidal": 500}``.
    seed
        Of positions, azimuths, depths and shapes.
    centre, radius
        Ball (m) that holds the mid-depth points of the columns used.
    mask
        Columns used, shape (n_columns,), in place of a ball; all columns when neither is given.
    clones
        Different cells for each type and thickness class.
    cells
        Cells (read from files, say) in place of grown ones; ``counts`` goes by their names.
    substitute
        What stands in where there is no cell: for the species another, whose sizes the grown cells
        take (``{"macaque": "human"}``) or of which the ``cells`` are; for a type of which ``cells``
        has none another of them. The notes tell it.

    Raises
    ------
    InputError
        If the region holds no column, there are no counts or one is no whole number >= 0, type,
        species or layer are unknown, or there is no cell for a type or species and no substitute.
    """
    middle = sheet.points(0.5)
    chosen = np.ones(len(middle), dtype=bool)
    if centre is not None:
        if radius is None or not radius > 0:
            raise InputError(f"radius must be > 0 m where a centre is given, got {radius!r}")
        chosen &= np.linalg.norm(middle - np.asarray(centre), axis=1) <= radius
    if mask is not None:
        m = np.asarray(mask, dtype=bool)
        if m.shape != chosen.shape:
            raise InputError(f"mask must have shape {chosen.shape}, got {m.shape}")
        chosen &= m
    good = (sheet.thickness >= _THINNEST) & (sheet.thickness <= _THICKEST)
    notes: tuple[str, ...] = ()
    odd = int(np.count_nonzero(chosen & ~good))
    if odd:
        notes = (f"{odd} columns thinner than 0.3 mm or thicker than 8 mm were left out",)
    chosen &= good
    if not chosen[sheet.triangles].all(axis=1).any():
        where = ""
        if centre is not None:
            spot = np.round(np.asarray(centre, dtype=np.float64), 4).tolist()
            where = f" within {radius} m of {spot} m"
        raise InputError(
            f"the region must hold a triangle of the cortex, got {chosen.sum()} columns{where}"
        )

    def draw(n: int, rng: np.random.Generator) -> tuple[Floats, Floats, NDArray[np.int32]]:
        sites = sample_sites(sheet, count=n, seed=rng, columns=chosen)
        return sites.pial, sites.white, sites.column

    supply = _supply(species, area, seed, clones, cells, substitute)
    return _place(draw, supply, counts, notes)


def place_in_slab(
    *,
    species: str,
    counts: Mapping[str, int],
    seed: int,
    radius: float,
    thickness: float | None = None,
    centre: Sequence[float] = (0.0, 0.0, 0.0),
    area: str | None = None,
    clones: int = 4,
    cells: Sequence[Cell] = (),
    substitute: Mapping[str, str] | None = None,
) -> Population:
    """Place generated cells in flat cortex: pia at ``centre``'s height, white matter below it.

    Parameters
    ----------
    species, area, counts, seed, clones, cells, substitute
        As in `place_in_sheet`.
    radius
        Of the disc of pia over the somata (m).
    thickness
        Of the cortex (m); the species' own when None.
    centre
        Middle of the disc (m), shape (3,); +z leaves the cortex.

    Raises
    ------
    InputError
        If radius or thickness are not > 0 m, or names are unknown.
    """
    height = layer_table(species, area).thickness if thickness is None else thickness
    if not (radius > 0 and height > 0):
        raise InputError(f"radius and thickness must be > 0 m, got {radius!r} and {height!r}")

    def draw(n: int, rng: np.random.Generator) -> tuple[Floats, Floats, NDArray[np.int32]]:
        angle, r = rng.uniform(0, 2 * np.pi, n), radius * np.sqrt(rng.random(n))
        pial = np.stack([r * np.cos(angle), r * np.sin(angle), np.zeros(n)], axis=1)
        pial += np.asarray(centre, dtype=np.float64)
        return pial, pial - [0.0, 0.0, height], np.full(n, -1, dtype=np.int32)

    supply = _supply(species, area, seed, clones, cells, substitute)
    return _place(draw, supply, counts, ())


def place_cells(
    cells: Sequence[Cell],
    *,
    position: ArrayLike,
    normal: ArrayLike,
    cell: ArrayLike | None = None,
    seed: int = 0,
) -> Population:
    """Place given cells (read from files, say) at given somata, with random azimuth.

    Parameters
    ----------
    cells
        The cells.
    position, normal
        Soma (m) and direction to the pia, shape (n, 3) each (or (3,), the same for all).
    cell
        Which cell each placement is, shape (n,); every cell once when None.

    Raises
    ------
    InputError
        If shapes differ or a normal is 0.
    """
    which = np.arange(len(cells)) if cell is None else np.asarray(cell)
    n = len(which)
    x = np.broadcast_to(np.asarray(position, dtype=np.float64), (n, 3)).copy()
    up = np.broadcast_to(np.asarray(normal, dtype=np.float64), (n, 3))
    rng = np.random.default_rng(seed)
    return Population(
        cells=tuple(cells),
        cell=which.astype(np.int32),
        position=x,
        rotation=upright(up, rng.uniform(0, 2 * np.pi, n)),
        depth=np.array([c.depth for c in cells])[which],
        column=np.full(n, -1, dtype=np.int32),
        seed=seed,
    )


def upright(normal: Floats, azimuth: Floats) -> Floats:
    """Return rotations that take +z to ``normal`` after a turn by ``azimuth`` (rad) about z.

    Parameters
    ----------
    normal, azimuth
        Shapes (n, 3) and (n,).

    Raises
    ------
    InputError
        If a normal is 0.
    """
    length = np.linalg.norm(normal, axis=1)
    if not (length > 0).all():
        raise InputError("normals must not be 0")
    z = normal / length[:, None]
    least = np.eye(3)[np.abs(z).argmin(axis=1)]
    x = np.cross(least, z)
    x /= np.linalg.norm(x, axis=1)[:, None]
    y = np.cross(z, x)
    c, s = np.cos(azimuth)[:, None], np.sin(azimuth)[:, None]
    out: Floats = np.stack([c * x + s * y, c * y - s * x, z], axis=2)
    return out


def _supply(
    species: str,
    area: str | None,
    seed: int,
    clones: int,
    cells: Sequence[Cell],
    substitute: Mapping[str, str] | None,
) -> Supply:
    return Supply(
        species=species,
        layers=layer_table(species, area),
        seed=seed,
        clones=clones,
        given=tuple(cells),
        substitute=substitute or {},
    )


def _place(
    draw: _Draw, supply: Supply, counts: Mapping[str, int], notes: tuple[str, ...]
) -> Population:
    if not counts:
        raise InputError("counts must name at least one type, got none")
    for name, n in counts.items():
        if isinstance(n, bool) or not isinstance(n, Integral) or n < 0:
            raise InputError(f"the number of {name} must be a whole number >= 0, got {n!r}")
    notes += supply.check(counts)
    rng = np.random.default_rng(supply.seed)
    cells: list[Cell] = []
    parts: list[tuple[NDArray[np.int32], Floats, Floats, Floats, NDArray[np.int32]]] = []
    for name, n in counts.items():
        pial, white, column = draw(int(n), rng)
        taken, which, depth = supply.take(name, np.linalg.norm(pial - white, axis=1), rng)
        position = pial + depth[:, None] * (white - pial)
        rotation = upright(pial - white, rng.uniform(0, 2 * np.pi, n))
        parts.append((which + len(cells), position, rotation, depth, column))
        cells.extend(taken)
    joined = [np.concatenate([p[i] for p in parts]) for i in range(5)]
    return Population(
        cells=tuple(cells),
        cell=joined[0].astype(np.int32),
        position=joined[1],
        rotation=joined[2],
        depth=joined[3],
        column=joined[4].astype(np.int32),
        seed=supply.seed,
        notes=notes,
    )
