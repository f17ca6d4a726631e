"""Body-fitted coordinates (s, t, theta) around a lead: position, derivatives, inverse (numba).

All in the lead frame. ``c`` holds the constants of `rheobase.fields.dbs.grid.chart.Chart.packed`.
"""

from __future__ import annotations

from math import atan2, cos, hypot, pi, sin, sqrt
from typing import Any

import numpy as np
from numba import njit

RADIUS, ARC, REACH, Z_STRETCH, Z_TOP, Z_CENTRE, TOP_ANGLE, TOP_INNER, IS_BOX, CENTRE, AXES = (
    *range(9),
    9,
    12,
)
SIZE = 21


@njit(cache=True, nogil=True, inline="always")
def _hit(c: Any, x: float, y: float, z: float, u: float, v: float, w: float) -> Any:
    """Return how far along (u, v, w) the boundary is from an inner point, and its normal there."""
    x, y, z = x - c[CENTRE], y - c[CENTRE + 1], z - c[CENTRE + 2]
    a = c[AXES : AXES + 9]
    p0 = a[0] * x + a[1] * y + a[2] * z
    p1 = a[3] * x + a[4] * y + a[5] * z
    p2 = a[6] * x + a[7] * y + a[8] * z
    e0 = a[0] * u + a[1] * v + a[2] * w
    e1 = a[3] * u + a[4] * v + a[5] * w
    e2 = a[6] * u + a[7] * v + a[8] * w
    if c[IS_BOX] > 0.0:
        far, n0, n1, n2 = np.inf, 0.0, 0.0, 0.0
        for p, e, axis in ((p0, e0, 0), (p1, e1, 1), (p2, e2, 2)):
            if e != 0.0:
                side = 1.0 if e > 0.0 else -1.0
                reach = (side - p) / e
                if reach < far:
                    far = reach
                    n0 = side if axis == 0 else 0.0
                    n1 = side if axis == 1 else 0.0
                    n2 = side if axis == 2 else 0.0
    else:
        ee = e0 * e0 + e1 * e1 + e2 * e2
        pe = p0 * e0 + p1 * e1 + p2 * e2
        pp = p0 * p0 + p1 * p1 + p2 * p2
        far = (sqrt(max(pe * pe + ee * (1.0 - pp), 0.0)) - pe) / ee
        n0, n1, n2 = p0 + far * e0, p1 + far * e1, p2 + far * e2
    gx = a[0] * n0 + a[3] * n1 + a[6] * n2
    gy = a[1] * n0 + a[4] * n1 + a[7] * n2
    gz = a[2] * n0 + a[5] * n1 + a[8] * n2
    return far, gx, gy, gz


@njit(cache=True, nogil=True)
def boundary_radius(c: Any, phi: float, theta: float) -> Any:
    """Return the distance of the boundary from the centre and its derivatives in phi and theta."""
    sp, cp, st, ct = sin(phi), cos(phi), sin(theta), cos(theta)
    far, gx, gy, gz = _hit(c, 0.0, 0.0, c[Z_CENTRE], sp * ct, sp * st, cp)
    along = gx * sp * ct + gy * sp * st + gz * cp
    in_phi = gx * cp * ct + gy * cp * st - gz * sp
    in_theta = sp * (gy * ct - gx * st)
    return far, -far * in_phi / along, -far * in_theta / along


@njit(cache=True, nogil=True)
def chart(c: Any, s: float, T: float, theta: float) -> Any:
    """Return r, z and their derivatives in s, T, theta: (r, z, r_s, r_T, r_th, z_s, z_T, z_th)."""
    radius, arc, reach = c[RADIUS], c[ARC], c[REACH]
    t = min(T, reach)
    r_th = z_th = 0.0
    if s < arc:
        sa, ca = sin(s / radius), cos(s / radius)
        h = 1.0 + t / radius
        r, z = (radius + t) * sa, radius - (radius + t) * ca
        r_s, z_s, r_t, z_t = h * ca, h * sa, sa, -ca
    else:
        r, z = radius + t, radius + s - arc
        r_s, z_s, r_t, z_t = 0.0, 1.0, 1.0, 0.0
    z_plain, z_s_plain = z, z_s
    z0 = c[Z_STRETCH]
    if s >= arc and z > z0:
        st, ct = sin(theta), cos(theta)
        rise, gx, gy, gz = _hit(c, r * ct, r * st, z0, 0.0, 0.0, 1.0)
        w = (z - z0) / (c[Z_TOP] - z0)
        z, z_s = z0 + w * rise, rise / (c[Z_TOP] - z0)
        z_t = -w * (gx * ct + gy * st) / gz
        z_th = -w * r * (gy * ct - gx * st) / gz
    if reach >= T:
        return r, z, r_s, r_t, r_th, z_s, z_t, z_th
    # blended: in the share lam of the way from the centre to the boundary, and the polar angle phi
    b = T - reach
    d = z - c[Z_CENTRE]
    rho = hypot(r, d)
    phi = atan2(r, d)
    phi_s, phi_th = (r_s * d - r * z_s) / rho**2, -r * z_th / rho**2
    rho_s, rho_th = (r * r_s + d * z_s) / rho, d * z_th / rho
    far, far_phi, far_th = boundary_radius(c, phi, theta)
    lam = rho / far
    lam_s = (rho_s - lam * far_phi * phi_s) / far
    lam_th = (rho_th - lam * (far_phi * phi_th + far_th)) / far
    d = z_plain - c[Z_CENTRE]
    spread = (pi - c[TOP_ANGLE]) / (pi - c[TOP_INNER])
    out = c[TOP_ANGLE] + spread * (atan2(r, d) - c[TOP_INNER])
    out_s = spread * (r_s * d - r * z_s_plain) / (r * r + d * d)
    p, p_s, p_b = phi + (out - phi) * b, phi_s * (1 - b) + out_s * b, out - phi
    p_th = phi_th * (1 - b)
    q, q_s, q_b, q_th = lam + (1 - lam) * b, lam_s * (1 - b), 1 - lam, lam_th * (1 - b)
    far, far_phi, far_th = boundary_radius(c, p, theta)
    rho = q * far
    rho_s = q_s * far + q * far_phi * p_s
    rho_b = q_b * far + q * far_phi * p_b
    rho_th = q_th * far + q * (far_phi * p_th + far_th)
    sp, cp = sin(p), cos(p)
    return (
        rho * sp,
        c[Z_CENTRE] + rho * cp,
        rho_s * sp + rho * cp * p_s,
        rho_b * sp + rho * cp * p_b,
        rho_th * sp + rho * cp * p_th,
        rho_s * cp - rho * sp * p_s,
        rho_b * cp - rho * sp * p_b,
        rho_th * cp - rho * sp * p_th,
    )


@njit(cache=True, nogil=True)
def _ray(c: Any, s: float, theta: float) -> Any:
    """Return share and polar angle where the blended ray s starts, and its angle at the end."""
    r, z, _, _, _, _, _, _ = chart(c, s, c[REACH], theta)
    phi = atan2(r, z - c[Z_CENTRE])
    lam = hypot(r, z - c[Z_CENTRE]) / boundary_radius(c, phi, theta)[0]
    plain = phi if s < c[ARC] else atan2(r, c[RADIUS] + s - c[ARC] - c[Z_CENTRE])
    spread = (pi - c[TOP_ANGLE]) / (pi - c[TOP_INNER])
    return lam, phi, c[TOP_ANGLE] + spread * (plain - c[TOP_INNER])


@njit(cache=True, nogil=True)
def invert(c: Any, x: float, y: float, z: float) -> Any:
    """Return (s, T, theta) of a point; T < 0 inside the lead, NaN outside the domain."""
    radius, arc, reach = c[RADIUS], c[ARC], c[REACH]
    r = hypot(x, y)
    theta = atan2(y, x)
    d = z - c[Z_CENTRE]
    rho = hypot(r, d)
    phi = atan2(r, d)
    lam = rho / boundary_radius(c, phi, theta)[0] if rho > 0.0 else 0.0
    if lam > 1.0 + 1e-12:
        return np.nan, np.nan, theta
    if z < radius:
        t = hypot(r, z - radius) - radius
        s = radius * atan2(r, radius - z)
    else:
        t = r - radius
        s = arc + z - radius
        z0 = c[Z_STRETCH]
        if z > z0 and t <= reach:
            rise = _hit(c, r * cos(theta), r * sin(theta), z0, 0.0, 0.0, 1.0)[0]
            s = arc + z0 + (z - z0) * (c[Z_TOP] - z0) / rise - radius
    if t <= reach:
        return s, t, theta
    # the blended ray through the point: s by false position (Illinois), phi falls with s
    low, high = 0.0, arc + c[Z_TOP] - radius
    f_low, f_high = pi - phi, -1.0
    s = b = 0.0
    side = 0
    for _ in range(100):
        step = f_low / (f_low - f_high)
        s = low + (high - low) * min(max(step, 0.01), 0.99)
        lam_in, phi_in, phi_out = _ray(c, s, theta)
        gap = 1.0 - lam_in
        b = (lam - lam_in) / gap if gap > 1e-12 else -1e12
        f = max(phi_in + (phi_out - phi_in) * b - phi, -1.0)
        if abs(f) < 1e-12 or high - low < 1e-13 * arc:
            break
        if f > 0.0:
            low, f_low = s, f
            if side > 0:
                f_high *= 0.5
            side = 1
        else:
            high, f_high = s, f
            if side < 0:
                f_low *= 0.5
            side = -1
    return s, reach + min(max(b, 0.0), 1.0), theta


@njit(cache=True, nogil=True)
def invert_all(c: Any, points: Any, out: Any) -> None:
    """Write (s, T, theta) of points (n, 3) into out (n, 3)."""
    for i in range(len(points)):
        out[i, 0], out[i, 1], out[i, 2] = invert(c, points[i, 0], points[i, 1], points[i, 2])


@njit(cache=True, nogil=True)
def place_all(c: Any, at: Any, out: Any) -> None:
    """Write x, y, z and the volume per ds dT dtheta at coordinates (n, 3) into out (n, 4)."""
    for i in range(len(at)):
        r, z, r_s, r_t, _, z_s, z_t, _ = chart(c, at[i, 0], at[i, 1], at[i, 2])
        out[i, 0], out[i, 1], out[i, 2] = r * cos(at[i, 2]), r * sin(at[i, 2]), z
        out[i, 3] = abs(r_s * z_t - z_s * r_t) * r
