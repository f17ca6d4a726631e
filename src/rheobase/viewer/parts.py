"""The parts of the page: what a person sees, and which callback each control has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rheobase.viewer.page import Page

DENSE = {"density": "compact", "hide_details": True}
SLIDER = {**DENSE, "thumb_size": 12, "track_size": 2, "color": "#0969da"}
BUTTON = {"density": "comfortable", "size": "small", "variant": "text"}
SMALL = {"size": "small", "variant": "tonal", "classes": "text-none", "color": "#0969da"}


def top_bar(page: Page) -> None:
    """Put title, views and the picture on top."""
    from trame.widgets import html
    from trame.widgets import vuetify3 as v

    with v.VAppBar(density="compact", flat=True, border="b", height=48):
        v.VAppBarNavIcon(click="left_open = !left_open", size="small")
        html.Span("rheobase", style="font-weight:700;margin:0 12px 0 4px;font-size:15px")
        html.Span(
            "{{ title }}",
            style="overflow:hidden;text-overflow:ellipsis;white-space:nowrap;flex:1 1 auto",
            title=("title",),
        )
        for view in ("left", "right", "front", "back", "top", "bottom"):
            v.VBtn(
                view,
                click=page.view_click(view),
                size="small",
                variant="text",
                classes="text-none px-2",
                min_width=0,
                title=f"Look from the {view}",
            )
        v.VBtn(
            icon="mdi-home-outline", click=page.view_click("start"), **BUTTON, title="First view"
        )
        v.VBtn(
            icon="mdi-camera-outline",
            click="window.rheobase.save(trame.refs.view, bars, 'rheobase')",
            title="Save this view as a PNG picture",
            __properties=["title"],
            **BUTTON,
        )
        v.VBtn(icon="mdi-dock-right", click="right_open = !right_open", **BUTTON, title="Point")


def left_panel(page: Page) -> None:
    """Put layers, field and placing on the left."""
    from trame.widgets import vuetify3 as v

    with v.VNavigationDrawer(v_model=("left_open",), width=320, permanent=True):
        with v.VTabs(v_model=("tab",), density="compact", grow=True, color="#0969da"):
            v.VTab("Layers", value="layers", classes="text-none")
            v.VTab("Field", value="field", classes="text-none")
            v.VTab("Place", value="place", classes="text-none")
        v.VDivider()
        _layers(page)
        _field(page)
        _place(page)


def _panel(tab: str) -> Any:
    from trame.widgets import html

    return html.Div(
        v_show=(f"tab == '{tab}'",), classes="rb rb-panel", style="height:calc(100% - 42px)"
    )


def _head(text: str) -> None:
    from trame.widgets import html

    html.Div(text, classes="rb-head")


def _layers(page: Page) -> None:
    from trame.widgets import html
    from trame.widgets import vuetify3 as v

    with _panel("layers"):
        with html.Div(v_if=("shells > 0",)):
            _head("Peel the head")
            with html.Div(classes="rb-row"):
                v.VSlider(v_model=("peel",), min=0, max=("shells",), step=1, **SLIDER)
                html.Span("{{ peel_words }}", classes="rb-value", style="flex-basis:92px")
        with html.Div(v_for="group in groups", key="group.title"):
            html.Div("{{ group.title }}", classes="rb-head")
            _rows(page)
        _cut()


def _rows(page: Page) -> None:
    """Add the layers of a group: eye, colour, name, opacity; what they show where there is more."""
    from trame.widgets import html
    from trame.widgets import vuetify3 as v

    with html.Template(v_for="layer in group.layers", key="layer.name"):
        with html.Div(classes="rb-row"):
            v.VBtn(
                icon=("layer.visible ? 'mdi-eye-outline' : 'mdi-eye-off-outline'",),
                click=(page.show, "[layer.name, !layer.visible]"),
                color=("layer.visible ? '#0969da' : '#8c959f'",),
                size="x-small",
                variant="text",
                title=("(layer.visible ? 'Hide ' : 'Show ') + layer.name",),
            )
            html.Span(
                classes=("'rb-swatch ' + (layer.colour ? '' : 'rb-swatch-map')",),
                style=("layer.colour ? {background: layer.colour} : {}",),
            )
            html.Span(
                "{{ layer.name }}",
                classes=("'rb-name ' + (layer.visible ? '' : 'rb-off')",),
                title=("layer.title || layer.name",),
            )
            v.VSlider(
                model_value=("layer.opacity",),
                update_modelValue=(page.fade, "[layer.name, $event]"),
                min=0,
                max=1,
                step=0.05,
                classes="rb-slider",
                v_show=("layer.visible && layer.kind != 'volume'",),
                title="Opacity",
                __properties=["title"],
                **SLIDER,
            )
        v.VSelect(
            model_value=("layer.shown",),
            update_modelValue=(page.shows, "[layer.name, $event]"),
            items=("layer.quantities",),
            variant="outlined",
            v_if=("layer.visible && layer.quantities.length > 1",),
            style="margin:2px 0 6px 30px",
            **DENSE,
        )


def _cut() -> None:
    from trame.widgets import html
    from trame.widgets import vuetify3 as v

    _head("Cut")
    with v.VBtnToggle(
        v_model=("clip_axis",),
        density="compact",
        mandatory=True,
        variant="outlined",
        divided=True,
    ):
        for value, text in (("", "off"), ("x", "x"), ("y", "y"), ("z", "z")):
            v.VBtn(text, value=value, size="small", classes="text-none")
    with html.Div(v_show=("clip_axis",)):
        with html.Div(classes="rb-row"):
            v.VSlider(
                v_model=("clip_mm",),
                min=("low['xyz'.indexOf(clip_axis)] || 0",),
                max=("high['xyz'.indexOf(clip_axis)] || 1",),
                step=1,
                classes="rb-wide",
                **SLIDER,
            )
            html.Span("{{ clip_mm }} mm", classes="rb-value")
        with html.Div(classes="rb-row"):
            v.VSwitch(v_model=("clip_above",), label="other side", color="#0969da", **DENSE)
            v.VSpacer()
            v.VSwitch(
                v_model=("cut_field",),
                label="field on the cut",
                color="#0969da",
                v_show=("has_field",),
                **DENSE,
            )


def _field(page: Page) -> None:
    from trame.widgets import html
    from trame.widgets import vuetify3 as v

    with _panel("field"):
        html.Div("This result has no field on voxels.", v_if=("!has_field",), classes="rb-note")
        with html.Div(v_show=("has_field",)):
            _head("Slices through the brain")
            for axis in "xyz":
                k = "xyz".index(axis)
                with html.Div(classes="rb-row"):
                    v.VCheckboxBtn(
                        v_model=(f"slice_{axis}",), label=axis, style="flex:0 0 52px", **DENSE
                    )
                    v.VSlider(
                        v_model=(f"slice_{axis}_mm",),
                        min=(f"low[{k}]",),
                        max=(f"high[{k}]",),
                        step=1,
                        disabled=(f"!slice_{axis}",),
                        classes="rb-wide",
                        **SLIDER,
                    )
                    html.Span(f"{{{{ slice_{axis}_mm }}}} mm", classes="rb-value")
            _head("Isosurface")
            with html.Div(classes="rb-row"):
                v.VCheckboxBtn(v_model=("iso",), style="flex:0 0 36px", **DENSE)
                v.VSlider(
                    v_model=("iso_level",),
                    min=0,
                    max=("field_top",),
                    step=("field_top / 100",),
                    disabled=("!iso",),
                    classes="rb-wide",
                    **SLIDER,
                )
                html.Span("{{ iso_words }}", classes="rb-value", style="flex-basis:84px")
            with html.Div(v_show=("has_vectors",)):
                _head("Direction")
                v.VCheckbox(v_model=("arrows",), label="arrows in the brain", **DENSE)
                v.VCheckbox(v_model=("lines",), label="lines along the field", **DENSE)
        _head("Colours")
        html.Div(
            "Nothing that is shown has a colour bar.", v_if=("!bars.length",), classes="rb-note"
        )
        with html.Div(v_for="(bar, k) in bars", key="k"):
            html.Div("{{ bar.title }}", classes="rb-note")
            with html.Div(classes="rb-row"):
                for end, words in (("low", "from"), ("high", "to")):
                    other = "bar.high" if end == "low" else "bar.low"
                    pair = (
                        f"$event.target.value, {other}"
                        if end == "low"
                        else (f"{other}, $event.target.value")
                    )
                    v.VTextField(
                        model_value=(f"bar.{end}_text",),
                        label=words,
                        type="number",
                        variant="outlined",
                        change=(page.limits, f"[bar.layers, {pair}]"),
                        __events=["change"],
                        **DENSE,
                    )


def _place(page: Page) -> None:
    from trame.widgets import html
    from trame.widgets import vuetify3 as v

    with _panel("place"):
        html.Div("{{ place_not }}", v_if=("place_not",), classes="rb-note")
        with html.Div(v_show=("place_ready",)):
            _head("Where")
            html.Div(
                "{{ place_is_coil ? 'Switch placing on, click on the scalp: the coil goes there.'"
                " : 'Choose an electrode, switch placing on and click on the scalp.' }}",
                classes="rb-note",
            )
            v.VSelect(
                v_model=("electrode",),
                items=("electrodes",),
                label="electrode",
                variant="outlined",
                v_show=("!place_is_coil",),
                classes="mb-1",
                **DENSE,
            )
            v.VSwitch(v_model=("placing",), label="place with the mouse", color="#0969da", **DENSE)
            with html.Div(classes="rb-row"):
                v.VAutocomplete(
                    v_model=("position",),
                    items=("positions",),
                    label="or a 10-10 position",
                    variant="outlined",
                    v_show=("positions.length",),
                    **DENSE,
                )
                v.VBtn("go", click=page.place_named, **SMALL)
            with html.Div(v_show=("place_is_coil",)):
                _head("Coil")
                with html.Div(classes="rb-row"):
                    html.Span("handle", style="flex:0 0 62px")
                    v.VSlider(
                        v_model=("angle_deg",),
                        min=-180,
                        max=180,
                        step=5,
                        classes="rb-wide",
                        **SLIDER,
                    )
                    html.Span("{{ angle_deg }}°", classes="rb-value")
                with html.Div(classes="rb-row"):
                    html.Span("distance", style="flex:0 0 62px")
                    v.VSlider(
                        v_model=("distance_mm",), min=0, max=30, step=1, classes="rb-wide", **SLIDER
                    )
                    html.Span("{{ distance_mm }} mm", classes="rb-value")
                v.VBtn("turn here", click=page.place_again, **SMALL)
            _head("Amplitude")
            with html.Div(classes="rb-row"):
                v.VTextField(
                    v_model=("amplitude",),
                    label=("place_is_coil ? 'dI/dt (A/µs)' : 'total current (mA)'",),
                    type="number",
                    variant="outlined",
                    **DENSE,
                )
                v.VBtn("scale", click=page.scale, **SMALL)
            _head("How it is solved")
            with v.VRadioGroup(v_model=("way",), **DENSE):
                v.VRadio(label="exactly: solved anew at each move", value="exact")
                v.VRadio(label=("prepared_words",), value="prepared", disabled=("!prepared",))
            with html.Div(v_show=("!prepared",)):
                html.Div("{{ prepare_words }}", classes="rb-note")
                v.VBtn("prepare", click=page.prepare, **SMALL)
            v.VBtn(
                "back to the study's device",
                click=page.reset,
                v_show=("moved.length",),
                **SMALL,
                style="margin-top:10px",
            )
            with html.Div(v_show=("moved.length",)):
                _head("The device now")
                _table("moved")


def _table(rows: str) -> None:
    from trame.widgets import html

    body = html.Tr(v_for=f"row in {rows}", key="row[0] + row[1]")
    with html.Table(classes="rb-facts"), html.Tbody(), body:
        html.Td("{{ row[0] }}")
        html.Td("{{ row[1] }}")


def right_panel(page: Page) -> None:
    """Show what is at the point, and three slices through it."""
    from trame.widgets import html
    from trame.widgets import vuetify3 as v

    with (
        v.VNavigationDrawer(v_model=("right_open",), width=300, location="right", permanent=True),
        html.Div(classes="rb rb-panel"),
    ):
        _head("Point")
        html.Div(
            "Click on something to see what it is.", v_if=("!facts.length",), classes="rb-note"
        )
        _table("facts")
        with html.Div(v_show=("images.length",)):
            _head("Slices through the point")
            with html.Div(v_for="(image, k) in images", key="image.name"):
                with html.Div(classes="rb-slice-words"):
                    html.Span("{{ image.name }}")
                    html.Span("{{ image.words }}", classes="rb-off")
                with html.Div(
                    classes="rb-slice",
                    click=(page.click_slice, "[k, window.rheobase.part($event)]"),
                ):
                    html.Img(src=("image.url",), alt=("image.name",), __properties=["alt"])
                    html.Div(classes="rb-cross-x", style=("{left: 100 * image.left + '%'}",))
                    html.Div(classes="rb-cross-y", style=("{top: 100 * image.top + '%'}",))
                    for k, where in enumerate(
                        (
                            "left:4px;top:42%",
                            "right:4px;top:42%",
                            "bottom:1px;left:48%",
                            "top:1px;left:48%",
                        )
                    ):
                        html.Span(f"{{{{ image.letters[{k}] }}}}", classes="rb-side", style=where)


def middle(page: Page) -> None:
    """Put the view in the middle, with its bars, the time, and what is at work."""
    from trame.widgets import html
    from trame.widgets import vuetify3 as v

    with html.Div(
        classes=("'rb-view rb' + (placing ? ' rb-placing' : '')",),
        pointerdown="press = [$event.clientX, $event.clientY]",
        click=(
            "Math.hypot($event.clientX - press[0], $event.clientY - press[1]) < 4 && "
            "!busy && trigger('rheobase_click', "
            "window.rheobase.at($event, trame.refs.view))"
        ),
        __events=["pointerdown"],
    ):
        page.add_view()
        html.Div(
            "{{ place_is_coil ? 'Click on the scalp to place the coil'"
            " : 'Click on the scalp to place electrode ' + electrode }}",
            v_show=("placing && !busy",),
            classes="rb-hint",
        )
        with (
            html.Div(classes="rb-bars"),
            html.Div(v_for="(bar, k) in bars", key="k", classes="rb-bar"),
        ):
            html.Div("{{ bar.title }}", classes="rb-bar-title")
            with html.Div(classes="rb-bar-body"):
                html.Div(classes="rb-bar-map", style=("{background: bar.gradient}",))
                html.Span(
                    "{{ tick.text }}",
                    v_for="tick in bar.ticks",
                    key="tick.part",
                    classes="rb-tick",
                    style=("{bottom: 100 * tick.part + '%'}",),
                )
        with html.Div(
            v_if=("times.length > 1",), classes="rb-time", click="$event.stopPropagation()"
        ):
            v.VBtn(
                icon=("playing ? 'mdi-pause' : 'mdi-play'",),
                click=page.play,
                **BUTTON,
                title="Play",
            )
            v.VSlider(v_model=("frame",), min=0, max=("times.length - 1",), step=1, **SLIDER)
            html.Span("{{ time_words }}", classes="rb-value", style="flex-basis:84px")
        with html.Div(classes="rb-status"):
            html.Span("{{ status }}", v_show=("!busy",))
            with html.Div(v_show=("busy",), style="min-width:260px"):
                html.Span("{{ busy }}")
                v.VProgressLinear(
                    model_value=("busy_part",), indeterminate=("busy_part < 0",), color="#0969da"
                )
    with v.VSnackbar(v_model=("error_open",), timeout=15000, color="#b42318", location="top"):
        html.Span("{{ error }}")
        with v.Template(v_slot_actions=True):
            v.VBtn("close", click="error_open = false", variant="text", classes="text-none")
