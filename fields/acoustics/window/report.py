"""What a beam meets on its way through a head, in numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowReport:
    """Numbers of a window; shares are of its lateral area.

    Parameters
    ----------
    rays
        Rays cast.
    detail, smoothing
        Size of the head's elements, and standard deviation of the smoothing (m).
    change
        Root mean square change of each surface by smoothing (m), where layers describe the head.
    thickness
        There, of the skull along the beam (m): least, 5 %, median, 95 %, most.
    thickness_kept
        Mean thickness after smoothing over that before.
    incidence
        Angle between beam axis and normal of the skull's outer surface (degrees): median, 95 %,
        most.
    critical
        Angle (degrees) above which compressional waves are reflected altogether there.
    beyond_critical
        Share of the skull above it.
    missed
        Share that misses the head.
    boneless
        Share that meets the head and no skull.
    repeated
        Share where other bone lies before the skull, or where it does not end.
    far_bone
        Share with more bone behind the skull, within the window.
    steep
        Share where the skull is too steep for columns, or its smooth surfaces are not near it.
    pockets
        Share with air, or a gap in the skin, within the head.
    thickened
        Share where a layer was made thicker, to be of the least thickness.
    conforming
        Share where the layers describe the head.
    """

    rays: int
    detail: float
    smoothing: float
    change: dict[str, float]
    thickness: tuple[float, float, float, float, float]
    thickness_kept: float
    incidence: tuple[float, float, float]
    critical: float
    beyond_critical: float
    missed: float
    boneless: float
    repeated: float
    far_bone: float
    steep: float
    pockets: float
    thickened: float
    conforming: float

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers as plain values, for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        """Return a few lines of text."""
        least, low, middle, high, most = (1e3 * t for t in self.thickness)
        lines = [
            f"skull {middle:.1f} mm along the beam ({low:.1f} … {high:.1f}, "
            f"least {least:.2f}, most {most:.1f})",
            f"incidence {self.incidence[0]:.0f}°, 95 % below {self.incidence[1]:.0f}°, most "
            f"{self.incidence[2]:.0f}°; above the critical {self.critical:.0f}°: "
            f"{self.beyond_critical:.1%}",
            "smoothing changes "
            + ", ".join(f"{name} {1e3 * value:.3f} mm" for name, value in self.change.items())
            + f", thickness {100 * (self.thickness_kept - 1):+.2f} %",
            f"layers describe {self.conforming:.1%} of the window (steep {self.steep:.1%}, no bone "
            f"{self.boneless:.1%}, more bone before {self.repeated:.1%}, pockets "
            f"{self.pockets:.1%}, beside the head {self.missed:.1%})",
            f"bone behind the skull {self.far_bone:.1%}, layers made thicker {self.thickened:.1%}",
        ]
        return "\n".join(lines)
