"""What a picture shows, apart from how it is drawn: layers of a scene, and their drawing."""

from rheobase.scenes.animation import animate
from rheobase.scenes.drawing import dataset, draw
from rheobase.scenes.file import load_scene, save_scene
from rheobase.scenes.html import export_html
from rheobase.scenes.picture import CURE, picture
from rheobase.scenes.scene import VIEWS, Category, Layer, Quantity, Scene
from rheobase.scenes.show import plot, show
from rheobase.scenes.slices import slices

__all__ = [
    "CURE",
    "VIEWS",
    "Category",
    "Layer",
    "Quantity",
    "Scene",
    "animate",
    "dataset",
    "draw",
    "export_html",
    "load_scene",
    "picture",
    "plot",
    "save_scene",
    "show",
    "slices",
]
