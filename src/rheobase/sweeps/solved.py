"""What points of a field study share: the head, its preconditioner, the field of unit sources.

A field is solved for once for each *geometry*: a head with a device on it, whatever its amplitude.
Intensity, currents, carriers and their phases are algebra on the fields of unit sources. Coils of
one head are solved for eight at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase._files import content_key, stamp
from rheobase.config import Study
from rheobase.stations.devices import Device, device_of
from rheobase.stations.head import open_head
from rheobase.stations.inputs import Inputs, open_inputs
from rheobase.stations.placing import Placed, place_device
from rheobase.tables.base import Table
from rheobase.tables.coil import TMS
from rheobase.tables.electrodes import TES, TI

if TYPE_CHECKING:
    from rheobase.fields.basis import FieldBasis
    from rheobase.fields.solver import Conductor
    from rheobase.meshes.head import Head

Floats = NDArray[np.float64]

BLOCK = 8  # coils solved for together
#: Keys of ``[device]`` that do not change the fields of its unit sources.
ALGEBRA = ("waveform", "intensities_A_per_us", "direction", "fastest_beat_Hz")
#: And those of its electrodes and pairs.
OF_SOURCE = ("current_mA", "carrier_Hz", "phase_deg")


class Recent[T]:
    """The last few things made, by key."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._held: dict[str, T] = {}

    def get(self, key: str, make: Callable[[], T]) -> T:
        """Return what has this key, made where it is not held."""
        if key not in self._held:
            while len(self._held) >= self.most:  # before the next one needs the memory
                del self._held[next(iter(self._held))]
            self._held[key] = make()
        return self._held[key]

    def clear(self) -> None:
        """Let go of everything."""
        self._held.clear()


#: Of this process: points come by head, so one of each is enough.
HEADS: Recent[Head] = Recent(1)
CONDUCTORS: Recent[Conductor] = Recent(1)


def let_go() -> None:
    """Free the head and the conductor that this process holds."""
    HEADS.clear()
    CONDUCTORS.clear()


def head_key(study: Study) -> str:
    """Return the key of what makes the head of a study."""
    return content_key(study.head.model_dump(mode="json"), _stamps(study.head))


def _stamps(table: Table) -> list[Any]:
    """Return what tells the files that a table names from what they were."""
    return [stamp(path) for path in table.files().values() if path.exists()]


def geometry_key(study: Study) -> str:
    """Return the key of the head and of the device on it, that of the head first."""
    device = study.device.model_dump(mode="json")
    for key in ALGEBRA:
        device.pop(key, None)
    sources = [*(device.get("electrodes") or ()), *(device.get("pairs") or ())]
    sources += [device["montage_4x1"]] if device.get("montage_4x1") else []
    for one in sources:
        for key in OF_SOURCE:
            one.pop(key, None)
    return f"{head_key(study)}-{content_key(device, _stamps(study.device))}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solved:
    """A device on a head and the fields of its unit sources.

    Parameters
    ----------
    key
        Of the geometry.
    head, placed, inputs
        The head, the device on it, and what else the study reads.
    basis
        The fields.
    directions
        Currents of each source through the electrodes of a "tes" montage (1), shape (k, n); empty
        for other devices.
    """

    key: str
    head: Head
    placed: Placed
    inputs: Inputs
    basis: FieldBasis
    directions: Floats

    def device(self, study: Study) -> Device:
        """Return the field at the amplitudes of a study of this geometry."""
        if isinstance(study.device, TMS):
            return device_of(study, self.placed, self.basis)
        montages = [
            replace(montage, currents=tuple(currents))
            for montage, currents in zip(
                self.placed.montages, currents_of(study.device), strict=True
            )
        ]
        placed = replace(self.placed, montages=tuple(montages))
        basis = self.basis
        if isinstance(study.device, TES):
            unit = np.array(montages[0].currents) / montages[0].amplitude
            weights = np.linalg.lstsq(self.directions.T, unit, rcond=None)[0]
            basis = summed(basis, montages[0].name, weights)
        return device_of(study, placed, basis)


def amplitude_of(study: Study) -> tuple[float, tuple[float, ...]]:
    """Return the amplitude of a study, and what of its sources is left when that is taken out.

    Studies of one geometry that share the second have fields in proportion to the first.
    """
    if isinstance(study.device, TMS):
        return (study.results.intensity_A_per_us or 1.0) * 1e6, ()
    currents = np.concatenate([np.array(row) for row in currents_of(study.device)])
    size = float(np.abs(currents).max())
    rest = np.round(currents / size, 12).tolist()
    if isinstance(study.device, TI):
        pairs = study.device.pairs
        rest += [x for p in pairs for x in (p.carrier_Hz, p.phase_deg)]
        rest += [study.device.fastest_beat_Hz, *(study.device.direction or ())]
    return size, tuple(rest)


def currents_of(device: TES | TI) -> list[list[float]]:
    """Return the currents (A) through the electrodes of each montage of a device."""
    if isinstance(device, TI):
        return [[p.current_mA * 1e-3, -p.current_mA * 1e-3] for p in device.pairs]
    if device.montage_4x1 is not None:
        current = device.montage_4x1.current_mA * 1e-3
        return [[current, *[-current / 4] * 4]]
    return [[e.current_mA * 1e-3 for e in device.electrodes or ()]]


def summed(basis: FieldBasis, name: str, weights: Floats) -> FieldBasis:
    """Return the basis of one source, which is a sum of the sources of another.

    It shares the mesh and what was found out about it. The report is that of the heaviest source.
    """
    if len(weights) == 1 and weights[0] == 1.0:
        return basis
    w, keep = weights[None], basis.correction
    found = replace(
        basis,
        names=(name,),
        E=np.einsum("ok,knc->onc", w, basis.E),
        potential=w @ basis.potential,
        correction=None if keep is None else w @ keep,
        report=(basis.report[int(np.abs(weights).argmax())],),
    )
    for shared in ("locator", "split_volume"):  # cached properties
        if shared in basis.__dict__:
            found.__dict__[shared] = basis.__dict__[shared]
    return found


def open_shared(study: Study) -> Head:
    """Return the head of a study, the one that this process holds where it is the same."""
    return HEADS.get(head_key(study), lambda: open_head(study.head))


def solve_electrodes(studies: Sequence[Study]) -> Solved:
    """Solve for the currents of studies of one geometry, of as many sources as they need."""
    from rheobase.fields.conduction import solve_conduction

    study = studies[0]
    _, inputs, placed = _placed(study)
    directions = np.empty((0, 0))
    montages = placed.montages
    if isinstance(study.device, TES):
        directions = _independent([currents_of(s.device)[0] for s in studies])  # type: ignore[arg-type]
        montages = tuple(
            replace(montages[0], name=f"{montages[0].name} {k}", currents=tuple(row))
            for k, row in enumerate(directions.tolist())
        )
    if placed.meshed is not None:
        basis = solve_conduction(placed.meshed, montages, tensors=placed.tensors)
    else:
        basis = solve_conduction(_conductor(study, placed), montages)
    return Solved(
        key=geometry_key(study),
        head=placed.head,
        placed=placed,
        inputs=inputs,
        basis=basis,
        directions=directions,
    )


def solve_coils(studies: Iterable[Study]) -> dict[str, Solved | Exception]:
    """Solve for coils on one head together; one that cannot be placed is its own error."""
    from rheobase.fields.induction import solve_induction

    found: dict[str, Solved | Exception] = {}
    ready: list[tuple[str, Study, tuple[Head, Inputs, Placed]]] = []
    for study in studies:
        key = geometry_key(study)
        try:
            ready.append((key, study, _placed(study)))
        except Exception as error:  # noqa: BLE001, RUF100 - it is that of the points of this pose
            found[key] = error
    if not ready:
        return found
    coils: list[Any] = [placed.coil for _, _, (_, _, placed) in ready]
    named = [replace(coil, name=f"{coil.name} {k}") for k, coil in enumerate(coils)]
    conductor = _conductor(ready[0][1], ready[0][2][2])
    basis = solve_induction(conductor, named, allow_intersection=True)  # as they were placed
    _ = basis.locator  # found once, for all of them
    for k, (key, _, (head, inputs, placed)) in enumerate(ready):
        one = np.zeros(len(ready))
        one[k] = 1.0
        found[key] = Solved(
            key=key,
            head=head,
            placed=placed,
            inputs=inputs,
            basis=summed(basis, coils[k].name, one),
            directions=np.empty((0, 0)),
        )
    return found


def _placed(study: Study) -> tuple[Head, Inputs, Placed]:
    inputs = open_inputs(study)
    head = open_shared(study)
    return head, inputs, place_device(study, head, inputs)


def _conductor(study: Study, placed: Placed) -> Conductor:
    from rheobase.fields.solver import Conductor

    def make() -> Conductor:
        return Conductor(placed.head, tensors=placed.tensors)

    return CONDUCTORS.get(head_key(study), make)


def _independent(currents: Sequence[Sequence[float]]) -> Floats:
    """Return directions that all currents are sums of, each of 1 A in all, shape (k, n)."""
    from scipy.linalg import qr

    rows = np.array(currents)
    rows = rows / np.maximum(rows, 0).sum(axis=1, keepdims=True)
    _, R, order = qr(rows.T, mode="economic", pivoting=True)
    size = np.abs(np.diag(R))
    found: Floats = rows[np.sort(order[: int((size > 1e-9 * size[0]).sum())])]
    return found
