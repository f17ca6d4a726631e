"""What lies where in the folder that SimNIBS makes of a subject.

SimNIBS 4 (charm): ``m2m_ID`` with ``ID.msh``, ``final_tissues.nii.gz``, ``label_prep``,
``surfaces``, ``toMNI``, ``eeg_positions``. SimNIBS 3 (headreco, mri2mesh): ``m2m_ID`` beside
``ID.msh``. The names are those of SimNIBS's own ``file_finder.py`` (versions 3 and 4).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from rheobase._errors import InputError

DEFAULT_CAP = "EEG10-10_UI_Jurak_2007"
HEMISPHERES = ("lh", "rh")


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """The files of a subject; those that are not there are None.

    Parameters
    ----------
    folder, name
        The folder and the subject's name.
    mesh
        The head mesh.
    upsampled, final
        Label images: before meshing (0.5 mm), and made from the mesh (voxels of the T1).
    t1
        The T1.
    caps
        Files of electrode positions by name, landmarks apart.
    fiducials
        File of landmarks.
    to_mni, from_mni
        Non-linear warps.
    mni_affine
        Affine map from MNI to the head.
    surfaces
        Cortical surfaces by (hemisphere, kind), such as ("lh", "pial").
    """

    folder: Path
    name: str
    mesh: Path | None
    upsampled: Path | None
    final: Path | None
    t1: Path | None
    caps: dict[str, Path] = field(default_factory=dict)
    fiducials: Path | None = None
    to_mni: Path | None = None
    from_mni: Path | None = None
    mni_affine: Path | None = None
    surfaces: dict[tuple[str, str], Path] = field(default_factory=dict)


def is_m2m(path: Path | str) -> bool:
    """Return whether ``path`` is the folder of a SimNIBS subject."""
    path = Path(path)
    return path.is_dir() and (path.name.startswith("m2m_") or _mesh(path, _name(path)) is not None)


def find_subject(folder: Path | str) -> Subject:
    """Find the files of a subject.

    Raises
    ------
    InputError
        If there is no such folder, or it holds neither a mesh nor a label image.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"expected a folder m2m_SUBJECT, found none: {folder}")
    name = _name(folder)
    caps = {p.stem: p for p in sorted((folder / "eeg_positions").glob("*.csv"))}
    fiducials = caps.pop("Fiducials", None)
    found = Subject(
        folder=folder,
        name=name,
        mesh=_mesh(folder, name),
        upsampled=_first(folder / "label_prep/tissue_labeling_upsampled.nii.gz"),
        final=_first(folder / "final_tissues.nii.gz", folder / f"{name}_final_contr.nii.gz"),
        t1=_first(folder / "T1.nii.gz", folder / "T1fs_conform.nii.gz"),
        caps=caps,
        fiducials=fiducials,
        to_mni=_image(folder / "toMNI/Conform2MNI_nonl.nii"),
        from_mni=_image(folder / "toMNI/MNI2Conform_nonl.nii"),
        mni_affine=_first(folder / "toMNI/MNI2conform_12DOF.txt"),
        surfaces={
            (side, kind): path
            for side in HEMISPHERES
            for kind in ("pial", "white", "central")
            if (path := folder / "surfaces" / f"{side}.{kind}.gii").is_file()
        },
    )
    if found.mesh is None and found.upsampled is None and found.final is None:
        raise InputError(
            f"expected {name}.msh, final_tissues.nii.gz or "
            f"label_prep/tissue_labeling_upsampled.nii.gz, found none of them: {folder}"
        )
    return found


def _name(folder: Path) -> str:
    return folder.resolve().name.removeprefix("m2m_")


def _mesh(folder: Path, name: str) -> Path | None:
    own = _first(folder / f"{name}.msh")
    if own is None and folder.resolve().name.startswith("m2m_"):
        own = _first(folder.resolve().parent / f"{name}.msh")
    return own


def _first(*paths: Path) -> Path | None:
    return next((p for p in paths if p.is_file()), None)


def _image(path: Path) -> Path | None:
    return _first(path.with_name(path.name + ".gz"), path)
