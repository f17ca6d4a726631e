"""Leads in a head, solved for: what every contact does, and what the setting does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase._kept import kept, kept_path
from rheobase._progress import stage
from rheobase.stations.kept_fields import CODE

if TYPE_CHECKING:
    from rheobase.fields.dbs.grid.domains import Domain
    from rheobase.fields.dbs.solution.response import LeadResponse
    from rheobase.fields.dbs.solution.system import Encapsulation, LeadSystem
    from rheobase.fields.dbs.spectrum.responses import SpectralResponse
    from rheobase.fields.dbs.steering.steer import Steering
    from rheobase.fields.dbs.volumes.activated import Activated, Criterion, SampledLead
    from rheobase.meshes.head import Head
    from rheobase.meshes.leads.lead import Lead
    from rheobase.meshes.leads.medium import Medium
    from rheobase.tables.dbs import DeepStudy
    from rheobase.tables.dbs_lead import LeadTable

Floats = NDArray[np.float64]

LAST = 0.999  # of the first phase: when the field of dispersive tissue is looked at
BAND_TOP = 250e3  # Hz
BRAIN = ("white_matter", "grey_matter")  # that a head with leads must have
INSIDE, ROUND = 0.99, 0.9  # of the way to the ellipsoid around a head; of it that must be skin


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Surroundings:
    """What all leads of a study share.

    Parameters
    ----------
    head, medium, domain
        The head, its tissues, and where the current returns.
    encapsulation
        The layer around every lead, if there is one.
    """

    head: Head
    medium: Medium
    domain: Domain
    encapsulation: Encapsulation | None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Active:
    """A lead with its setting.

    Parameters
    ----------
    table, lead
        What the study says, and where it is.
    response
        Unit responses; in dispersive tissue those at the end of the first phase.
    spectral
        Responses over frequency, None without dispersion.
    steering, sampled, volume
        The setting, the field around the lead, and what it activates.
    """

    table: LeadTable
    lead: Lead
    response: LeadResponse
    spectral: SpectralResponse | None
    steering: Steering
    sampled: SampledLead
    volume: Activated

    @property
    def currents(self) -> dict[str, float]:
        """Current out of each contact (A), by name."""
        return dict(zip(self.steering.names, self.steering.currents.tolist(), strict=True))

    @property
    def slug(self) -> str:
        """Its name for files."""
        return self.table.slug


def surroundings(study: DeepStudy, head: Head) -> Surroundings:
    """Return what is around the leads of a study.

    Raises
    ------
    InputError
        If the head's diffusion image does not fit it.
    """
    from rheobase.fields.dbs.grid.domains import ellipsoid_domain, head_domain
    from rheobase.fields.dbs.solution.system import Encapsulation
    from rheobase.meshes.leads.medium import from_head

    names = {tissue.name for tissue in head.tissues.values()}
    lacking = [name for name in BRAIN if name not in names]
    if lacking:
        raise InputError(
            f"expected {' and '.join(lacking)} around a lead, the head has "
            f"{', '.join(sorted(names))} only: head {head.name!r}"
        )
    with stage("tissues around the leads"):
        medium = from_head(head)
    domain = head_domain(head)
    if study.tissue.returns == "scalp":
        low, high = head.mesh.nodes.min(axis=0), head.mesh.nodes.max(axis=0)
        domain = ellipsoid_domain((0.5 * (high - low)).tolist(), (0.5 * (low + high)).tolist())
        _check_round(domain, medium, head)
    layer = study.tissue.encapsulation
    return Surroundings(
        head=head,
        medium=medium,
        domain=domain,
        encapsulation=None
        if layer is None
        else Encapsulation(thickness=layer.thickness_mm * 1e-3, tissue=layer.conductivity_S_per_m),
    )


def _check_round(domain: Domain, medium: Medium, head: Head) -> None:
    """Refuse a head whose skin is not the ellipsoid that would be at 0 V."""
    from rheobase.meshes.heads.sphere import unit_sphere

    directions, _ = unit_sphere(4)
    labels = medium.labels(domain.centre + INSIDE * domain.half * directions)
    share = np.bincount(labels)[1:].max(initial=0) / len(labels)
    if share < ROUND:
        raise InputError(
            "expected an ellipsoidal head for returns = 'scalp', of the ellipsoid around this one "
            f"{share:.0%} is one tissue: tissue.returns, head {head.name!r}"
        )


def place_leads(study: DeepStudy, around: Surroundings) -> list[Lead]:
    """Return the leads of a study in their places.

    Raises
    ------
    InputError
        If a lead leaves the tissue, or two leads meet; before anything is solved.
    """
    from rheobase.meshes.leads.lead import check_lead

    leads = [table.place(around.head) for table in study.leads]
    for k, lead in enumerate(leads):
        check_lead(lead, around.medium)
        for other in leads[:k]:
            _check_apart(lead, other)
    return leads


def _check_apart(lead: Lead, other: Lead) -> None:
    """Refuse leads whose shafts come closer than they are thick, next to their contacts."""
    top = max(c.z[1] for c in other.model.contacts) + 10 * other.model.diameter
    axis = other.to_head(np.outer(np.linspace(0.0, top, 400), [0.0, 0.0, 1.0]))
    near = float(lead.outside(axis).min()) - other.model.radius
    if near < 0:
        raise InputError(
            f"expected leads that do not meet, {lead.name!r} and {other.name!r} overlap by "
            f"{-near * 1e3:.2g} mm"
        )


def activate(
    study: DeepStudy, table: LeadTable, lead: Lead, around: Surroundings, criterion: Criterion
) -> Active:
    """Solve for a lead, set it, and find what it activates.

    Raises
    ------
    InputError
        If the current has no way back, or the volume goes on beyond the cells around the lead.
    """
    from rheobase.fields.dbs.steering.steer import steer
    from rheobase.fields.dbs.volumes.activated import activated, sample_lead
    from rheobase.fields.dbs.volumes.lattice import lead_lattice

    response, spectral = solve(study, table, lead, around)
    setting = table.setting()
    steering = steer(response, setting.currents, voltages=setting.voltages, case=setting.case)
    reach = study.volume.reach_mm * 1e-3
    sampled = sample_lead(response, lead_lattice(lead, reach=reach, layer=response.layer))
    return Active(
        table=table,
        lead=lead,
        response=response,
        spectral=spectral,
        steering=steering,
        sampled=sampled,
        volume=activated(steering, criterion, sampled),
    )


def solve(
    study: DeepStudy, table: LeadTable, lead: Lead, around: Surroundings
) -> tuple[LeadResponse, SpectralResponse | None]:
    """Return the unit responses of a lead, and those over frequency in dispersive tissue."""
    from rheobase.fields.dbs.solution.response import respond
    from rheobase.fields.dbs.solution.store import load_response
    from rheobase.fields.dbs.solution.system import assemble

    def assembled() -> LeadSystem:
        with stage(f"mesh around {lead.name}"):
            return assemble(
                lead,
                around.medium,
                around.domain,
                encapsulation=around.encapsulation,
                insulated=table.setting().off,
                resolution=study.resolution,
            )

    if not study.tissue.dispersive:
        return kept(
            _cache_path(study, table, lead, around),
            lambda: respond(assembled()),
            load=load_response,
            save=lambda path, response: response.save(path),
        ), None
    system = assembled()
    response, spectral = respond(system), _over_frequency(study, system)
    return _at_the_end(study, response, spectral), spectral


def _cache_path(study: DeepStudy, table: LeadTable, lead: Lead, around: Surroundings) -> Path:
    """Return where the unit responses of a lead are kept: by all that they are made of."""
    from rheobase.fields.keys import head_parts

    head, layer, domain = around.head, around.encapsulation, around.domain
    parts = [*head_parts(head), study.resolution, list(table.setting().off)]
    parts += [domain.kind, domain.grounded, domain.half.tolist(), domain.centre.tolist()]
    parts += [lead.frame, lead.model.diameter]
    parts += [[c.name, c.z, c.theta] for c in lead.model.contacts]
    parts += [None if layer is None else [layer.thickness, layer.labelled.sigma]]
    return kept_path("leads", head.name, *parts, code=CODE, extension=".h5")


def _over_frequency(study: DeepStudy, system: LeadSystem) -> SpectralResponse:
    from rheobase.fields.dbs.spectrum.dielectrics import dielectrics
    from rheobase.fields.dbs.spectrum.interface import interface
    from rheobase.fields.dbs.spectrum.responses import spectral_responses

    tissue = study.tissue
    return spectral_responses(
        system,
        dielectrics=dielectrics(system.tissues, tissue.dispersion or "constant"),
        interface=None if tissue.interface is None else interface(tissue.interface),
        band=(study.pulse.rate_Hz, BAND_TOP),
    )


def _at_the_end(
    study: DeepStudy, response: LeadResponse, spectral: SpectralResponse
) -> LeadResponse:
    """Return what 1 A out of each contact does at the end of the first phase of a pulse."""
    pulse = study.pulse.make()
    times = [LAST * study.pulse.width_us * 1e-6]
    each = [spectral.control({name: 1.0}) for name in spectral.contacts]
    with stage("field at the end of the pulse"):
        values = np.concatenate([spectral.nodal(pulse, one, times) for one in each], axis=1)
        Z = np.concatenate([spectral.voltages(pulse, one, times) for one in each], axis=1)
    return replace(response, values=np.ascontiguousarray(values), Z=0.5 * (Z + Z.T))


def criterion_of(study: DeepStudy) -> tuple[Criterion, dict[str, Any]]:
    """Return what counts as activated, and where its threshold comes from.

    Raises
    ------
    InputError
        If no threshold is known of the pulse width and the diameter.
    """
    from rheobase.fields.dbs.volumes.activated import CurvatureCriterion, FieldCriterion
    from rheobase.fields.dbs.volumes.thresholds import field_threshold
    from rheobase.tables.dbs_effect import FIBRE_UM

    table = study.volume
    if table.threshold_V_per_m2 is not None:
        given: dict[str, Any] = {"threshold_V_per_m2": table.threshold_V_per_m2}
        return CurvatureCriterion(threshold=table.threshold_V_per_m2), given
    if table.threshold_V_per_m is not None:
        given = {"threshold_V_per_m": table.threshold_V_per_m, "source": "the study"}
        return FieldCriterion(threshold=table.threshold_V_per_m), given
    known = field_threshold(study.pulse.width_us * 1e-6, (table.fibre_um or FIBRE_UM) * 1e-6)
    return FieldCriterion(threshold=known.value), known.as_dict()
