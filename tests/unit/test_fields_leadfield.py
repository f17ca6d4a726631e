"""The lead field: montages from it, its file, and going on after an interruption."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.fields import leadfield_solve
from rheobase.fields.conduction import solve_conduction
from rheobase.fields.electrodes.electrode import Electrode, place_electrode
from rheobase.fields.electrodes.montage import Montage
from rheobase.fields.leadfield import LeadField, load_lead_field
from rheobase.fields.leadfield_solve import lead_field
from rheobase.fields.solver import Conductor
from rheobase.fields.tensors import Tensors
from rheobase.meshes.head import Head
from rheobase.meshes.placing.outlines import Disc
from rheobase.validation.leadfield import MONTAGES, WHERE, ball, own_montage, worst_tissue

MONTAGE = {"C3": 2e-3, "Fz": -0.5e-3, "Oz": -1.5e-3}


@pytest.fixture(scope="module")
def head() -> Head:
    return ball(0.018)


@pytest.fixture(scope="module")
def conductor(head: Head) -> Conductor:
    inner = np.flatnonzero(head.mesh.labels == head.mesh.labels.min())
    R = np.tile([2.0, 0.3, 0.0, 1.0, 0.0, 0.7], (len(inner), 1))
    return Conductor(head, tensors=Tensors(tets=inner.astype(np.int32), values=R))


@pytest.fixture(scope="module")
def electrodes(head: Head) -> list[Electrode]:
    return [
        place_electrode(head, name, shape=Disc(radius_mm=10.0), model="complete") for name in WHERE
    ]


@pytest.fixture(scope="module")
def field(
    head: Head,
    conductor: Conductor,
    electrodes: list[Electrode],
    tmp_path_factory: pytest.TempPathFactory,
) -> LeadField:
    path = tmp_path_factory.mktemp("leadfield") / "whole.h5"
    return lead_field(head, path, electrodes, reference="Cz", conductor=conductor)


def test_montage_equals_its_own_solution(
    conductor: Conductor, electrodes: list[Electrode], field: LeadField
) -> None:
    currents = tuple(MONTAGE.get(e.name, 0.0) for e in electrodes)
    montage = Montage(name="own", electrodes=tuple(electrodes), currents=currents)
    own = solve_conduction(conductor, montage)
    E = 2e-3 * own.E[0]
    assert np.linalg.norm(field.field(MONTAGE) - E) < 1e-7 * np.linalg.norm(E)
    basis = field.basis({"own": MONTAGE})
    assert np.linalg.norm(basis.E - own.E) < 1e-7 * np.linalg.norm(own.E)
    assert basis.correction is not None
    assert own.correction is not None
    assert np.allclose(basis.correction, own.correction, atol=1e-7 * np.ptp(own.potential))
    one, other = basis.report[0], own.report[0]
    assert one.impedance == pytest.approx(other.impedance, rel=1e-7)
    assert one.power == pytest.approx(other.power, rel=1e-7)
    assert one.energy_balance < 1e-7
    assert one.mismatch < 1e-7
    assert field.asymmetry < 1e-8
    a, b = (next(k for k, e in enumerate(electrodes) if e.name == n) for n in ("C3", "T8"))
    assert field.impedance("C3", "T8") == pytest.approx(other.pair_impedance[a][b], rel=1e-7)
    U = field.voltages({"C3": 1.0, "T8": -1.0})
    assert U["C3"] - U["T8"] == pytest.approx(field.impedance("C3", "T8"), rel=1e-9)


def test_ideal_montage_equals_the_solution_of_its_own_electrodes(
    head: Head, conductor: Conductor, tmp_path: Path
) -> None:
    ideal = [place_electrode(head, n, shape=Disc(radius_mm=8.0), model="ideal") for n in WHERE]
    field = lead_field(head, tmp_path / "ideal.h5", ideal, reference="T7", conductor=conductor)
    own = solve_conduction(conductor, [own_montage(ideal, name) for name in MONTAGES])
    assert len(own.report[0].electrodes) == 2
    for k, (name, montage) in enumerate(MONTAGES.items()):
        assert worst_tissue(field, montage, own, k) < 1e-7, name
    alone = solve_conduction(conductor, own_montage(ideal, "4 x 1"))
    basis = field.basis(MONTAGES)
    for E in (own.E[2], basis.E[2]):
        assert np.linalg.norm(alone.E[0] - E) < 1e-7 * np.linalg.norm(E)
    for one, other in zip(basis.report, own.report, strict=True):
        assert one.impedance == pytest.approx(other.impedance, rel=1e-7)
        assert max(one.mismatch, other.mismatch) < 1e-7
        assert max(one.energy_balance, other.energy_balance) < 1e-7
    ours, theirs = (report[2].pair_impedance for report in (basis.report, own.report))
    assert np.allclose(ours, theirs, rtol=1e-7)


def test_units_at_some_nodes_add_up(field: LeadField) -> None:
    index = np.arange(5, len(field.kept), 97)
    units = field.at(index)
    assert units.shape == (len(WHERE), len(index), 3)
    assert np.allclose(
        np.tensordot(field.currents(MONTAGE), units, 1), field.field(MONTAGE)[index], rtol=1e-12
    )


def test_some_tissues_only(head: Head, conductor: Conductor, tmp_path: Path) -> None:
    path = tmp_path / "brain.h5"
    some = lead_field(head, path, ["C3", "Oz", "T8"], tissues=["grey_matter"], conductor=conductor)
    assert some.reference == "T8"
    brain = head.label_of("grey_matter")
    assert (some.split.label[some.kept] == brain).all()
    basis = some.basis({"a": {"C3": 1e-3, "Oz": -1e-3}})
    assert np.allclose(
        1e-3 * basis.E[0, some.kept], some.field({"C3": 1e-3, "Oz": -1e-3}), rtol=1e-9, atol=1e-12
    )


def test_interrupted_run_goes_on(
    head: Head,
    conductor: Conductor,
    electrodes: list[Electrode],
    field: LeadField,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "cut.h5"
    solved: list[int] = []
    solve = Conductor.solve

    def counted(self: Conductor, rhs: np.ndarray, **how: object) -> object:
        solved.append(len(rhs))
        if sum(solved) > 5:  # in the second batch of two
            raise KeyboardInterrupt
        return solve(self, rhs, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(leadfield_solve, "_MOST", 2)
    monkeypatch.setattr(Conductor, "solve", counted)
    with pytest.raises(KeyboardInterrupt):
        lead_field(head, path, electrodes, reference="Cz", conductor=conductor)
    monkeypatch.setattr(Conductor, "solve", solve)
    with h5py.File(path) as file:
        done = file["done"][:]
    assert 1 < done.sum() < len(done)
    with pytest.raises(InputError, match=rf"holds {done.sum()} of 9 electrodes: call lead_field"):
        load_lead_field(path)
    with h5py.File(path, "r+") as file:  # what is finished is not solved again
        kept = int(np.flatnonzero(done & (np.array(list(WHERE)) != "Cz"))[0])
        file["iterations"][kept] = 777
    rest = lead_field(head, path, electrodes, reference="Cz", conductor=conductor)
    assert rest.iterations[kept] == 777
    E = field.field(MONTAGE)
    assert np.linalg.norm(rest.field(MONTAGE) - E) < 1e-8 * np.linalg.norm(E)
    assert np.allclose(rest.voltage, field.voltage, rtol=1e-8, atol=1e-8 * field.voltage.max())


def test_file_of_something_else_is_refused(
    head: Head, conductor: Conductor, field: LeadField, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="got another one"):
        lead_field(head, field.path, ["C3", "Oz"], conductor=conductor)
    with pytest.raises(InputError, match="found no file"):
        load_lead_field(tmp_path / "none.h5")
    text = tmp_path / "text.h5"
    text.write_text("electrodes")
    with pytest.raises(InputError, match="cannot read a lead field"):
        load_lead_field(text)
    with pytest.raises(InputError, match="cannot read a lead field"):
        lead_field(head, text, ["C3", "Oz"])
    with pytest.raises(InputError, match="found a directory"):
        lead_field(head, tmp_path, ["C3", "Oz"])
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(InputError, match="expected a file of format 'rheobase lead field"):
        load_lead_field(tmp_path / "other.h5")


def test_damaged_file_is_refused_before_anything_is_assembled(
    head: Head,
    conductor: Conductor,
    electrodes: list[Electrode],
    field: LeadField,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    damage = {
        "power": "cannot read a lead field: .*power",
        "electrode_names": "cannot read a lead field: Expecting value",
    }
    for name, message in damage.items():
        path = tmp_path / f"{name}.h5"
        shutil.copy(field.path, path)
        with h5py.File(path, "r+") as file:
            if name in file:
                del file[name]
            else:
                file.attrs[name] = "C3, C4"
        with pytest.raises(InputError, match=message):
            load_lead_field(path)
        with pytest.raises(InputError, match=message):
            lead_field(head, path, electrodes, reference="Cz", conductor=conductor)

    def unwanted(*_: object, **__: object) -> None:
        raise AssertionError("assembled")

    monkeypatch.setattr(leadfield_solve, "Conductor", unwanted)
    with pytest.raises(InputError, match="got another one"):
        lead_field(head, field.path, ["C3", "Oz"])
    field.path.chmod(0o444)
    before = field.path.stat().st_mtime_ns
    again = lead_field(head, field.path, electrodes, reference="Cz", conductor=conductor)
    assert again.names == field.names
    assert field.path.stat().st_mtime_ns == before


def test_bad_montages_are_refused(field: LeadField) -> None:
    with pytest.raises(InputError, match="unknown electrode 'c3', nearest: C3"):
        field.field({"c3": 1e-3, "Cz": -1e-3})
    with pytest.raises(InputError, match="current sums to 1 mA, must be 0: C3, Cz"):
        field.field({"C3": 2e-3, "Cz": -1e-3})
    with pytest.raises(InputError, match="not all 0"):
        field.field({})
    with pytest.raises(InputError, match="at least one montage"):
        field.basis({})


def test_bad_electrodes_are_refused(head: Head, conductor: Conductor, tmp_path: Path) -> None:
    path = tmp_path / "bad.h5"
    with pytest.raises(InputError, match="unknown electrode position 'Cx'"):
        lead_field(head, path, ["C3", "Cx"], conductor=conductor)
    with pytest.raises(InputError, match="two electrodes are called 'C3'"):
        lead_field(head, path, ["C3", "C3"], conductor=conductor)
    with pytest.raises(InputError, match="two or more electrodes, got 1"):
        lead_field(head, path, ["C3"], conductor=conductor)
    with pytest.raises(InputError, match="unknown reference electrode 'Fz'"):
        lead_field(head, path, ["C3", "C4"], reference="Fz", conductor=conductor)
    with pytest.raises(InputError, match="unknown tissue 'brain'"):
        lead_field(head, path, ["C3", "C4"], tissues=["brain"], conductor=conductor)
    big = [place_electrode(head, n, shape=Disc(radius_mm=30.0), model="ideal") for n in WHERE]
    with pytest.raises(InputError, match="overlap"):
        lead_field(head, path, big, conductor=conductor)
    meshed = [place_electrode(head, n, model="meshed") for n in ("C3", "C4")]
    with pytest.raises(InputError, match="ideal or the complete model"):
        lead_field(head, path, meshed, conductor=conductor)
    with pytest.raises(InputError, match="conductor of this head's mesh"):
        lead_field(ball(0.03), path, ["C3", "C4"], conductor=conductor)
    assert not path.exists()
