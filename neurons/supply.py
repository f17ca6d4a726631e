"""Which cells stand for a type: grown ones, or given ones, and never another's in silence.

Cells are grown for a few classes of cortical thickness (each class 1.25 times the one below; a
column takes the class just below its own thickness): the apical tree then ends under the local pia
and the axon trunk leaves through the local white-matter border. Each type has ``clones`` cells
whose somata lie in equal strata of the layer. Given cells keep their shape: they are dealt out in
equal numbers, at any depth of the layer. No cell stands so high that its tuft would leave the
cortex.

A species without sizes of its own, or a type of which no cell was given, is an error unless
``substitute`` says what stands in for it; the population's notes then tell so. What is named there
is used also where it were not needed, and a substitute that could do nothing is an error. Given
cells that are of no use are named in the notes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError, check_option
from rheobase.meshes.cortex.layers import LayerTable
from rheobase.neurons.constants import species_with_sizes
from rheobase.neurons.generate import Cell, cell_types, generate_cell, type_layer
from rheobase.neurons.morphology import Floats

_grown = lru_cache(maxsize=512)(generate_cell)  # 0.3 MB and 50 ms each
_CLASS_RATIO = 1.25
_PIA_MARGIN = 15e-6  # of a given cell's highest point (m)


@dataclass(frozen=True, kw_only=True, slots=True)
class Supply:
    """The cells of a population that is being placed.

    Parameters
    ----------
    species, layers
        Of the cortex.
    seed, clones
        Of the grown cells, and how many of each type and class of thickness.
    given
        Cells in place of grown ones.
    substitute
        What stands in: for the species another, whose sizes grown cells take, or of which the given
        cells are; for a type another, of which cells are given.
    """

    species: str
    layers: LayerTable
    seed: int
    clones: int
    given: tuple[Cell, ...]
    substitute: Mapping[str, str]

    def check(self, names: Iterable[str]) -> tuple[str, ...]:
        """Check that there is a cell for every type, and return what stands in for what.

        Raises
        ------
        InputError
            If cells are missing, or a substitute is none or of no use.
        """
        if self.clones < 1:
            raise InputError(f"clones must be >= 1, got {self.clones}")
        names = list(names)
        for missing, other in self.substitute.items():
            check_option("substitute's species or type", missing, [self.species, *names])
            if other == missing:
                raise InputError(f"a substitute must be another than what it replaces, got {other}")
            if not self.given and missing != self.species:
                raise InputError(
                    f"without given cells every type is grown as itself, and substitute may name "
                    f"the species ({self.species}) only, got {missing}"
                )
        notes = self._of_given(names) if self.given else self._of_grown()
        for name in names:
            self.layers.layer(self._layer(name))
        return notes

    def _of_given(self, names: list[str]) -> tuple[str, ...]:
        """Return what stands in for what, and which given cells are of no use."""
        notes = []
        if self._from != self.species:
            notes.append(f"{self.species} cells are given {self._from} cells")
        used = {name: self._stands_in(name) for name in names}
        notes += [f"{name}: {cell} stands in" for name, cell in used.items() if cell != name]
        known = {(self._from, name) for name in used.values()}
        left = dict.fromkeys(
            f"{c.species} {c.name}" for c in self.given if (c.species, c.name) not in known
        )
        if left:
            notes.append(f"given cells not used: {', '.join(left)}")
        return tuple(notes)

    def _of_grown(self) -> tuple[str, ...]:
        """Return whose sizes the grown cells have, where they are another's."""
        sizes = self._sizes()
        if sizes == self.species:
            return ()
        return (f"{self.species} cells have the sizes of {sizes} cells",)

    def take(
        self, name: str, thickness: Floats, rng: np.random.Generator
    ) -> tuple[list[Cell], NDArray[np.int32], Floats]:
        """Return the cells of a type, which of them each placement is, and its depth.

        Parameters
        ----------
        name
            Type.
        thickness
            Of the cortex at each placement (m), shape (n,).
        rng
            Deals the cells out and draws the depths.
        """
        if not self.given:
            return self._grow(name, thickness, rng)
        chosen, layer = self._stands_in(name), self._layer(name)
        top, bottom = self.layers.layer(layer)
        cells = [c for c in self.given if c.name == chosen and c.species == self._from]
        if (chosen, self._from) != (name, self.species):
            cells = [
                replace(
                    c,
                    name=name,
                    layer=layer,
                    species=self.species,
                    origin=f"{c.origin} ({c.species} {c.name})",
                )
                for c in cells
            ]
        which = (rng.permutation(len(thickness)) % len(cells)).astype(np.int32)
        tall = np.array([c.skeleton.position[:, 2].max() + _PIA_MARGIN for c in cells])
        depth = top + (bottom - top) * rng.random(len(thickness))
        return cells, which, np.maximum(depth, np.minimum(tall[which] / thickness, bottom))

    def _grow(
        self, name: str, thickness: Floats, rng: np.random.Generator
    ) -> tuple[list[Cell], NDArray[np.int32], Floats]:
        top, bottom = self.layers.layer(type_layer(name))
        n, clones = len(thickness), self.clones
        step = np.floor(np.log(thickness / self.layers.thickness) / np.log(_CLASS_RATIO) + 1e-9)
        clone = rng.permutation(n) % clones
        stratum = (bottom - top) / clones
        key = step.astype(np.int64) * clones + clone
        which = np.empty(n, dtype=np.int32)
        least = np.empty(n)  # depth (m) at which the cell just fits under the pia
        cells: list[Cell] = []
        for k in np.unique(key):
            cell = _grown(
                name,
                self.species,
                area=self.layers.area,
                seed=self.seed * 1000 + int(k % clones),
                thickness=self.layers.thickness * _CLASS_RATIO ** int(k // clones),
                depth=top + (int(k % clones) + 0.5) * stratum,
                sizes=self._sizes(),
            )
            which[key == k] = len(cells)
            least[key == k] = cell.depth * cell.thickness
            cells.append(cell)
        depth = top + (clone + rng.random(n)) * stratum
        return cells, which, np.maximum(depth, np.minimum(least / thickness, bottom))

    def _layer(self, name: str) -> str:
        if name in cell_types():
            return type_layer(name)
        of_name = {c.name: c.layer for c in self.given if c.species == self._from}
        return of_name[check_option("cell type", name, [*cell_types(), *of_name])]

    def _stands_in(self, name: str) -> str:
        """Return the type of the given cells to use for ``name``."""
        there = sorted({c.name for c in self.given if c.species == self._from})
        chosen = self.substitute.get(name, name)
        if chosen not in there:
            raise InputError(
                f"each type needs a {self._from} cell among those given "
                f"({', '.join(there) or f'no {self._from} cell'}) or a substitute of that name, "
                f"got none for {name}"
            )
        return chosen

    @property
    def _from(self) -> str:
        """Species whose cells, or sizes, are used."""
        return self.substitute.get(self.species, self.species)

    def _sizes(self) -> str:
        """Return the species whose size factors to use."""
        chosen = self._from
        if chosen not in species_with_sizes():
            raise InputError(
                f"a species needs sizes of its own ({', '.join(species_with_sizes())}) or a "
                f"substitute that has them, got {chosen}"
            )
        return chosen
