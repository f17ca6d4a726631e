"""EEG of current dipoles in a head: from its lead field by reciprocity, and solved for directly.

1 A into electrode k and out of the reference makes the field E_k. A dipole p (A m, from sink to
source) at x then makes between them the voltage (Helmholtz 1853; Rush & Driscoll 1969,
doi:10.1109/TBME.1969.4502598)

    V_k - V_ref = -E_k(x) · p / 1 A,

for every dipole from the one lead field. The field is the recovered one (docs/field_quality.md).

Solving for a dipole itself takes the load b_i = p · grad(phi_i) in its tetrahedron (partial
integration: Yan, Nunez & Hart 1991, Med Biol Eng Comput 29:475). Matrix and electrodes are those of
the lead field, so that the voltages are those from the *elements'* own lead field, to the solver's
tolerance; the recovered field is some twenty times closer to the truth than either.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rheobase._errors import InputError, check_option
from rheobase.fields.electrodes.electrode import Electrode
from rheobase.fields.electrodes.pads import lay, pad_contacts
from rheobase.fields.leadfield import LeadField
from rheobase.fields.solver import Conductor
from rheobase.meshes.locate import Locator
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.placing.scalp import Scalp

Floats = NDArray[np.float64]

AVERAGE = "average"  # the reference of most EEG: the mean over the electrodes
FARTHEST = 5e-3  # m that `into_tissue` moves a dipole


def eeg(
    lead: LeadField, positions: ArrayLike, moments: ArrayLike, *, reference: str = AVERAGE
) -> Floats:
    """Return the potentials of dipoles at the electrodes of a lead field, summed over the dipoles.

    Parameters
    ----------
    lead
        Lead field whose tissues hold the dipoles.
    positions
        Positions (m), shape (n, 3).
    moments
        Moments (A m), shape (n, 3), or (n, 3, t) for a course in time.
    reference
        "average", or the electrode that the potentials are against.

    Returns
    -------
    ndarray, shape (n_electrodes,) or (n_electrodes, t)
        Potentials (V), in the order of ``lead.names``.

    Raises
    ------
    InputError
        If shapes differ, a moment is not finite, the reference is unknown, or a dipole lies outside
        the tissues of the lead field.
    """
    x = _points(positions)
    p = checked_moments(moments, len(x))
    return eeg_of(eeg_gain(lead, x, reference=reference), p)


def eeg_of(gain: Floats, moments: ArrayLike) -> Floats:
    """Return the potentials (V) of dipoles with known ``gain``, as `eeg` does.

    Parameters
    ----------
    gain
        As from `eeg_gain`, shape (n_electrodes, n, 3).
    moments
        Moments (A m), shape (n, 3) or (n, 3, t).

    Raises
    ------
    InputError
        If the moments are not of n dipoles, or not finite.
    """
    V: Floats = np.tensordot(gain, checked_moments(moments, gain.shape[1]), axes=([1, 2], [0, 1]))
    return V


def eeg_gain(
    lead: LeadField,
    positions: ArrayLike,
    *,
    reference: str = AVERAGE,
    recovered: bool = True,
    locator: Locator | None = None,
) -> Floats:
    """Return the potential at each electrode per moment of each dipole.

    Parameters
    ----------
    lead, positions, reference
        As in `eeg`.
    recovered
        Whether to take the recovered field, or that of the elements, which is constant in each
        tetrahedron and what `solve_dipoles` agrees with to the last digits.
    locator
        Of the mesh, if at hand.

    Returns
    -------
    ndarray, shape (n_electrodes, n, 3)
        V per A m.

    Raises
    ------
    InputError
        As `eeg` does.
    """
    where = f"lead field {lead.path}"
    if reference != AVERAGE:
        check_option("reference electrode", reference, (AVERAGE, *lead.names), where=where)
    x = _points(positions)
    tet, part = (locator or Locator(lead.mesh)).locate(x)
    stored = tissue_of(lead)
    lost = (tet < 0) | ~stored[tet]
    if lost.any():
        first = int(np.flatnonzero(lost)[0])
        raise InputError(
            f"expected dipoles in the tissues of the lead field, {np.count_nonzero(lost)} of "
            f"{len(x)} are not, the first at {np.round(x[first], 4).tolist()} m (into_tissue moves "
            f"them there): {where}"
        )
    if recovered:
        split, place = np.unique(lead.split.of_tet[tet], return_inverse=True)
        E = lead.at(np.searchsorted(lead.kept, split))
        gain: Floats = -np.einsum("kpaj,pa->kpj", E[:, place.reshape(-1, 4)], part)
    else:
        corner, place = np.unique(lead.mesh.tets[tet], return_inverse=True)
        V = lead.potential_at(corner)[:, place.reshape(-1, 4)]
        gain = np.einsum("kpa,paj->kpj", V, _gradients(lead.mesh, tet))
    return _against(gain, lead.names, reference)


def solve_dipoles(
    conductor: Conductor,
    electrodes: Sequence[Electrode],
    positions: ArrayLike,
    moments: ArrayLike,
    *,
    reference: str = AVERAGE,
    rtol: float | None = None,
) -> Floats:
    """Solve for dipoles, one solution each, and read the electrodes.

    Worth it for few dipoles, and to check a lead field.

    Parameters
    ----------
    conductor
        The head.
    electrodes
        The electrodes, attached as in `rheobase.fields.lead_field`: metal of the complete model
        shunts the scalp, ideal electrodes do nothing.
    positions, moments
        Dipoles (m, A m), shape (n, 3) each.
    reference
        "average", or the name of an electrode.
    rtol
        As for `Conductor.solve`.

    Returns
    -------
    ndarray, shape (n_electrodes, n)
        Potentials (V) of each dipole: means over each electrode.

    Raises
    ------
    InputError
        If a dipole lies outside the mesh, shapes differ or the reference is unknown.
    """
    mesh, names = conductor.mesh, [e.name for e in electrodes]
    if reference != AVERAGE:
        check_option("reference electrode", reference, (AVERAGE, *names), where="dipoles")
    x = _points(positions)
    p = checked_moments(moments, len(x))
    if p.ndim != 2:
        raise InputError(f"expected moments of shape ({len(x)}, 3), got {p.shape}: dipoles")
    tet = Locator(mesh).tets(x)
    if (tet < 0).any():
        first = int(np.flatnonzero(tet < 0)[0])
        raise InputError(
            f"expected dipoles inside the mesh, {np.count_nonzero(tet < 0)} of {len(x)} are not, "
            f"the first at {np.round(x[first], 4).tolist()} m"
        )
    scalp = Scalp(mesh)
    pads = [lay(e, scalp) for e in electrodes]
    b = np.zeros((len(x), len(mesh.nodes)))
    load = np.einsum("paj,pj->pa", _gradients(mesh, tet), p)
    np.put_along_axis(b, mesh.tets[tet].astype(np.int64), load, axis=1)
    V = conductor.solve(b, contacts=pad_contacts(pads), rtol=rtol)[0]
    return _against(
        np.stack([V[:, pad.nodes] @ pad.m / pad.area for pad in pads]), names, reference
    )


def into_tissue(
    lead: LeadField, positions: ArrayLike, *, farthest: float = FARTHEST
) -> tuple[Floats, Floats]:
    """Move dipoles that lie outside the tissues of a lead field to the nearest tetrahedron there.

    Parameters
    ----------
    lead, positions
        As in `eeg`.
    farthest
        How far they may be moved (m).

    Returns
    -------
    positions : ndarray, shape (n, 3)
        The positions (m); those that were inside are as they came.
    moved : ndarray, shape (n,)
        How far each was moved (m).

    Raises
    ------
    InputError
        If one is farther than ``farthest`` from the tissue.
    """
    from scipy.spatial import cKDTree

    x = _points(positions)
    stored = tissue_of(lead)
    tet = Locator(lead.mesh).tets(x)
    out, moved = x.copy(), np.zeros(len(x))
    lost = np.flatnonzero((tet < 0) | ~stored[tet])
    if len(lost):
        centres = lead.mesh.centroids()[stored]
        moved[lost], nearest = cKDTree(centres).query(x[lost])
        out[lost] = centres[nearest]
    if moved.max(initial=0.0) > farthest:
        worst = int(moved.argmax())
        raise InputError(
            f"expected dipoles within {farthest * 1e3:g} mm of the tissues of the lead field, "
            f"{np.count_nonzero(moved > farthest)} of {len(x)} are not, the farthest "
            f"({moved[worst] * 1e3:.1f} mm) at {np.round(x[worst], 4).tolist()} m"
        )
    return out, moved


def oriented(directions: ArrayLike, size: ArrayLike) -> Floats:
    """Return moments (A m) of fixed directions.

    Parameters
    ----------
    directions
        Directions of any length but 0, shape (n, 3).
    size
        Size along them (A m), shape (n,) or (n, t).

    Returns
    -------
    ndarray, shape (n, 3) or (n, 3, t)

    Raises
    ------
    InputError
        If shapes differ or a direction has no length.
    """
    d, s = np.asarray(directions, dtype=np.float64), np.asarray(size, dtype=np.float64)
    if d.ndim != 2 or d.shape[1] != 3 or s.ndim not in (1, 2) or len(s) != len(d):
        raise InputError(
            f"expected directions (n, 3) and sizes (n,) or (n, t), got {d.shape} and {s.shape}"
        )
    length = np.linalg.norm(d, axis=1, keepdims=True)
    if not (np.isfinite(length) & (length > 0)).all():
        raise InputError("expected directions that are finite and not 0")
    unit = d / length
    out: Floats = unit * s[:, None] if s.ndim == 1 else unit[:, :, None] * s[:, None, :]
    return out


def global_field_power(V: ArrayLike) -> Floats:
    """Return the standard deviation of potentials over the electrodes (V).

    Parameters
    ----------
    V
        Potentials (V), shape (n_electrodes, ...).

    References
    ----------
    Lehmann & Skrandies 1980, doi:10.1016/0013-4694(80)90419-8.
    """
    out: Floats = np.asarray(V, dtype=np.float64).std(axis=0)
    return out


def tissue_of(lead: LeadField) -> NDArray[np.bool_]:
    """Return whether a lead field has the field of each tetrahedron, shape (n_tets,)."""
    known = np.zeros(len(lead.split.node), dtype=bool)
    known[lead.kept] = True
    out: NDArray[np.bool_] = known[lead.split.of_tet].all(axis=1)
    return out


def checked_moments(moments: ArrayLike, n: int) -> Floats:
    """Return moments as numbers, shape (n, 3) or (n, 3, t).

    Raises
    ------
    InputError
        If they have another shape or are not finite.
    """
    p = np.asarray(moments, dtype=np.float64)
    if p.ndim not in (2, 3) or p.shape[:2] != (n, 3):
        raise InputError(
            f"expected moments of {n} dipoles, shape ({n}, 3) or ({n}, 3, t), got {p.shape}"
        )
    if not np.isfinite(p).all():
        raise InputError("expected finite moments of the dipoles")
    return p


def _points(positions: ArrayLike) -> Floats:
    x = np.atleast_2d(np.asarray(positions, dtype=np.float64))
    if x.ndim != 2 or x.shape[1] != 3 or len(x) == 0:
        raise InputError(f"expected positions of dipoles, shape (n, 3), got {x.shape}")
    return x


def _against(V: Floats, names: Sequence[str], reference: str) -> Floats:
    """Return what the electrodes, first axis, have against the reference."""
    zero = V.mean(axis=0) if reference == AVERAGE else V[names.index(reference)]
    out: Floats = V - zero
    return out


def _gradients(mesh: TetMesh, tet: NDArray[np.integer]) -> Floats:
    """Return the gradients of the four basis functions of tetrahedra (1/m), shape (n, 4, 3)."""
    corners = mesh.nodes[mesh.tets[tet]]
    ones = np.ones((*corners.shape[:2], 1))
    inverse = np.linalg.inv(np.concatenate([ones, corners], axis=2))
    out: Floats = inverse[:, 1:, :].transpose(0, 2, 1)
    return out
