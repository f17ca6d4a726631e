"""A stimulating lead against known numbers, an independent solver and closed forms.

The lead, a Medtronic 3389 or one whose tip is a contact, lies on the axis of a grounded sphere.
What is known beforehand is in ``data/dbs_axisymmetric.toml``; for tips, floating contacts, an
encapsulation and layered tissue the reference is `rheobase.validation.axisymmetric`, which shares
no code with `rheobase.fields.dbs`.
Elements follow the lead, its contacts and its encapsulation, but not the boundaries of tissues:
rows of layered tissue, whose boundary lies between two contacts, have wider limits of their own.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rheobase.fields.dbs.grid.domains import sphere_domain
from rheobase.fields.dbs.solution.response import LeadResponse, unit_responses
from rheobase.fields.dbs.solution.system import Encapsulation
from rheobase.fields.dbs.steering.steer import steer
from rheobase.fields.dbs.volumes.activated import (
    FieldCriterion,
    SampledLead,
    activated,
    sample_lead,
)
from rheobase.meshes.leads.catalogue import custom_lead, lead_model
from rheobase.meshes.leads.lead import Lead, place_lead
from rheobase.meshes.leads.medium import ImageMedium, Medium, nested_spheres, uniform
from rheobase.meshes.regions.parcels import LabelImage
from rheobase.validation.axisymmetric import Reference
from rheobase.validation.axisymmetric_mesh import Setting
from rheobase.validation.case import Row

Floats = NDArray[np.float64]

SIGMA, MIDDLE, REACH = 0.2, 4.25e-3, 40e-3
PLANE = 5.25e-3  # between contacts 2 and 3
SCAR = (0.2e-3, 0.05)  # thickness (m) and conductivity (S/m)
THRESHOLD, TIMES = 200.0, (1, 2, 3)  # V/m; multiples of the currents
SOURCE = "independent axisymmetric hp solution"
POINT = "point at the centre of a grounded sphere: V = I/(4 pi sigma) (1/r - 1/R)"
WIRES = (0.1e-3, 0.05e-3)  # radii of thin wires (m)
FACTS = "dbs_axisymmetric.toml: axisymmetric hp solution, order up to 8"


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One setting, as both solvers take it.

    Parameters
    ----------
    name
        What it is, in words.
    present
        Contacts that exist, counted from 1; the others are insulating.
    setting
        What the reference takes beside them.
    medium
        Tissue.
    scar
        Whether there is an encapsulation.
    steerings
        Currents (A) by contact, to look at volumes and fields.
    slack
        Factor on the limits: more than 1 where tissues meet inside elements.
    model
        The lead.
    """

    name: str
    present: tuple[int, ...]
    setting: Mapping[str, Any]
    medium: Callable[[], Medium]
    scar: bool = False
    steerings: tuple[Mapping[int, float], ...] = ()
    slack: float = 1.0
    model: str = "Medtronic 3389"

    @property
    def lead(self) -> Lead:
        """The lead with its tip at the origin, upright."""
        return place_lead(lead_model(self.model), target=(0, 0, 0), direction=(0, 0, 1))


def layered() -> Medium:
    """Return 0.1 S/m below the plane and 0.3 S/m above."""
    affine = np.diag([0.2, 0.2, 0.1, 1.0])
    affine[2, 3] = PLANE - 0.05
    return ImageMedium(
        image=LabelImage(values=np.array([[[1, 2]]]), affine=affine, space="head"),
        tissues=nested_spheres((1.0, 2.0), (0.1, 0.3)).tissues,
    )


TIP = "Abbott ActiveTip 6146"
ONE = ({2: 1e-3},)
BIPOLAR = {2: 1e-3, 1: -1e-3}
SCENES = {
    "A": Scene(
        name="one contact, homogeneous",
        present=(2,),
        setting={},
        medium=lambda: uniform(SIGMA),
        steerings=ONE,
    ),
    "floating": Scene(
        name="all four contacts, homogeneous",
        present=(1, 2, 3, 4),
        setting={},
        medium=lambda: uniform(SIGMA),
        steerings=(*ONE, BIPOLAR, {2: 1e-3, 3: 0.5e-3}),
    ),
    "scar": Scene(
        name=f"all four contacts, {SCAR[0] * 1e3:g} mm of {SCAR[1]:g} S/m around",
        present=(1, 2, 3, 4),
        setting={"encapsulation": SCAR[0], "kappa_encapsulation": SCAR[1]},
        medium=lambda: uniform(SIGMA),
        scar=True,
        steerings=(*ONE, BIPOLAR),
    ),
    "layered": Scene(
        name="all four contacts, 0.1 S/m below and 0.3 S/m above the plane between 2 and 3",
        present=(1, 2, 3, 4),
        setting={"kappa": (0.1, 0.3), "planes": (PLANE,)},
        medium=layered,
        steerings=(*ONE, {3: 1e-3}),
        slack=4.0,
    ),
    "tip": Scene(
        name=f"{TIP}, contact 1 covers the tip, homogeneous",
        present=(1, 2, 3, 4),
        setting={},
        medium=lambda: uniform(SIGMA),
        steerings=({1: 1e-3}, BIPOLAR),
        model=TIP,
    ),
}


@cache
def facts() -> Mapping[str, Any]:
    """Return what is known of case A."""
    text = files("rheobase.validation").joinpath("data/dbs_axisymmetric.toml").read_text("utf-8")
    known: Mapping[str, Any] = tomllib.loads(text)["case_A"]
    return known


@cache
def reference(key: str) -> Reference:
    """Return the independent solution of a scene (to about 1e-5)."""
    scene = SCENES[key]
    model = scene.lead.model
    contacts = tuple(model.contact(k).z for k in scene.present)
    setting = Setting(contacts=contacts, lead_radius=model.radius, **scene.setting)
    return Reference(setting, order=5, levels=4)


@cache
def response(key: str) -> LeadResponse:
    """Return ours."""
    scene = SCENES[key]
    return unit_responses(
        scene.lead,
        scene.medium(),
        sphere_domain(REACH, (0, 0, MIDDLE)),
        encapsulation=Encapsulation(thickness=SCAR[0], tissue=SCAR[1]) if scene.scar else None,
        insulated=[k for k in range(1, 5) if k not in scene.present],
    )


@cache
def sampled(key: str) -> SampledLead:
    """Return our response at cells around the lead."""
    return sample_lead(response(key))


def currents(key: str, steering: Mapping[int, float]) -> Floats:
    """Return the currents (A) of the contacts that are there."""
    return np.array([steering.get(k, 0.0) for k in SCENES[key].present])


def words(steering: Mapping[int, float]) -> str:
    """Return a steering in words."""
    return ", ".join(f"{k} {1e3 * i:+g} mA" for k, i in sorted(steering.items()))


def row(
    case: str,
    quantity: str,
    value: float,
    expected: float,
    *,
    limit: float,
    unit: str = "1",
    source: str = SOURCE,
) -> Row:
    """Return a row; the error is relative, or the value itself where 0 is expected."""
    return Row(
        case=case,
        quantity=quantity,
        value=value,
        reference=expected,
        error=abs(value / expected - 1) if expected else abs(value),
        limit=limit,
        unit=unit,
        source=source,
    )


def impedance() -> list[Row]:
    """Compare impedances: one contact, floating, encapsulated, layered, bipolar."""
    case = "dbs-axisymmetric-impedance"
    known, found = facts()["impedance_ohm"], response("A").Z[0, 0]
    mesh = f"{response('A').report.unknowns:,} unknowns"
    own = float(reference("A").impedance[0, 0].real)
    rows = [
        row(case, f"case A ({mesh})", found, known, limit=2e-3, unit="ohm", source=FACTS),
        row(case, "case A, the reference itself", own, known, limit=1e-5, unit="ohm", source=FACTS),
    ]
    for key, scene in SCENES.items():
        exact, Z = reference(key).impedance.real, response(key).Z
        if key != "A":
            worst = np.unravel_index(np.abs(Z / exact - 1).argmax(), Z.shape)
            i, j = (scene.present[k] for k in worst)
            rows.append(
                row(
                    case,
                    f"{scene.name}: worst of the {Z.size} impedances, contact {i} for 1 A of {j}",
                    Z[worst],
                    exact[worst],
                    limit=2e-3 * scene.slack,
                    unit="ohm",
                )
            )
        for steering in scene.steerings[1:]:
            if sum(steering.values()) == 0:
                amps = currents(key, steering)
                rows.append(
                    row(
                        case,
                        f"{scene.name}: voltage between the contacts, {words(steering)}",
                        float(amps @ Z @ amps / 1e-3),
                        float(amps @ exact @ amps / 1e-3),
                        limit=2e-3,
                        unit="V",
                    )
                )
    return rows


def vta() -> list[Row]:
    """Compare volumes where |E| exceeds 0.2 V/mm."""
    case, criterion = "dbs-axisymmetric-vta", FieldCriterion(threshold=THRESHOLD)
    rows = []
    for key, scene in SCENES.items():
        for steering in scene.steerings:
            bipolar = sum(steering.values()) == 0
            if key == "A":
                known = [facts()["vta_mm3"][f"I_{k}mA"] for k in TIMES]
            else:
                limits = [THRESHOLD / k for k in TIMES]
                amps = currents(key, steering)
                known = (1e9 * reference(key).volumes(amps, limits)).tolist()
            for times, exact in zip(TIMES, known, strict=True):
                given = {k: times * i for k, i in steering.items()}
                made = steer(response(key), given, case=not bipolar)
                volume = activated(made, criterion, sampled=sampled(key)).volume
                rows.append(
                    row(
                        case,
                        f"{scene.name}: {words(given)}",
                        volume * 1e9,
                        exact,
                        limit=5e-3 * scene.slack,
                        unit="mm³",
                        source=FACTS if key == "A" else SOURCE,
                    )
                )
    return rows


def field() -> list[Row]:
    """Compare |E| and V at the known places of case A and at random ones of all scenes."""
    case = "dbs-axisymmetric-field"
    points = facts()["points"]
    r, z = (np.array([p[n] for p in points]) * 1e-3 for n in ("r_mm", "z_mm"))
    at = np.column_stack([r, 0 * r, z + MIDDLE])
    Z = response("A").Z[0, 0]
    E = np.linalg.norm(response("A").field(at)[0], axis=1) / Z
    error = np.abs(E / [p["E_V_per_mm"] * 1e3 for p in points] - 1)
    rows = [_median(case, f"|E| at the {len(r)} places of case A", error, FACTS)]
    rows.append(_late(case, f"|E| at the {len(r)} places of case A", error, FACTS))
    V = response("A").potential(at)[0] / Z
    error = np.abs(V / [p["V_V"] for p in points] - 1)
    rows.append(_median(case, f"V at the {len(r)} places of case A", error, FACTS))
    for key, scene in SCENES.items():
        at = around(scene.lead.model.radius)
        distance = np.hypot(at[:, 0], at[:, 1])
        for steering in scene.steerings:
            amps = currents(key, steering)
            _, exact = reference(key).at(distance, at[:, 2])
            exact_size = np.hypot(*np.einsum("dnm,n->dm", exact.real, amps))
            size = np.linalg.norm(np.einsum("nmd,n->md", response(key).field(at), amps), axis=1)
            error = np.abs(size / exact_size - 1)
            what = f"|E| at {len(at)} places 0.25 to 12 mm from the lead, {scene.name}: "
            rows.append(_median(case, what + words(steering), error, SOURCE, scene.slack))
            rows.append(_late(case, what + words(steering), error, SOURCE, scene.slack))
    return rows


def around(radius: float, count: int = 4000) -> Floats:
    """Return places around the contacts (m), evenly in the logarithm of the distance."""
    rng = np.random.default_rng(6)
    distance = radius + np.geomspace(0.25e-3, 12e-3, count)
    angle, z = rng.uniform(0, 2 * np.pi, count), rng.uniform(1e-3, 10e-3, count)
    return np.column_stack([distance * np.cos(angle), distance * np.sin(angle), z])


def _median(case: str, what: str, error: Floats, source: str, slack: float = 1.0) -> Row:
    value = float(np.median(error))
    return row(case, f"{what}: median error", value, 0.0, limit=5e-3 * slack, source=source)


def _late(case: str, what: str, error: Floats, source: str, slack: float = 1.0) -> Row:
    value = float(np.percentile(error, 95))
    return row(case, f"{what}: 95th percentile", value, 0.0, limit=2e-2 * slack, source=source)


def point_source() -> list[Row]:
    """Compare a needle with a point, alone and in nested spheres, and two outer spheres."""
    case, coulomb = "dbs-point-source", "Coulomb: V = I/(4 pi sigma r)"
    needle = place_lead(
        custom_lead("needle", diameter_mm=0.1, layout="1", contact_mm=0.1, tip_mm=0.1),
        target=(0, 0, 0),
        direction=(0, 0, 1),
    )
    middle = (0.0, 0.0, 0.15e-3)
    ball = sphere_domain(REACH, middle)
    way = np.random.default_rng(3).normal(size=(400, 3))
    way[:, 2] = -np.abs(way[:, 2])  # away from the shaft
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    rows = []
    for radii, sigmas in (((REACH,), (SIGMA,)), ((3e-3, 9e-3, REACH), (2.0, 0.1, SIGMA))):
        made = unit_responses(needle, nested_spheres(radii, sigmas, middle), ball)
        tissue = " and ".join(
            f"{sigma:g} S/m to {r * 1e3:g} mm" for r, sigma in zip(radii, sigmas, strict=True)
        )
        for r in (1.5e-3, 6e-3, 20e-3):
            V, exact = made.potential(middle + r * way)[0], shells(radii, sigmas, r)
            error = float(np.sqrt(np.mean((V / exact - 1) ** 2)))
            what = f"needle of 0.1 mm, {tissue}: V at {r * 1e3:g} mm, relative L2"
            inside = len(radii) > 1 and r < radii[0]  # a boundary inside elements, contrast 20
            limit = 5e-2 if inside else 1e-2
            rows.append(row(case, what, error, 0.0, limit=limit, source=coulomb))
    rows += _wires(case, way)
    Z = [
        float(
            unit_responses(
                SCENES["A"].lead,
                uniform(SIGMA),
                sphere_domain(reach, (0, 0, MIDDLE)),
                insulated=(1, 3, 4),
                resolution=0.6,
            ).Z[0, 0]
        )
        for reach in (REACH, 2 * REACH)
    ]
    rows.append(
        row(
            case,
            "case A: impedance in a sphere of 80 mm less that in 40 mm",
            Z[1] - Z[0],
            (1 / REACH - 0.5 / REACH) / (4 * np.pi * SIGMA),
            limit=1e-2,
            unit="ohm",
            source=coulomb,
        )
    )
    return rows


def _wires(case: str, way: Floats) -> list[Row]:
    """Compare the potential far from thin wires, whose tips are contacts, with that of a point."""
    far, errors, rows = 10e-3, [], []  # 100 radii and more
    for radius in WIRES:
        size_mm = 1e3 * radius
        wire = custom_lead("wire", diameter_mm=2 * size_mm, layout="tip", tip_contact_mm=size_mm)
        middle = (0.0, 0.0, radius)
        made = unit_responses(
            place_lead(wire, target=(0, 0, 0), direction=(0, 0, 1)),
            uniform(SIGMA),
            sphere_domain(REACH, middle),
        )
        V, exact = made.potential(middle + far * way)[0], shells((REACH,), (SIGMA,), far)
        errors.append(float(np.sqrt(np.mean((V / exact - 1) ** 2))))
        what = f"tip of a wire of {size_mm:g} mm radius: V at {far * 1e3:g} mm, relative L2"
        rows.append(row(case, what, errors[-1], 0.0, limit=1e-2, source=POINT))
    order = float(np.log(errors[0] / errors[-1]) / np.log(WIRES[0] / WIRES[-1]))
    what = f"order of these errors in the radius, {1e3 * WIRES[0]:g} to {1e3 * WIRES[-1]:g} mm"
    rows.append(row(case, what, order, 1.0, limit=0.1, source="shaft: a dipole, first order"))
    return rows


def shells(radii: Sequence[float], sigmas: Sequence[float], r: float) -> float:
    """Return V (V) at radius r (m) of 1 A at the centre of shells, 0 on the last."""
    V = 0.0
    for inner, outer, sigma in zip((0.0, *radii), radii, sigmas, strict=False):
        if r < outer:
            V += (1 / max(r, inner) - 1 / outer) / (4 * np.pi * sigma)
    return V


def admittance_symmetry() -> list[Row]:
    """Check reciprocity and conservation, with segments in tissue that is not symmetric."""
    case, why = "dbs-admittance-symmetry", "reciprocity"
    lead = place_lead(
        lead_model("Boston Scientific Cartesia DB-2202"), target=(0, 0, 0), direction=(0, 0, 1)
    )
    tissue = nested_spheres((5e-3, REACH), (0.1, 0.3), (3e-3, 0, 2e-3))
    made = unit_responses(lead, tissue, sphere_domain(REACH, (0, 0, MIDDLE)))
    rows = []
    for name, found, sigma in (
        ("directional lead", made, 0.3),
        ("case A", response("A"), SIGMA),
        ("all four contacts, encapsulated", response("scar"), SIGMA),
    ):
        report = found.report
        for what, value, limit in (
            ("largest |Z - Z'| over the largest |Z|", report.asymmetry, 1e-6),
            ("balance of the linear system", report.conservation, 1e-6),
        ):
            rows.append(row(case, f"{name}: {what}", value, 0.0, limit=limit, source=why))
        current = _crossing(found, 15e-3, sigma)
        rows.append(
            row(
                case,
                f"{name}: current through a sphere of 15 mm, from E; worst contact",
                float(current[np.abs(current - 1).argmax()]),
                1.0,
                limit=1e-3,
                unit="A",
                source="conservation of charge",
            )
        )
    return rows


def _crossing(made: LeadResponse, radius: float, sigma: float) -> Floats:
    """Integrate sigma E over a sphere around the middle, outside the lead, shape (N,)."""
    top = np.sqrt(1 - (made.lead.model.radius / radius) ** 2)
    x, w = np.polynomial.legendre.leggauss(160)
    x, w = 0.5 * (top + 1) * (x + 1) - 1, 0.5 * (top + 1) * w
    angle = 2 * np.pi * (np.arange(48) + 0.5) / 48
    ring = np.sqrt(1 - x**2)[:, None]
    way = np.stack(
        [ring * np.cos(angle), ring * np.sin(angle), np.broadcast_to(x[:, None], (160, 48))], -1
    ).reshape(-1, 3)
    E = made.field((0, 0, MIDDLE) + radius * way)
    J = sigma * np.einsum("nmd,md->nm", E, way).reshape(len(E), 160, 48).mean(-1)
    flux: Floats = 2 * np.pi * radius**2 * J @ w
    return flux
