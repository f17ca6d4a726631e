"""A scene with the field of a moved device in the place of the old one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rheobase.scenes.derived import arrows
from rheobase.scenes.device import coil_layers, electrode_layers
from rheobase.scenes.field import signed
from rheobase.scenes.scene import Layer, Quantity, Scene
from rheobase.viewer.facts import field_volume
from rheobase.viewer.stage import ARROWS

if TYPE_CHECKING:
    from rheobase.viewer.bench import Bench, Rig
    from rheobase.viewer.placing import Moved

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Canvas:
    """Where the values of a scene's layers come from in the mesh, found once.

    Parameters
    ----------
    bench
        The head.
    scene
        The scene of its result.
    """

    bench: Bench
    scene: Scene

    def repaint(self, moved: Moved) -> Scene:
        """Return the scene of a moved device.

        The quantities that the layers of the field show are replaced; other ones and layers that
        the old field made (cells, network, isosurfaces) are left out, as they do not belong to the
        new one.
        """
        painted = [self._painted(layer, moved) for layer in self.scene.group("field")]
        layers = [*self.scene.group("head"), *(x for x in painted if x), *self._device(moved)]
        volume = next((x for x in layers if x.kind == "volume" and x.vectors is not None), None)
        if volume is not None and ARROWS in self.scene:
            layers.append(arrows(volume, name=ARROWS).but(visible=self.scene[ARROWS].visible))
        return replace(self.scene, layers=tuple(layers))

    def _painted(self, layer: Layer, moved: Moved) -> Layer | None:
        of = layer.quantity
        if layer.name not in self._places or of is None or layer.shown is None:
            return None
        tet, weight = self._places[layer.name]
        corners = self.bench.split.of_tet[np.maximum(tet, 0)]

        def here(values: Floats) -> Floats:
            found: Floats = np.einsum("nk...,nk->n...", values[corners], weight)
            found[tet < 0] = np.nan
            return found

        E = here(moved.E.sum(axis=0))
        # in voxels the size of the field between the nodes, as the studies' own scenes have it
        values = here(moved.strength) if layer.vectors is None else np.linalg.norm(E, axis=1)
        shape = layer.shape or values.shape
        kept = {n: q for n, q in layer.quantities.items() if q.categories}
        new = Quantity(
            values=values.reshape(shape),
            label=of.label,
            unit=unit_of(of.unit, moved.rig),
            colours=of.colours,
            limits=(0.0, self.bench.robust(moved.strength)),
        )
        vectors = None if layer.vectors is None else np.nan_to_num(E).reshape(*shape, 3)
        cortex = self.bench.head.cortex
        if layer.kind == "surface" and "across" in layer.quantities and cortex is not None:
            out = layer.quantities["across"]
            kept["across"] = signed(
                np.einsum("nd,nd->n", E, cortex.normal), out.label, new.unit, limit=new.range[1]
            )
        return layer.but(quantities={layer.shown: new, **kept}, vectors=vectors)

    def _device(self, moved: Moved) -> list[Layer]:
        if moved.rig.coil is not None:
            return coil_layers(moved.rig.coil)
        return electrode_layers(self.bench.head, moved.rig.montages)

    @cached_property
    def _places(self) -> dict[str, tuple[NDArray[np.int32], Floats]]:
        """Tetrahedron and weights of each place of the layers that can be painted, by name."""
        locator = self.bench.locator
        cortex = self.bench.head.cortex
        found = {}
        for layer in self.scene.group("field"):
            if layer is field_volume(self.scene):
                found[layer.name] = locator.locate(voxel_middles(layer))
            elif layer.kind == "surface" and cortex is not None and layer.name == "cortex":
                found[layer.name] = locator.locate(cortex.points(0.5))
        return found


def unit_of(unit: str, rig: Rig) -> str:
    """Return the unit of a field with the amplitude of a coil, which the study's own may not be."""
    if rig.coil is None:
        return unit
    return f"{unit.partition(' at ')[0]} at {1e-6 * rig.dIdt:.4g} A/µs"


def voxel_middles(volume: Layer) -> Floats:
    """Return the middles of the voxels of a volume (m), shape (n_voxels, 3)."""
    from rheobase.scenes.field import grid_points, volume_of

    return grid_points(*volume_of(volume)).reshape(-1, 3)
