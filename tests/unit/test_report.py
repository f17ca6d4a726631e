"""Report and pictures: self-contained, escaped, not blank."""

import re
from pathlib import Path

import numpy as np
import pytest

from rheobase._render import render
from rheobase.provenance import provenance
from rheobase.report import Picture, Section, Table, write_report
from rheobase.views import new_figure, recruitment


def test_report_needs_nothing_beside_it(tmp_path: Path) -> None:
    figure = recruitment(
        {"L5_pyramidal": {"first": np.linspace(0, 1, 5)}}, np.arange(5.0), xlabel="dI/dt (A/µs)"
    )
    png = tmp_path / "curve.png"
    figure.savefig(png)
    record = provenance(study="title = 'x'", inputs={}, details={"seed": 1})
    write_report(
        tmp_path / "report.html",
        title="<b>title</b>",
        question="",
        sections=[
            Section(
                title="Field",
                figures=[Picture(path=png, caption="curves")],
                tables=[
                    Table(title="E & B", columns=("tissue", "V/m"), rows=[("grey", 1.23456789)])
                ],
            )
        ],
        notes=["average head"],
        study="title = 'x'",
        record=record,
    )
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;title&lt;/b&gt;" in html
    assert "1.235" in html
    assert "<caption>E &amp; B</caption>" in html
    assert not re.findall(r'(?:src|href)="(?!data:)', html)


def test_a_scene_shows_its_surface(tmp_path: Path) -> None:
    t = np.linspace(0, 2 * np.pi, 40)
    square = np.array([[0, 0, 0], [0.1, 0, 0], [0.1, 0.1, 0], [0, 0.1, 0.0]])
    scene = {
        "points": square,
        "triangles": np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32),
        "values": np.array([0.0, 1.0, 2.0, 1.0]),
        "limits": np.array([0.0, 2.0]),
        "shell_points": np.empty((0, 3)),
        "shell_triangles": np.empty((0, 3), dtype=np.int32),
        "view": np.array([0.0, 0.0, 1.0]),
        "title": np.array("E (V/m)"),
        "line_coil": np.column_stack([0.05 + 0.03 * np.cos(t), 0.05 + 0.03 * np.sin(t), 0 * t]),
        "colour_coil": np.array([0.8, 0.3, 0.0]),
    }
    png = tmp_path / "scene.png"
    if not render(scene, png):
        assert not png.exists()
        pytest.skip("no off-screen OpenGL on this machine")
    from matplotlib.image import imread

    pixels = imread(png)[..., :3]
    centre = pixels[pixels.shape[0] // 2, pixels.shape[1] // 2]
    assert centre.min() < 0.9, "the surface is not in the middle of the picture"
    assert pixels[5, 5].min() > 0.95, "the background is not white"


def test_figures_need_no_display() -> None:
    assert new_figure(2, 2).canvas is not None
