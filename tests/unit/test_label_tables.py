"""Label tables: the shipped ones against public sources, files of other programs, the choice."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase._errors import InputError
from rheobase.meshes.images.label_files import read_label_table, tissue_of_name
from rheobase.meshes.images.label_tables import (
    OUTSIDE,
    choose_table,
    fitting_tables,
    label_table,
    replaced,
    table_names,
)
from rheobase.meshes.tissues import load_tissues

DATA = Path(__file__).parents[3] / "shared/data"


def test_every_shipped_table_names_known_tissues() -> None:
    for name in table_names():
        table = label_table(name)
        assert set(table.tissues.values()) <= {*load_tissues(), OUTSIDE}
        assert all(table.names.values())
        assert table.source


def freesurfer_lut() -> Path:
    import mne

    return Path(mne.__file__).parent / "data/FreeSurferColorLUT.txt"


def test_freesurfer_numbers_against_its_colour_table() -> None:
    ours, theirs = label_table("freesurfer"), read_label_table(freesurfer_lut())
    # 99, 178, 183, 184, 257 to 266 and 902 to 930 came after the copy that MNE ships (2012)
    late = {99, 178, 183, 184, *range(257, 267), *range(902, 931)}
    for label, tissue in ours.tissues.items():
        name = theirs.names.get(label)
        if label >= 1000:
            if name is not None and label not in (5001, 5002):
                assert name.startswith("ctx" if tissue == "grey_matter" else "wm")
        elif label not in late:
            assert ours.names[label] == name


@pytest.mark.parametrize("labels", ["charm", "charm_index"])
def test_charm_numbers_against_those_of_a_subject(labels: str) -> None:
    import json

    path = DATA / "atlases/atlases.json"
    if not path.is_file():
        pytest.skip("no CHARM label names beside the repository")
    rows = json.loads(path.read_text())["subject"]["atlases"]["charm"]["rows"]
    key = "id" if labels == "charm" else "index"
    assert {r[key]: r["name"] for r in rows} == dict(label_table(labels).names)


def test_names_become_tissues() -> None:
    assert tissue_of_name("ctx_rh_S_temporal_transverse") == "grey_matter"
    assert tissue_of_name("wm-lh-insula") == "white_matter"
    assert tissue_of_name("Gray Matter") == "grey_matter"
    assert tissue_of_name("Left-vessel") == "csf"  # as charm has it, unlike "vessels"
    assert tissue_of_name("right Eyes") == "eye"
    assert tissue_of_name("Nucleus of nowhere") is None


TABLES = {
    "ours.csv": "label,tissue\n1,white_matter\n2-4,grey_matter\n\n5,outside\n",
    "bids.tsv": "index\tname\tabbreviation\n1\tWhite Matter\tWM\n2\tcortex\tx\n3\tcortex\ty\n"
    "4\tGM\tz\n5\tBackground\tw\n",
    "fs_LUT.txt": "#No. Label Name: R G B A\n1 Left-Cerebral-White-Matter 245 245 245 0\n"
    "2 ctx-lh-insula 1 2 3 0\n3\tGray-Matter\t\t1 2 3 255 \n4 Left-Amygdala 1 2 3 0\n"
    "5 Air-Internal 0 0 0 0\n",
    "snap.label": '# ITK-SnAP\n    1   255    0    0        1  1  1    "White matter"\n'
    '2 1 2 3 0.5 1 1 "Cortex"\n3 1 2 3 1 1 1 "gm"\n4 1 2 3 1 1 1 "grey"\n'
    '5 1 1 1 1 0 0 "Clear Label"\n',
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_in_files(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(TABLES[name])
    expected = {1: "white_matter", 2: "grey_matter", 3: "grey_matter", 4: "grey_matter", 5: OUTSIDE}
    assert dict(read_label_table(path).tissues) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label,tissue\nx,fat\n", r"whole number.*line 2"),
        ("label,tissue\n1,fat\n\n1,csf\n", r"comes twice, line 4"),
        ("label,tissue\n9-1,fat\n", r"range of labels.*line 2"),
        ("label,tissue\n1-99999999999,fat\n", r"range of labels.*line 2"),
        ("1 A 0 0 0 0\n1 B 0 0 0 0\n", r"comes twice, line 2"),
        ("some words\n", r"colour table, got 'some words', line 1"),
        ("", r"found no label"),
    ],
)
def test_tables_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "t.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_label_table(path)


def test_large_and_missing_tables(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        read_label_table(tmp_path / "none.csv")
    (tmp_path / "big.csv").write_bytes(b"a" * 5_000_000)
    with pytest.raises(InputError, match="below 4 MB"):
        read_label_table(tmp_path / "big.csv")
    with pytest.raises(InputError, match="nearest: charm"):
        label_table("chram")


def shells(*labels: int) -> NDArray[np.uint16]:
    """Return a ball of layers, the first label innermost."""
    x = np.arange(28) - 13.5
    r = np.sqrt(x[:, None, None] ** 2 + x[None, :, None] ** 2 + x[None, None, :] ** 2)
    limits = 13.0 * (np.arange(1, len(labels) + 1) / len(labels)) ** 0.5
    return np.select([r < limit for limit in limits], labels, 0).astype(np.uint16)


def test_the_table_is_chosen(tmp_path: Path) -> None:
    simnibs, colin = shells(1, 2, 3, 4, 5), shells(5, 4, 3, 2, 1)
    assert choose_table("x.nii", simnibs)[0].name == "simnibs"
    assert choose_table("x.nii", colin)[0].name == "colin27"  # by the order of its layers
    assert choose_table("m2m/final_tissues.nii.gz", simnibs)[0].name == "simnibs"
    brain = shells(2, 41, 3, 42, 24, 17)
    assert choose_table("x.mgz", brain)[0].name == "freesurfer"
    assert choose_table("x.mgz", shells(2, 41, 3, 515, 511))[0].name == "charm"
    both = shells(1, 2, 3, 4, 6, 5)
    with pytest.raises(InputError, match=r"x\.nii fit the tables simnibs and roast, choose"):
        choose_table("x.nii", both)
    assert choose_table("final_tissues.nii", both)[0].name == "simnibs"
    assert choose_table("t1_masks.nii", both)[0].name == "roast"
    with pytest.raises(InputError, match="no label table fits the labels 7, 31"):
        choose_table("x.nii", shells(7, 999, 31))
    with pytest.raises(InputError, match=r"of x\.nii \(simnibs has no tissue for 77\); give"):
        choose_table("x.nii", shells(1, 2, 3, 77, 4, 5))
    with pytest.raises(InputError, match=r"all voxels are outside: x\.nii"):
        choose_table("x.nii", shells(0))
    assert fitting_tables(shells(501, 516)) == ["charm"]


def test_a_table_beside_the_image(tmp_path: Path) -> None:
    image = tmp_path / "mine.nii.gz"
    values = shells(1, 2, 3, 4, 5)
    (tmp_path / "mine_LUT.txt").write_text(
        "1 White 0 0 0 0\n2 GM 0 0 0 0\n3 CSF 0 0 0 0\n4 Bone 0 0 0 0\n5 fat 0 0 0 0\n"
    )
    table, reason = choose_table(image, values)
    assert table.tissues[5] == "fat"
    assert "mine_LUT.txt" in reason
    (tmp_path / "mine.csv").write_text("volume,number\n1,2\n")  # no table: not looked at
    assert choose_table(image, values)[0].tissues[5] == "fat"
    (tmp_path / "mine.tsv").write_text("index\tname\n1\twm\n2\tgm\n3\tcsf\n4\tskull\n5\tscalp\n")
    with pytest.raises(InputError, match=r"mine_LUT\.txt, mine\.tsv beside .* disagree"):
        choose_table(image, values)


def test_grey_values_are_no_labels() -> None:
    noise = np.random.default_rng(0).integers(0, 200, (20, 20, 20)).astype(np.uint8)
    with pytest.raises(InputError, match=r"not labels: .* of neighbouring voxels differ"):
        choose_table("t1.nii", noise)


def test_replaced_looks_up_any_label() -> None:
    values = np.array([[[0, 5, -3], [1 << 40, 5, 0]]])
    new = replaced(values, {0: 0, 5: 2, -3: 7, 1 << 40: 9})
    assert new.tolist() == [[[0, 2, 7], [9, 2, 0]]]


@pytest.mark.parametrize(
    ("file", "name"),
    [("heads/ernie_charm.nii.gz", "charm_index"), ("heads/ernie_t1.nii.gz", None)],
)
def test_real_label_images(file: str, name: str | None) -> None:
    import nibabel as nib

    path = DATA / file
    if not path.is_file():
        pytest.skip("no head images beside the repository")
    values = np.asanyarray(nib.load(path).dataobj)  # type: ignore[attr-defined]
    if name is None:
        with pytest.raises(InputError, match="not labels"):
            choose_table(path, values)
    else:
        assert choose_table(path, values)[0].name == name
