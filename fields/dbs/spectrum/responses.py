"""Responses of a lead over frequency: impedances, potentials, courses in time.

Electro-quasistatics: -div(kappa grad V) = 0 with the complex conductivity of each tissue and the
constant-phase interface of each contact, on the mesh of the real problem. The whole spectrum comes
from a reduced basis (`rheobase.fields.dbs.spectrum.reduced`); a point or a fibre then needs the
values of a few basis vectors, whatever the number of harmonics.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_positive
from rheobase._files import whole_file
from rheobase._progress import stage
from rheobase.fields.dbs.spectrum.affine import Complexes, Floats, System, lead_affine
from rheobase.fields.dbs.spectrum.dielectrics import Constant, Dielectric, admittivity
from rheobase.fields.dbs.spectrum.interface import Interface
from rheobase.fields.dbs.spectrum.reduced import Basis, Effort, Reduced
from rheobase.fields.dbs.spectrum.series import courses
from rheobase.fields.dbs.steering.steer import Control, Values, control
from rheobase.meshes.dispersion import ColeCole

if TYPE_CHECKING:
    from rheobase.fields.waveforms.trains import PulseTrain

_LAWS: dict[str, Any] = {"Constant": Constant, "ColeCole": ColeCole, "Interface": Interface}
BAND = (100.0, 250e3)
"""Frequencies (Hz) solved for unless told otherwise."""
TOLERANCE = 3e-5
"""Bound on the error of a solution in the energy norm of the tissue (1)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SpectralPoints:
    """Responses at some points, over all frequencies of the band.

    Parameters
    ----------
    reduced
        The system on the basis.
    values
        Potential of each basis vector at the points, shape (n, m); NaN outside the tissue.
    """

    reduced: Reduced
    values: Floats

    def transfer(self, frequency: ArrayLike) -> Complexes:
        """Return potentials (V/A) at frequencies (Hz), shape (nf, N, n), for 1 A out of a contact.

        Raises
        ------
        InputError
            If a frequency lies outside the band.
        """
        y = self.reduced.solve(frequency)
        return np.stack([(self.values @ part).T for part in y])

    def courses(self, pulse: PulseTrain, steering: Control, times: Floats) -> Floats:
        """Return the weight of each basis vector over times (s), shape (m, nt).

        ``values @ courses`` are the potentials; where those are too many to hold, take some of the
        points at a time.

        Raises
        ------
        InputError
            As `SpectralResponse.time_course`.
        """
        return reduced_courses(self.reduced, pulse, steering, times)

    def time_course(
        self, pulse: PulseTrain, steering: Control, times: ArrayLike | None = None
    ) -> Floats:
        """Return potentials (V) at times (s), shape (n, nt); see `SpectralResponse.time_course`."""
        return np.asarray(self.values @ self.courses(pulse, steering, _times(pulse, times)))

    def save(self, path: Path | str) -> None:
        """Write an HDF5 file, with values in single precision.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        import h5py

        r = self.reduced
        with whole_file(Path(path)) as part, h5py.File(part, "w") as file:
            laws = [{"law": type(law).__name__, **asdict(law)} for law in r.laws]
            file.attrs["laws"] = json.dumps(laws)
            file.attrs["contacts"] = json.dumps(r.contacts)
            file.attrs["band"] = r.band
            for name in ("matrices", "metals", "sums"):
                file[name] = getattr(r, name)
            file["values"] = self.values.astype(np.float32)


def load_spectral_points(path: Path | str) -> SpectralPoints:
    """Return what `SpectralPoints.save` wrote.

    Raises
    ------
    InputError
        If the file is missing or is none of these.
    """
    import h5py

    try:
        with h5py.File(path) as file:
            laws = [_law(record) for record in json.loads(file.attrs["laws"])]
            reduced = Reduced(
                matrices=file["matrices"][()],
                laws=tuple(laws),
                metals=file["metals"][()],
                sums=file["sums"][()],
                contacts=tuple(json.loads(file.attrs["contacts"])),
                band=(float(file.attrs["band"][0]), float(file.attrs["band"][1])),
            )
            return SpectralPoints(reduced=reduced, values=file["values"][()].astype(np.float64))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"expected responses over frequency, cannot read them: {path}") from error


def _law(record: dict[str, Any]) -> Any:
    lists = ("delta_eps", "tau", "alpha") if record["law"] == "ColeCole" else ()
    values = {k: tuple(v) if k in lists else v for k, v in record.items() if k != "law"}
    return _LAWS[record["law"]](**values)


@dataclass(frozen=True, kw_only=True, eq=False)
class SpectralResponse:
    """Responses of a lead to 1 A out of each contact, over a band of frequencies.

    Parameters
    ----------
    system
        The assembled lead.
    reduced
        The system on the basis.
    basis
        Potentials of the nodes of the mesh in each basis vector, shape (n_nodes, m).
    effort
        What it took, and how good it is.
    """

    system: Any
    reduced: Reduced
    basis: Floats
    effort: Effort

    @property
    def contacts(self) -> tuple[str, ...]:
        """Names of the N contacts."""
        return self.reduced.contacts

    @property
    def band(self) -> tuple[float, float]:
        """Lowest and highest frequency (Hz)."""
        return self.reduced.band

    def impedance(self, frequency: ArrayLike) -> Complexes:
        """Return the impedances (ohm), interfaces included, shape (nf, N, N).

        Raises
        ------
        InputError
            If a frequency (Hz) lies outside the band.
        """
        return self.reduced.impedance(frequency)

    def control(
        self,
        currents: Values | None = None,
        *,
        voltages: Values | None = None,
        case: bool | float = True,
    ) -> Control:
        """Return a steering of these contacts; see `rheobase.fields.dbs.steering.steer.control`."""
        return control(self.contacts, currents, voltages=voltages, case=case)

    def at(self, points: ArrayLike) -> SpectralPoints:
        """Return the responses at points (m) in the head, shape (n, 3)."""
        values = self.system.interpolation(np.asarray(points, dtype=np.float64)) @ self.basis
        return SpectralPoints(reduced=self.reduced, values=values)

    def transfer(self, points: ArrayLike, frequency: ArrayLike) -> Complexes:
        """Return potentials (V/A) at points (m), shape (nf, N, n), for 1 A out of each contact.

        Raises
        ------
        InputError
            If a frequency (Hz) lies outside the band.
        """
        return self.at(points).transfer(frequency)

    def time_course(
        self,
        points: ArrayLike,
        pulse: PulseTrain,
        steering: Control,
        times: ArrayLike | None = None,
    ) -> Floats:
        """Return potentials (V) at points (m) and times (s), shape (n, nt).

        The amplitudes of the steering are those at w = 1 of the pulse. Under voltage control the
        metal of a contact follows the pulse and the current is what flows then.

        Parameters
        ----------
        points
            Shape (n, 3).
        pulse
            Train, in its steady state; or a single pulse, at t = 0.
        steering
            Currents and voltages at the contacts (`SpectralResponse.control`).
        times
            Times (s); each microsecond of one pulse if None.

        Raises
        ------
        InputError
            If the rate is not within the band, or the charge is not balanced where direct current
            has no response: behind an interface, or below the range of a tissue's model.
        """
        return self.at(points).time_course(pulse, steering, times)

    def nodal(self, pulse: PulseTrain, steering: Control, times: ArrayLike) -> Floats:
        """Return the potentials (V) of all nodes of the mesh at times (s), shape (n_nodes, nt)."""
        return self.basis @ reduced_courses(self.reduced, pulse, steering, _times(pulse, times))

    def voltages(
        self, pulse: PulseTrain, steering: Control, times: ArrayLike | None = None
    ) -> Floats:
        """Return the voltage (V) of each contact's metal against the case, shape (N, nt)."""
        t = _times(pulse, times)
        return self.reduced.metals @ reduced_courses(self.reduced, pulse, steering, t)

    def currents(
        self, pulse: PulseTrain, steering: Control, times: ArrayLike | None = None
    ) -> Floats:
        """Return the current (A) out of each contact, shape (N, nt).

        Under voltage control tissue and interface charge at a jump of the pulse: right after it
        the current is as large as the highest frequency lets it be, not a value to rely on.
        """
        r = self.reduced

        def response(f: Floats) -> Complexes:
            return steering.solve(r.metals @ r.solve(f, above=True))[0]

        t = _times(pulse, times)
        return courses(response, pulse, t, r.band, steady=r.steady).T

    def compliance(self, pulse: PulseTrain, steering: Control, dt: float = 1e-6) -> float:
        """Return the voltage (V) the stimulator must be able to give.

        It is the largest difference, at any time of a pulse, between two of the contacts that are
        driven, or one of them and the case (0 V) where that returns current.
        """
        driven = sorted({*steering.currents, *steering.voltages})
        U = self.voltages(pulse, steering, pulse.times(dt))[driven]
        if steering.returns:
            U = np.concatenate([U, np.zeros((1, U.shape[1]))])
        return float(np.ptp(U, axis=0).max())


def spectral_responses(
    system: System,
    *,
    dielectrics: Mapping[int, Dielectric] | None = None,
    interface: Interface | Mapping[str, Interface] | None = None,
    band: tuple[float, float] = BAND,
    tolerance: float = TOLERANCE,
    contacts: Sequence[str | int] | None = None,
) -> SpectralResponse:
    """Solve for the contacts of a lead over a band of frequencies.

    Parameters
    ----------
    system
        The assembled lead.
    dielectrics
        How tissues conduct, by label (`rheobase.fields.dbs.spectrum.dielectrics.dielectrics`); the
        quasi-static conductivity of the system for a label that is not there.
    interface
        Between metal and tissue: one for all contacts, or by contact; None, or a contact that is
        not there: metal touches tissue.
    band
        Lowest and highest frequency (Hz).
    tolerance
        Bound on the error of a solution, relative, in the energy norm of the tissue. Errors at
        points are smaller, those of impedances are of the order of its square.
    contacts
        The contacts that may be driven; the others float in every steering. All if None; fewer take
        less memory, hardly less time.

    Raises
    ------
    InputError
        If a value is out of range, a label or contact is not of the system, or the band reaches
        beyond the range of a tissue's model.
    """
    low, high = (float(f) for f in band)
    check_positive("lowest frequency of the band", low)
    check_positive("tolerance", tolerance)
    if not (np.isfinite(high) and high > low):
        raise InputError(f"expected a band of rising frequencies, got {low:g} .. {high:g} Hz")
    if interface is None:
        interface = {}
    elif isinstance(interface, Interface):
        interface = dict.fromkeys(system.contacts, interface)
    driven = None if contacts is None else [str(c) for c in contacts]
    for law in (dielectrics or {}).values():
        admittivity(law, [low, high], "band of the responses")
    with stage("responses over frequency"):
        affine = lead_affine(system, dielectrics or {}, interface, driven)
        basis = Basis(affine, (low, high), tolerance)
        return SpectralResponse(
            system=system,
            reduced=basis.reduced(),
            basis=affine.nodes @ basis.vectors,
            effort=basis.effort,
        )


def reduced_courses(
    reduced: Reduced, pulse: PulseTrain, steering: Control, times: Floats
) -> Floats:
    """Return the weight of each basis vector over times (s), shape (m, nt)."""

    def response(f: Floats) -> Complexes:
        y = reduced.solve(f, above=True)
        current, _ = steering.solve(reduced.metals @ y)
        return np.asarray((y @ current[:, :, None])[:, :, 0])

    return courses(response, pulse, times, reduced.band, steady=reduced.steady).T


def _times(pulse: PulseTrain, times: ArrayLike | None) -> NDArray[np.float64]:
    return pulse.times(1e-6) if times is None else np.atleast_1d(np.asarray(times, dtype=float))
