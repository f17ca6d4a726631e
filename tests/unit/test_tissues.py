"""Tissues: shipped values, dispersion, acoustics, heat, and tables of one's own."""

import csv
import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from rheobase._errors import InputError
from rheobase.meshes.dispersion import ColeCole, load_dispersions
from rheobase.meshes.head import Head
from rheobase.meshes.mesh import TetMesh
from rheobase.meshes.tissue_table import tissue_table, with_tissues
from rheobase.meshes.tissues import Quantity, Tissue, kinds, load_tissues, tissue

CHECKS = Path(__file__).parents[3] / "shared/facts/cole_cole_checks.csv"


def test_every_value_has_unit_source_and_status() -> None:
    known = load_tissues()
    labels = [t.label for t in known.values()]
    assert len(set(labels)) == len(labels)
    for t in known.values():
        for name, q in t.properties.items():
            assert q.source, (t.name, name)
            assert q.status.split(";")[0] in {
                "published",
                "published, second hand",
                "computed",
                "unverified: check",
            }, (t.name, name)
            assert kinds()[name].least <= q.value <= kinds()[name].most, (t.name, name)
            if q.low is not None:
                assert q.range_source, (t.name, name)
    for variants in load_dispersions().values():
        assert all(d.source and d.status for d in variants.values())
    rows = files("rheobase.meshes").joinpath("data/tissue_properties.csv").read_text("utf-8")
    named = {r["tissue"] for r in csv.DictReader(rows.splitlines())}
    assert named == set(known)  # nothing is given for a tissue that does not exist


def test_conductivities_are_those_of_simnibs() -> None:
    found = {t.label: t.sigma for t in load_tissues().values() if t.label <= 10 or t.label >= 100}
    assert found == {
        1: 0.126,
        2: 0.275,
        3: 1.654,
        4: 0.01,
        5: 0.465,
        6: 0.5,
        7: 0.008,
        8: 0.025,
        9: 0.6,
        10: 0.16,
        100: 29.4,
        500: 1.0,
    }


# Independent of the code: evaluated once with another program from the same parameters.
DISPERSION = [
    ("grey_matter", 10.0, 0.0275123, 40699300.0),
    ("grey_matter", 500e3, 0.151871, 1186.98),
    ("white_matter", 130.0, 0.059046, 1069550.0),
    ("white_matter", 100e3, 0.0818465, 2107.63),
    ("csf", 130.0, 2.0, 109.0),
    ("blood", 500e3, 0.74816, 4188.57),
]


@pytest.mark.parametrize(("name", "frequency", "sigma", "eps_r"), DISPERSION)
def test_dispersion(name: str, frequency: float, sigma: float, eps_r: float) -> None:
    found = tissue(name).dielectric(frequency)
    assert found[0] == pytest.approx(sigma, rel=5e-6)
    assert found[1] == pytest.approx(eps_r, rel=5e-6)


def test_dispersion_against_the_whole_table() -> None:
    if not CHECKS.is_file():
        pytest.skip("no table of check values beside the repository")
    rows = list(csv.DictReader(CHECKS.read_text().splitlines()))
    assert len(rows) >= 18
    for r in rows:
        t = tissue(r["tissue"].replace(" ", "_"))
        sigma, eps_r = t.dielectric(float(r["frequency_Hz"]), r["variant"])
        assert sigma == pytest.approx(float(r["sigma_S_per_m"]), rel=1e-5)
        assert eps_r == pytest.approx(float(r["eps_r"]), rel=1e-5)


def test_dispersion_has_the_right_limits_and_is_causal() -> None:
    for name, variants in load_dispersions().items():
        for model in variants.values():
            sigma, eps_r = model.evaluate(np.concatenate([[0.0], np.logspace(0, 11, 200)]))
            assert sigma[0] == pytest.approx(model.sigma)
            assert eps_r[0] == pytest.approx(model.eps_inf + sum(model.delta_eps))
            assert (np.diff(sigma) >= -1e-9 * sigma[1:]).all(), (
                name
            )  # Kramers-Kronig: both monotone
            assert (np.diff(eps_r) <= 0).all(), name
    one = ColeCole(
        eps_inf=1.0, sigma=0.0, delta_eps=(2.0,), tau=(1e-6,), alpha=(0.0,), source="", status=""
    )
    _, half = one.evaluate(1 / (2 * np.pi * 1e-6))  # Debye: halfway at w tau = 1
    assert half == pytest.approx(2.0)


def test_what_is_missing_says_so() -> None:
    with pytest.raises(InputError, match=r"no conductivity is known of tissue 'air', label it"):
        _ = tissue("air").sigma
    with pytest.raises(InputError, match="no perfusion is known of tissue 'blood', give one"):
        tissue("blood").perfusion_rate()
    with pytest.raises(InputError, match=r"no Cole-Cole parameters are known of tissue 'skull'"):
        tissue("skull").dielectric(1e3)
    with pytest.raises(InputError, match="unknown property 'conductivty', nearest: conductivity"):
        tissue("skull").quantity("conductivty")
    with pytest.raises(InputError, match="unknown Cole-Cole variant '5-term'"):
        tissue("grey_matter").dielectric(1e3, "5-term")
    with pytest.raises(InputError, match="frequencies >= 0"):
        tissue("grey_matter").dielectric([-1.0, 3.0])
    for t in load_tissues().values():  # and nothing is silently zero
        q = t.properties.get("conductivity")
        assert q is None or q.value > 0


def test_head_with_a_tissue_that_does_not_conduct() -> None:
    nodes = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.0]]) * 0.1
    mesh = TetMesh(nodes=nodes, tets=np.array([[0, 1, 2, 3]], np.int32), labels=np.array([15]))
    head = Head(name="x", species="human", space="x", mesh=mesh, tissues={15: tissue("air")})
    with pytest.raises(InputError, match="label it 'outside'"):
        head.sigma()


def test_sound_and_heat() -> None:
    grey = tissue("grey_matter")
    assert grey.attenuation(500e3) == pytest.approx(3.453878, rel=1e-6)  # 0.3 dB/cm, benchmark
    assert grey.attenuation(1e6) == pytest.approx(2 * 3.453878, rel=1e-6)
    assert grey.absorption(500e3) == pytest.approx(0.85 * 3.453878, rel=1e-6)
    assert tissue("compact_bone").attenuation(500e3) == pytest.approx(46.0517, rel=1e-5)
    assert tissue("spongy_bone").attenuation(500e3) == pytest.approx(92.1034, rel=1e-5)
    assert grey.perfusion_rate() == pytest.approx(763.667e-6 / 60 * 1044.5)
    assert 0.01 < grey.perfusion_rate() < 0.02  # 1/s: 50 to 100 ml/(100 g min)
    assert tissue("water").attenuation(500e3) == 0.0
    impedance = {
        n: tissue(n).quantity("acoustic_density").value * tissue(n).quantity("sound_speed").value
        for n in ("water", "grey_matter", "compact_bone")
    }
    assert impedance["water"] < impedance["grey_matter"] < impedance["compact_bone"]


def test_with_value_and_round_trip() -> None:
    made = tissue("grey_matter").with_value("conductivity", 0.33, source="Buzsaki 2006")
    assert made.sigma == 0.33
    assert made.quantity("conductivity").low is None
    assert made.quantity("density") == tissue("grey_matter").quantity("density")
    assert Tissue.from_dict(json.loads(json.dumps(made.as_dict()))) == made
    with pytest.raises(InputError, match="> 0 S/m, got 0"):
        made.with_value("conductivity", 0.0, source="x")
    with pytest.raises(InputError, match="expected finite numbers"):
        made.with_value("conductivity", float("nan"), source="x")
    with pytest.raises(InputError, match=r"outside 0\.4\.\.0\.6"):
        made.with_value("conductivity", 0.3, low=0.4, high=0.6, source="x")
    with pytest.raises(ValueError, match="expected conductivity in S/m, got mS/m"):
        Tissue(
            name="x",
            label=1,
            properties={"conductivity": Quantity(value=1.0, unit="mS/m", source="", status="")},
        )


def test_own_table_as_csv(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(
        "tissue,property,value,low,high,unit,source,label\n"
        "grey_matter,conductivity,0.33,0.3,0.4,S/m,Buzsaki 2006,\n"
        "skull,conductivity,0.05,,,,,\n"
        "tumour,conductivity,0.9,,,S/m,own,60\n"
        "tumour,density,1045,,,,,\n"
    )
    table = tissue_table(path)
    assert table.tissues["grey_matter"].sigma == 0.33
    assert table.tissues["grey_matter"].quantity("conductivity").high == 0.4
    assert table.tissues["grey_matter"].quantity("specific_heat").value == 3695.8
    assert table.tissues["white_matter"] == tissue("white_matter")
    assert table.tissues["tumour"].label == 60
    assert "own.csv, line 3" in table.tissues["skull"].quantity("conductivity").source
    assert [n for notes in table.notes.values() for n in notes] == [
        "conductivity of tissue 'skull' is 0.05 S/m, outside the plausible range 0.003 to 0.012",
    ]
    assert table.changed["tumour"] == {"conductivity": 0.9, "density": 1045.0}


def test_own_table_as_toml_and_mapping(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        "[skull]\nconductivity = 0.008\n"
        "[tumour]\nlabel = 60\n"
        'conductivity = { value = 0.9, low = 0.5, high = 1.2, source = "own" }\n'
    )
    table = tissue_table(path)
    assert table.tissues["skull"].sigma == 0.008
    assert table.tissues["tumour"].quantity("conductivity").low == 0.5
    assert tissue_table(None).tissues is load_tissues()
    same = tissue_table({"skull": {"conductivity": 0.008}})
    assert same.tissues["skull"].sigma == 0.008


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tissue,property,value\nskul,conductivity,1\n", r"unknown tissue 'skul', nearest: skull"),
        ("tissue,property,value\nskull,sigma_s,1\n", r"unknown property 'sigma_s'.*line 2"),
        ("tissue,property,valu\nskull,conductivity,1\n", "unknown column 'valu', nearest: value"),
        ("tissue,property,value\nskull,conductivity,x\n", "expected a number, got 'x'.*line 2"),
        ("tissue,property,value\nskull,conductivity\n", "expected the columns|expected a number"),
        ("tissue,property,value\nskull,conductivity,-1\n", "must be > 0 S/m, got -1"),
        (
            "tissue,property,value,unit\nskull,conductivity,10,mS/m\n",
            "expected S/m, got mS/m.*line 2",
        ),
        (
            "tissue,property,value\nskull,conductivity,1\nskull,conductivity,2\n",
            "comes twice.*line 3",
        ),
        ("tissue,property,value,label\nown,conductivity,1,4\n", "label 4 is that of 'skull'"),
        ("tissue,property,value,label\nown,conductivity,1,0\n", "label from 1 to 32767, got '0'"),
        ("tissue,property,value,label\nskull,conductivity,1,9\n", "has the label 4, got 9"),
        (
            "tissue,property,value,low,high\nskull,conductivity,1,2,3\n",
            "lies outside 2..3",
        ),
    ],
)
def test_own_table_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "own.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        tissue_table(path)
    assert "\n" not in str(caught.value)


def test_own_table_that_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the tissue table"):
        tissue_table(tmp_path / "none.csv")
    (tmp_path / "a.toml").write_text("x = \n")
    with pytest.raises(InputError, match="no valid TOML"):
        tissue_table(tmp_path / "a.toml")
    with pytest.raises(InputError, match="expected a table of properties of tissue 'skull'"):
        tissue_table({"skull": 3})  # type: ignore[dict-item]
    with pytest.raises(InputError, match="expected a number, got True"):
        tissue_table({"skull": {"conductivity": True}})


def test_table_on_a_head() -> None:
    nodes = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.0]]) * 0.1
    mesh = TetMesh(nodes=nodes, tets=np.array([[0, 1, 2, 3]], np.int32), labels=np.array([2]))
    own = tissue("grey_matter").with_value("conductivity", 0.5, source="of this head")
    head = Head(name="x", species="human", space="x", mesh=mesh, tissues={2: own})
    table = tissue_table({"grey_matter": {"density": 1000.0}, "skull": {"conductivity": 0.02}})
    changed = with_tissues(head, table)
    assert changed.mesh is head.mesh
    assert changed.tissues[2].sigma == 0.5  # the head's own value stays
    assert changed.tissues[2].quantity("density").value == 1000.0
    assert changed.provenance["tissue table"] == {"grey_matter": {"density": 1000.0}}
    assert changed.provenance["notes"] == [
        "density of tissue 'grey_matter' is 1000 kg/m^3, outside the plausible range 1021.17 to "
        "1067.83",
        "the tissue table gives skull, which this head does not have",
    ]
    again = with_tissues(changed, tissue_table({"grey_matter": {"conductivity": 0.3}}))
    told = {"grey_matter": {"density": 1000.0, "conductivity": 0.3}}
    assert again.provenance["tissue table"] == told  # both tables
    assert with_tissues(head, tissue_table(None)) is head
