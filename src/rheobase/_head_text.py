"""What a head is, as plain values and as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rheobase.meshes.head import Head


def describe(head: Head) -> dict[str, Any]:
    """Return what a head is, as plain values."""
    import numpy as np

    volumes = head.mesh.tissue_volumes()
    sheet = head.cortex
    return {
        "name": head.name,
        "species": head.species,
        "space": head.space,
        "nodes": len(head.mesh.nodes),
        "tetrahedra": len(head.mesh.tets),
        "size_mm": (np.ptp(head.mesh.nodes, axis=0) * 1e3).round(2).tolist(),
        "tissues": [
            {
                "label": label,
                "name": t.name,
                "volume_cm3": volumes.get(label, 0.0) * 1e6,
                "conductivity_S_per_m": q.value if q else None,
                "source": q.source if q else "",
                "status": q.status if q else "missing",
            }
            for label, t in head.tissues.items()
            for q in [t.properties.get("conductivity")]
        ],
        "fiducials_mm": {k: (p * 1e3).round(2).tolist() for k, p in head.fiducials.items()},
        "positions": list(head.positions),
        "cortex": None
        if sheet is None
        else {
            "columns": len(sheet.pial),
            "area_cm2": float(sheet.area.sum() * 1e4),
            "thickness_mm": [
                float(x) for x in np.percentile(sheet.thickness, [5, 50, 95]).round(6) * 1e3
            ],
        },
        "provenance": dict(head.provenance),
    }


def head_text(record: dict[str, Any]) -> str:
    """Return what `describe` found for people."""
    lines = [
        f"{record['name']} ({record['species']}), space {record['space']}: "
        f"{record['tetrahedra']:,} tetrahedra, {record['nodes']:,} nodes, "
        + " x ".join(f"{x:.4g}" for x in record["size_mm"])
        + " mm",
        "",
    ]
    rows = [("label", "tissue", "cm³", "S/m", "source of the conductivity")]
    for t in record["tissues"]:
        sigma = t["conductivity_S_per_m"]
        rows.append(
            (
                str(t["label"]),
                t["name"],
                f"{t['volume_cm3']:.4g}",
                "missing" if sigma is None else f"{sigma:g}",
                f"{t['source']} ({t['status']})" if t["source"] else "",
            )
        )
    widths = [max(len(r[k]) for r in rows) for k in range(4)]
    lines += [
        "  ".join(f"{c:<{w}}" for c, w in zip(r[:4], widths, strict=True)) + f"  {r[4]}"
        for r in rows
    ]
    lines.append("")
    for name, p in record["fiducials_mm"].items():
        lines.append(f"{name}: {', '.join(f'{x:g}' for x in p)} mm")
    if record["positions"]:
        shown = record["positions"]
        lines.append(f"{len(shown)} positions: {', '.join(shown)}")
    sheet = record["cortex"]
    if sheet is None:
        lines.append("no cortical sheet")
    else:
        thickness = ", ".join(f"{x:.2f}" for x in sheet["thickness_mm"])
        lines.append(
            f"cortex: {sheet['columns']:,} columns, {sheet['area_cm2']:.5g} cm², "
            f"thickness {thickness} mm (5, 50, 95 %)"
        )
    lines.append("")
    for key, value in record["provenance"].items():
        if key == "notes":
            lines += [f"note: {note}" for note in value]
        elif not isinstance(value, (dict, list)):
            lines.append(f"{key}: {value}")
    for role, checksum in record["provenance"].get("inputs", {}).items():
        lines.append(f"input {role}: {checksum}")
    return "\n".join(lines)
