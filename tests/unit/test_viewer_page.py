"""The page as a browser sees it, the verb that serves it, and the notebook."""

import asyncio
import base64
import contextlib
import itertools
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import numpy as np
import pytest

from rheobase.scenes.field import grid_points
from rheobase.scenes.file import save_scene
from rheobase.scenes.scene import Category, Layer, Quantity, Scene

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
PATIENCE = 200.0  # s, on a busy machine


def ball(radius: float, n: int = 24) -> tuple[Any, Any]:
    """Points and triangles of a sphere."""
    import pyvista as pv

    surface = pv.Sphere(radius=radius, theta_resolution=n, phi_resolution=n)
    return np.asarray(surface.points), surface.regular_faces


def small_scene() -> Scene:
    """A ball in a ball, voxels with a field, and cells whose rate changes."""
    outer, inner = ball(0.09), ball(0.07)
    affine = np.diag([0.01, 0.01, 0.01, 1.0])
    affine[:3, 3] = -0.09
    shape = (19, 19, 19)
    points = grid_points(shape, affine)
    away = np.linalg.norm(points, axis=-1)
    strength = np.where(away < 0.09, 1.0 + 10 * points[..., 2], np.nan)
    names = {0: "outside", 1: "scalp", 2: "grey matter", 3: "white matter"}
    tissue = {k: Category(name=v, colour=f"#{40 * k + 60:02x}8080") for k, v in names.items()}
    label = np.select([away < 0.05, away < 0.076, away < 0.09], [3, 2, 1], 0)
    vectors = np.where(away[..., None] < 0.09, [0.0, 0.0, 1.0], 0.0)
    voxels = Layer(
        name="voxels",
        kind="volume",
        group="field",
        shape=shape,
        affine=affine,
        vectors=vectors * np.nan_to_num(strength)[..., None],
        quantities={
            "tissue": Quantity(values=label, label="tissue", categories=tissue),
            "strength": Quantity(values=strength, label="E magnitude", unit="V/m"),
        },
        shown="strength",
        visible=False,
    )
    cells = Layer(
        name="cells",
        kind="points",
        group="network",
        points=inner[0][::9],
        radius=2e-3,
        times=np.arange(5) * 1e-3,
        quantities={
            "rate": Quantity(
                values=np.arange(5.0)[:, None] * np.ones(len(inner[0][::9])),
                label="Firing rate",
                unit="1/s",
                colours="magma",
            )
        },
        shown="rate",
    )
    cortex = Quantity(values=1 + 10 * inner[0][:, 2], label="E magnitude", unit="V/m")
    return Scene(
        title="A ball in a ball",
        layers=(
            Layer(
                name="scalp",
                kind="surface",
                group="head",
                points=outer[0],
                cells=outer[1],
                colour="#e3ab8d",
                opacity=0.2,
            ),
            Layer(
                name="cortex",
                kind="surface",
                group="field",
                points=inner[0],
                cells=inner[1],
                quantities={"strength": cortex},
                shown="strength",
            ),
            voxels,
            cells,
        ),
        view=(0, 1, 0),
        point=(0.02, 0.01, 0.03),
        space="ball",
    )


class Served:
    """``rheobase view`` in a process of its own."""

    def __init__(self, source: Path, *options: str) -> None:
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115 (until the process ends)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rheobase", "view", str(source), "--no-browser", *options],
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        self.words = self.process.stdout.readline().strip()

    def errors(self) -> str:
        self.log.seek(0)
        return self.log.read()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_scene(tmp_path_factory.mktemp("page") / "scene.h5", small_scene())


@pytest.fixture(scope="module")
def served(file: Path) -> Iterator[Served]:
    server = Served(file)
    yield server
    if server.process.poll() is None:
        server.stop()


def let_in(address: str, secret: str) -> bool:
    """Return whether the page's websocket takes a key, from another page of the browser too."""
    from trame_server.client import WsLinkSession  # type: ignore[import-untyped]

    parts = urlsplit(address)

    async def ask() -> bool:
        async with (
            aiohttp.ClientSession(headers={"Origin": "http://elsewhere.example"}) as client,
            client.ws_connect(f"ws://{parts.netloc}/ws") as socket,
        ):
            session = WsLinkSession(socket)
            listening = asyncio.create_task(session.listen())
            answer = await session.auth(secret=secret)
            await asyncio.wait({answer, listening}, return_when=asyncio.FIRST_COMPLETED)
            listening.cancel()
            return answer.done() and answer.exception() is None

    return asyncio.run(asyncio.wait_for(ask(), 60))


def test_the_page_is_served_here_until_it_is_interrupted(file: Path) -> None:
    server = Served(file)
    assert server.address.startswith("http://127.0.0.1:"), server.errors()
    assert "drawn in this browser" in server.words
    bare, _, key = server.address.partition("?secret=")
    assert len(key) > 30
    assert let_in(bare, key)
    assert not let_in(bare, "wslink-secret")
    cookies = urllib.request.HTTPCookieProcessor()
    browser = urllib.request.build_opener(cookies)
    with browser.open(bare, timeout=30) as page:
        assert page.url == bare  # nothing gives the key to those who do not have it
        assert not list(cookies.cookiejar)
    with browser.open(server.address, timeout=30) as page:
        assert page.status == 200
        assert b"<script" in page.read()
    with browser.open(bare, timeout=30) as page:
        assert page.url == server.address  # loaded again
    assert server.stop() == 130
    assert server.errors().split("\n", 1)[0].startswith("rheobase: interrupted"), server.errors()


def test_an_interrupt_does_not_wait_for_long_work() -> None:
    script = (
        "import asyncio, time\n"
        "from types import SimpleNamespace\n"
        "from rheobase.viewer.work import Work\n"
        "work = Work(SimpleNamespace())\n"
        "async def go():\n"
        "    task = asyncio.create_task(work.thread(lambda: time.sleep(300)))\n"
        "    await asyncio.sleep(0.2)\n"
        "    work.leave()\n"
        "asyncio.run(go())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], timeout=60, capture_output=True, text=True, check=False
    )
    assert done.returncode == 130
    assert "interrupted" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--drawing", "nobody"], "unknown drawing 'nobody'"),
        (["--screenshot", "a.png", "--window"], "expected --screenshot or --window"),
        (["--screenshot", "a.jpg"], "expected a file ending in .png"),
        (["--from", "left"], "--from belongs to --screenshot"),
        (["--port", "99999"], "expected a port from 0 to 65535"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    file: Path, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from rheobase.__main__ import main

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["rheobase", "view", str(file), *arguments])
        assert main() == 2
    assert told in capsys.readouterr().err


def test_a_folder_without_a_result_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from rheobase.__main__ import main

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["rheobase", "view", str(tmp_path)])
        assert main() == 2
    assert "expected the folder of a result" in capsys.readouterr().err


def test_a_window_without_a_display_is_one_sentence(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from rheobase.__main__ import main

    if not sys.platform.startswith("linux"):
        pytest.skip("there is a display")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setattr(sys, "argv", ["rheobase", "view", str(file), "--window"])
    assert main() == 2
    assert "rheobase: no window can be opened here" in capsys.readouterr().err


class RefusedError(Exception):
    """What the browser says to a command that it cannot follow now."""


class Browser:
    """Headless Chromium, driven by its debugging protocol."""

    def __init__(self, url: str, size: tuple[int, int] = (1400, 900)) -> None:
        self.url, self.size = url, size
        self.said: list[str] = []
        self.numbers = itertools.count(1)

    async def __aenter__(self) -> "Browser":
        assert CHROMIUM is not None
        self.folder = tempfile.mkdtemp()
        options = [
            "--headless=new",
            "--no-sandbox",
            "--remote-debugging-port=0",
            "--hide-scrollbars",
        ]
        options += ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
        self.process = subprocess.Popen(
            [CHROMIUM, *options, f"--user-data-dir={self.folder}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        told = Path(self.folder) / "DevToolsActivePort"
        end = time.monotonic() + PATIENCE
        while not (told.is_file() and "\n" in told.read_text()):
            assert time.monotonic() < end, "chromium does not start"
            await asyncio.sleep(0.1)
        port = told.read_text().split()[0]
        self.http = aiohttp.ClientSession()
        pages: list[Any] = []
        while not pages:  # the port is open before the first page is
            assert time.monotonic() < end, "chromium opens no page"
            async with self.http.get(f"http://127.0.0.1:{port}/json/list") as answer:
                pages = [p for p in await answer.json() if p["type"] == "page"]
            await asyncio.sleep(0.1)
        self.socket = await self.http.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0)
        self.waiting: dict[int, asyncio.Future[Any]] = {}
        self.reader = asyncio.create_task(self.read())
        await self.ask("Runtime.enable")
        width, height = self.size
        await self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        await self.ask("Page.navigate", url=self.url)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.reader.cancel()
        await self.socket.close()
        await self.http.close()
        self.process.terminate()
        self.process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)

    async def read(self) -> None:
        async for message in self.socket:
            found = json.loads(message.data)
            if "id" in found:
                self.waiting.pop(found["id"]).set_result(found)
            elif found["method"] == "Runtime.exceptionThrown":
                self.said.append(json.dumps(found["params"])[:500])

    async def ask(self, method: str, **params: Any) -> Any:
        number = next(self.numbers)
        self.waiting[number] = asyncio.get_running_loop().create_future()
        answer = self.waiting[number]
        await self.socket.send_json({"id": number, "method": method, "params": params})
        found = await asyncio.wait_for(answer, PATIENCE)
        if "error" in found:
            raise RefusedError(f"{method}: {found['error']}")
        return found["result"]

    async def js(self, text: str) -> Any:
        found = await self.ask(
            "Runtime.evaluate", expression=text, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    async def until(self, text: str) -> Any:
        """Wait until an expression is true and return its value."""
        end = time.monotonic() + PATIENCE
        value = None
        while not value:
            # what was asked while the page was still being exchanged for another has no answer
            with contextlib.suppress(RefusedError):
                value = await self.js(f"(() => {{try {{return {text}}} catch {{}}}})()")
            assert time.monotonic() < end, f"not so: {text}; the page said {self.said}"
            await asyncio.sleep(0.05)
        return value

    async def get(self, name: str) -> Any:
        return await self.js(f"window.trame.state.get('{name}')")

    async def set(self, name: str, value: Any) -> None:
        await self.js(f"window.trame.state.set('{name}', {json.dumps(value)})")

    async def ready(self) -> None:
        await self.until("document.querySelectorAll('.rb-slice img').length == 3")
        await self.until("!!document.querySelector('.rb-view canvas')")

    async def click(self, x: float, y: float, *, to: tuple[float, float] | None = None) -> None:
        """Click, or drag to another place."""
        mouse = {"button": "left", "clickCount": 1}
        await self.ask("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        await self.ask(
            "Input.dispatchMouseEvent", type="mousePressed", x=x, y=y, buttons=1, **mouse
        )
        if to is not None:
            x, y = to
            await self.ask(
                "Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y, buttons=1, **mouse
            )
        await self.ask("Input.dispatchMouseEvent", type="mouseReleased", x=x, y=y, **mouse)

    async def middle(self) -> tuple[float, float]:
        box = await self.js(
            "(b => [b.left + b.width / 2, b.top + b.height / 2])"
            "(document.querySelector('.rb-view').getBoundingClientRect())"
        )
        return float(box[0]), float(box[1])

    async def picture(self) -> Any:
        """Return the pixels of the page, shape (height, width, 3)."""
        import io

        from PIL import Image

        found = await self.ask("Page.captureScreenshot", format="png")
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(found["data"]))).convert("RGB"))


def browse(address: str, do: Any, *, pages: int = 1) -> None:
    """Open a page, several times at once if asked for, and do something with it."""

    async def all_of_it() -> None:
        browsers = [Browser(address) for _ in range(pages)]
        for browser in browsers:
            await browser.__aenter__()
        try:
            for browser in browsers:
                await browser.ready()
            await do(*browsers)
            assert not [b.said for b in browsers if b.said]
        finally:
            for browser in browsers:
                await browser.__aexit__()

    asyncio.run(all_of_it())


needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium")


@pytest.mark.slow
@needs_browser
def test_a_browser_shows_the_scene_and_what_was_clicked(served: Served) -> None:
    async def look(page: Browser) -> None:
        await page.until("document.querySelectorAll('.rb-bar').length == 2")
        x, y = await page.middle()
        seen = (await page.picture())[int(y) - 40 : int(y) + 40, int(x) - 40 : int(x) + 40]
        assert np.ptp(seen.reshape(-1, 3), axis=0).max() > 5, "nothing is drawn"
        await page.click(x, y, to=(x + 80, y))  # turning the scene is no click
        await page.js("window.trame.refs.view.setCamera(window.trame.state.get('camera_front'))")
        assert not await page.get("facts")
        drawers = "[...document.querySelectorAll('.v-navigation-drawer--active')].length"
        assert await page.js(drawers) == 2
        await page.js("document.querySelector('.v-app-bar-nav-icon').click()")
        await page.until(f"{drawers} == 1")
        await page.js("document.querySelector('.v-app-bar-nav-icon').click()")
        await page.until(f"{drawers} == 2")
        await page.click(x, y)
        facts = dict(
            await page.until(
                "window.trame.state.get('facts').length && window.trame.state.get('facts')"
            )
        )
        assert facts["layer"] == "cortex"
        assert facts["tissue"] == "grey matter"
        assert "V/m" in facts["E magnitude"]
        px, py, pz = await page.get("point")
        assert abs(px) < 0.02
        assert py > 0.06
        assert abs(pz) < 0.02

    browse(served.address, look)


@pytest.mark.slow
@needs_browser
def test_errors_are_told_on_the_page(served: Served) -> None:
    async def fail(page: Browser) -> None:
        told = "Expected a result to place a device in"
        await page.until(f"window.trame.state.get('place_not').startsWith('{told}')")
        await page.set("placing", True)
        await page.until(f"window.trame.state.get('error').startsWith('{told}')")
        assert await page.until("!window.trame.state.get('placing')")

    browse(served.address, fail)


@pytest.mark.slow
@needs_browser
def test_controls_change_the_scene_on_every_open_page(served: Served) -> None:
    async def work(one: Browser, other: Browser) -> None:
        drawn = await one.get("status")
        await one.set("clip_axis", "x")
        await other.until(f"window.trame.state.get('status') != {json.dumps(drawn)}")
        await other.set("clip_axis", "")
        await one.until(f"window.trame.state.get('status') == {json.dumps(drawn)}")
        await one.set("slice_z", True)
        await one.set("iso", True)
        await one.set("arrows", True)
        await one.set("lines", True)
        await one.until("window.trame.state.get('iso_words').includes('V/m')")
        await one.set("peel", 1)
        await one.until("window.trame.state.get('peel_words') == 'to scalp'")
        await one.js("document.querySelector('.rb-time button').click()")
        await other.until("window.trame.state.get('frame') >= 2")
        await other.set("playing", False)
        assert await other.until("document.querySelectorAll('.rb-row').length > 5")

    browse(served.address, work, pages=2)
    assert served.process.poll() is None


@pytest.mark.slow
def test_a_notebook_shows_the_page(file: Path, tmp_path: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    code = [
        f"from rheobase.results import Result\n"
        f"from pathlib import Path\n"
        f"result = Result(title='x', out=Path({str(file.parent)!r}), tables={{}}, files=())\n"
        f"frame = result.plot()\nframe",
        "import asyncio, urllib.request\n"
        "get = lambda: urllib.request.urlopen(frame.src, timeout=20).status\n"
        "for _ in range(600):\n"
        "    try:\n"
        "        status = await asyncio.to_thread(get)\n"
        "        break\n"
        "    except OSError:\n"
        "        await asyncio.sleep(0.1)\n"
        "print(status)",
        "result.plot(live=False)",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in code])
    NotebookClient(book, timeout=PATIENCE, kernel_name="python3").execute()
    shown, fetched, still = (cell.outputs[-1] for cell in book.cells)
    assert "<iframe" in shown["data"]["text/html"]
    assert "http://127.0.0.1:" in shown["data"]["text/html"]
    assert fetched["text"].strip() == "200"
    assert "<iframe" in still["data"]["text/html"]
    assert "srcdoc" in still["data"]["text/html"]
