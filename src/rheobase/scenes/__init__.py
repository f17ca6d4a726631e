"""What a picture shows, apart from how it is drawn: layers of a scene, and their drawing."""

from rheobase.scenes.file import load_scene, save_scene
from rheobase.scenes.picture import CURE, picture, show
from rheobase.scenes.plot import dataset, draw
from rheobase.scenes.scene import VIEWS, Category, Layer, Quantity, Scene

__all__ = [
    "CURE",
    "VIEWS",
    "Category",
    "Layer",
    "Quantity",
    "Scene",
    "dataset",
    "draw",
    "load_scene",
    "picture",
    "save_scene",
    "show",
]
