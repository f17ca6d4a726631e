"""The device on the page: placed with the mouse or by name, scaled, solved for again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rheobase._errors import InputError

if TYPE_CHECKING:
    from rheobase.viewer.page import Page
    from rheobase.viewer.session import Placement

#: What the page knows of the device before it is opened.
START: dict[str, Any] = {
    "placing": False,
    "place_ready": False,
    "place_not": "Looking at the device …",
    "place_is_coil": False,
    "electrodes": [],
    "electrode": "",
    "positions": [],
    "position": None,
    "angle_deg": 45,
    "distance_mm": 4,
    "amplitude": 1.0,
    "way": "exact",
    "prepared": False,
    "prepared_words": "",
    "moved": [],
}
PREPARED = {
    True: "from the head's coil modes, at once",
    False: "lead field: nearest 10-10 places, at once",
}


class DevicePanel:
    """Callbacks of the tab where the device is placed.

    Parameters
    ----------
    page
        The page.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        self._session, self._work, self._state = page.session, page.work, page.state

    async def open(self) -> None:
        """Open head and device, and say on the page where they cannot be."""
        try:
            bench = await self._work.thread(self._session.open_bench)
            prepared = await self._work.thread(lambda: bench.prepared)
            stands = await self._work.thread(self._session.stands)
        except InputError as error:
            with self._state:
                self._state.place_not = str(error)[:1].upper() + str(error)[1:]
            return
        except Exception as error:
            self._work.tell(error)
            return
        coil = bench.coil is not None
        names = list(bench.rig.electrodes)
        with self._state:
            self._state.update(
                {
                    "place_ready": True,
                    "place_not": "",
                    "place_is_coil": coil,
                    "electrodes": names,
                    "electrode": names[0] if names else "",
                    "positions": sorted(bench.head.positions),
                    "amplitude": float(f"{(1e-6 if coil else 1e3) * bench.rig.amplitudes[0]:.6g}"),
                    "prepared": prepared,
                    "way": "prepared" if prepared else "exact",
                    "prepared_words": PREPARED[coil],
                    **stands,
                }
            )

    def placing(self) -> None:
        """Refuse to place what is not ready."""
        if self._state.placing and not self._state.place_ready:
            self._state.placing = False
            raise InputError(self._state.place_not)

    async def named(self) -> None:
        """Put the device at a 10-10 position."""
        if self._state.position:
            await self.place(self._state.position)
        else:
            self._work.tell(InputError("choose a 10-10 position first"))

    async def again(self) -> None:
        """Turn the coil where it is."""
        await self.place(await self._work.thread(self._session.foot))

    async def place(self, position: Any) -> None:
        """Put the device at a 10-10 position or a point of the scalp (m), solve and draw."""
        s = self._state
        electrode, way = s.electrode, s.way
        how = {"angle_deg": float(s.angle_deg), "distance_mm": float(s.distance_mm)}
        placed = await self._work.slow(
            "placing",
            lambda: self._session.place(
                electrode, position, way=way, tell=self._work.progress, **how
            ),
        )
        self._show(placed)

    async def scale(self) -> None:
        """Give the device another amplitude."""
        try:
            value = float(self._state.amplitude) * (1e6 if self._state.place_is_coil else 1e-3)
        except (TypeError, ValueError):
            self._work.tell(InputError(f"expected a number, got {self._state.amplitude!r}"))
            return
        self._show(await self._work.slow("scaling", self._session.scale, value))

    async def prepare(self) -> None:
        """Solve for the responses that make moves quick."""
        await self._work.slow("preparing", self._session.prepare, self._work.progress)
        prepared = self._session.open_bench().prepared
        with self._state:
            self._state.prepared = prepared
            self._state.way = "prepared" if prepared else self._state.way

    def reset(self) -> None:
        """Go back to the device as the study has it."""
        self._work.told(self._session.reset)()
        self._now([])

    def _show(self, placement: Placement | None) -> None:
        if placement is not None:
            self._work.told(self._session.show)(placement)
            self._now(placement.rows)

    def _now(self, rows: list[tuple[str, str]]) -> None:
        with self._state:
            self._state.moved, self._state.facts = rows, []
            self._state.update(self._session.field_now())
        self._page.redraw()
