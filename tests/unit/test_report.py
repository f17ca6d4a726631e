"""Report and pictures: self-contained, escaped, not blank."""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from rheobase.provenance import provenance
from rheobase.report import Content, Picture, Section, Table
from rheobase.report_page import MOST, write_report
from rheobase.views import new_figure, recruitment


def written(out: Path, **changes: Any) -> str:
    """Return the report of made-up content."""
    figure = recruitment(
        {"L5_pyramidal": {"first": np.linspace(0, 1, 5)}}, np.arange(5.0), xlabel="dI/dt (A/µs)"
    )
    png = out / "curve.png"
    figure.savefig(png)
    table = Table(
        title="E & B",
        columns=("tissue", "V/m"),
        rows=[("grey", 1.23456789), ("white", float("nan"))],
    )
    content = Content(
        title="<b>title</b>",
        question="",
        facts={"Head": "sphere"},
        sections=[
            Section(title="Field", figures=[Picture(path=png, caption='"curves"')], tables=[table])
        ],
        notes=["average head"],
        tables={"E & B": table},
    )
    record = provenance(study="title = 'x'", inputs={}, details={"seed": 1})
    write_report(out / "report.html", content, record=record, **changes)
    return (out / "report.html").read_text(encoding="utf-8")


def test_report_needs_nothing_beside_it(tmp_path: Path) -> None:
    html = written(tmp_path)
    assert "&lt;b&gt;title&lt;/b&gt;" in html
    assert "1.235" in html
    assert '<td class="number">–</td>' in html
    assert "<h3>E &amp; B</h3>" in html
    assert 'alt="&#34;curves&#34;"' in html
    assert not re.findall(r'(?:src|href)="(?!data:|#)', html)
    inner = set(re.findall(r'href="#([^"]+)"', html))
    assert inner <= set(re.findall(r'id="([^"]+)"', html)), "the contents lead somewhere"
    assert 'id="scene-page"' not in html
    assert ET.fromstring(well_formed(html)) is not None


def well_formed(html: str) -> str:
    """Return a page as XML: empty elements closed, style and script left out."""
    html = re.sub(r"<(style|script)[^>]*>.*?</\1>", "", html, flags=re.DOTALL)
    html = re.sub(r"<(meta|img)([^>]*)>", r"<\1\2/>", html).replace("<!doctype html>", "")
    return re.sub(r"<button([^>]*) hidden>", r"<button\1>", html).replace(
        "<details open>", "<details>"
    )


def test_a_scene_is_kept_whole_and_one_too_large_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = "<!doctype html><!-- <script> --><script>let a = '</script>' && \"é\";</script>"
    (tmp_path / "scene.h5").touch()
    monkeypatch.setattr("rheobase.scenes.export_html", lambda file: page)
    html = written(tmp_path, scene=tmp_path / "scene.h5")
    (kept,) = re.findall(r'<script id="scene-page"[^>]*>(.*?)</script>', html, flags=re.DOTALL)
    assert json.loads(kept) == page
    monkeypatch.setattr("rheobase.scenes.export_html", lambda file: "x" * MOST)
    html = written(tmp_path, scene=tmp_path / "scene.h5")
    assert len(html) < MOST / 10
    assert "too large for this page" in html


def test_figures_need_no_display() -> None:
    assert new_figure(2, 2).canvas is not None
