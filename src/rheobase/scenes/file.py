"""Scenes in files: one HDF5 file, ``scene.h5``, that appears only when whole."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from rheobase._errors import InputError
from rheobase._files import whole_file
from rheobase.meshes.spaces import Affine, Warp
from rheobase.scenes.scene import Category, Layer, Quantity, Scene

#: Of the files of `save_scene`.
FORMAT = "rheobase scene 1"
ARRAYS = ("points", "cells", "vectors", "times", "affine")
PLAIN = ("name", "kind", "group", "shape", "shown", "colour", "opacity", "visible", "edges")
HEAD = ("title", "view", "point", "focus", "space")
SMALL = 1024  # values that are not worth compressing


def save_scene(path: Path | str, scene: Scene, *, compress: bool = True) -> Path:
    """Write a scene.

    Parameters
    ----------
    path
        The file.
    scene
        The scene.
    compress
        Whether arrays are compressed (shuffled, then deflated): a fifth to a half of the size.

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    import h5py

    with whole_file(path) as part, h5py.File(part, "w") as file:
        file.attrs["format"] = FORMAT
        head = {name: getattr(scene, name) for name in HEAD}
        file.attrs["scene"] = json.dumps(head)
        if isinstance(scene.to_mni, Affine):
            file["to_mni"] = scene.to_mni.matrix
        elif scene.to_mni is not None:
            _write(file, "to_mni", scene.to_mni.coordinates, compress=compress)
            file["to_mni"].attrs["affine"] = scene.to_mni.affine
        for k, layer in enumerate(scene.layers):
            group = file.create_group(f"layers/{k:03d}")
            plain = {name: getattr(layer, name) for name in PLAIN}
            group.attrs["layer"] = json.dumps({**plain, "radius": layer.radius})
            for name in ARRAYS:
                if getattr(layer, name) is not None:
                    _write(group, name, getattr(layer, name), compress=compress)
            for j, (name, quantity) in enumerate(layer.quantities.items()):
                place = f"quantities/{j:02d}"
                _write(group, place, quantity.values, compress=compress)
                group[place].attrs["quantity"] = json.dumps(_words(name, quantity))
    return Path(path)


def scene_parts(scene: Scene) -> list[Any]:
    """Return all that `save_scene` writes, as `rheobase._files.content_key` takes it."""
    parts: list[Any] = [{name: getattr(scene, name) for name in HEAD}]
    if isinstance(scene.to_mni, Affine):
        parts.append(scene.to_mni.matrix)
    elif scene.to_mni is not None:
        parts += [scene.to_mni.coordinates, scene.to_mni.affine]
    for layer in scene.layers:
        parts.append({**{name: getattr(layer, name) for name in PLAIN}, "radius": layer.radius})
        for name in ARRAYS:
            values = getattr(layer, name)
            parts += [name, None] if values is None else [name, values]
        for name, quantity in layer.quantities.items():
            parts += [_words(name, quantity), quantity.values]
    return parts


def _words(name: str, quantity: Quantity) -> dict[str, Any]:
    """Return what a quantity has besides its values."""
    return {
        "name": name,
        "label": quantity.label,
        "unit": quantity.unit,
        "colours": quantity.colours,
        "limits": quantity.limits,
        "categories": {k: asdict(c) for k, c in quantity.categories.items()},
    }


def _write(group: Any, name: str, values: Any, *, compress: bool) -> None:
    how: dict[str, Any] = {}
    if compress and values.size > SMALL:
        how = {"compression": "gzip", "compression_opts": 4, "shuffle": True}
    if values.dtype == np.int32 and values.size:
        values = values.astype(np.min_scalar_type(-int(np.abs(values).max()) - 1))
    group.create_dataset(name, data=values, **how)


def load_scene(path: Path | str) -> Scene:
    """Read a scene that `save_scene` wrote.

    Raises
    ------
    InputError
        If there is no such file, or it is not a scene or a damaged one.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            kind = str(file.attrs.get("format", ""))
            if kind != FORMAT:
                raise InputError(f"expected the format {FORMAT!r}, got {kind!r}")
            head = json.loads(file.attrs["scene"])
            layers = [_layer(group) for _, group in sorted(file.get("layers", {}).items())]
            return Scene(layers=tuple(layers), to_mni=_to_mni(file), **head)
    except FileNotFoundError:
        raise InputError(f"no such file: {path}") from None
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"cannot read the scene {path}: {str(error).splitlines()[0]}") from error


def _to_mni(file: Any) -> Affine | Warp | None:
    if "to_mni" not in file:
        return None
    stored = file["to_mni"]
    if "affine" in stored.attrs:
        return Warp(coordinates=stored[()], affine=stored.attrs["affine"])
    return Affine(matrix=stored[()])


def _layer(group: Any) -> Layer:
    plain = json.loads(group.attrs["layer"])
    if plain["shape"] is not None:
        plain["shape"] = tuple(plain["shape"])
    arrays = {name: group[name][()] for name in ARRAYS if name in group}
    quantities = {}
    for _, stored in sorted(group.get("quantities", {}).items()):
        words = json.loads(stored.attrs["quantity"])
        name = words.pop("name")
        categories = {int(k): Category(**c) for k, c in words.pop("categories").items()}
        quantities[name] = Quantity(values=stored[()], categories=categories, **words)
    return Layer(quantities=quantities, **plain, **arrays)
