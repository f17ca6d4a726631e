"""The left of the page: layers, field, placing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rheobase.viewer.widgets import DENSE, SLIDER, SMALL, head, table

if TYPE_CHECKING:
    from rheobase.viewer.page import Page


def _panel(tab: str) -> Any:
    from trame.widgets import html

    return html.Div(
        v_show=(f"tab == '{tab}'",), classes="rb rb-panel", style="height:calc(100% - 42px)"
    )


def left_panel(page: Page) -> None:
    """Put layers, field and placing on the left."""
    from trame.widgets import vuetify3 as v

    with v.VNavigationDrawer(v_model=("left_open",), width=320, mobile_breakpoint=800):
        with v.VTabs(v_model=("tab",), density="compact", grow=True, color="#0969da"):
            v.VTab("Layers", value="layers", classes="text-none")
            v.VTab("Field", value="field", classes="text-none")
            v.VTab("Place", value="place", classes="text-none")
        v.VDivider()
        _layers(page)
        _field(page)
        _place(page)


def _layers(page: Page) -> None:
    from trame.widgets import html
    from trame.widgets import vuetify3 as v

    with _panel("layers"):
        with html.Div(v_if=("shells > 0",)):
            head("Peel the head")
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

    head("Cut")
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
            head("Slices through the brain")
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
            head("Isosurface")
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
                head("Direction")
                v.VCheckbox(v_model=("arrows",), label="arrows in the brain", **DENSE)
                v.VCheckbox(v_model=("lines",), label="lines along the field", **DENSE)
        head("Colours")
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
            head("Where")
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
                classes="mt-2 mb-1",
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
                v.VBtn("go", click=page.device.named, **SMALL)
            with html.Div(v_show=("place_is_coil",)):
                head("Coil")
                with html.Div(classes="rb-row"):
                    html.Span("handle", style="flex:0 0 62px")
                    v.VSlider(
                        v_model=("angle_deg",),
                        min=-180,
                        max=180,
                        step=1,
                        classes="rb-wide",
                        **SLIDER,
                    )
                    html.Span("{{ angle_deg }}°", classes="rb-value")
                with html.Div(classes="rb-row"):
                    html.Span("distance", style="flex:0 0 62px")
                    v.VSlider(
                        v_model=("distance_mm",),
                        min=0,
                        max=("Math.max(30, distance_mm)",),
                        step=0.5,
                        classes="rb-wide",
                        **SLIDER,
                    )
                    html.Span("{{ distance_mm }} mm", classes="rb-value")
                v.VBtn("turn here", click=page.device.again, **SMALL)
            head("Amplitude")
            with html.Div(classes="rb-row"):
                v.VTextField(
                    v_model=("amplitude",),
                    label=("place_is_coil ? 'dI/dt (A/µs)' : 'total current (mA)'",),
                    type="number",
                    variant="outlined",
                    **DENSE,
                )
                v.VBtn("scale", click=page.device.scale, **SMALL)
            head("How it is solved")
            with v.VRadioGroup(v_model=("way",), **DENSE):
                v.VRadio(label="exactly: solved anew at each move", value="exact")
                v.VRadio(label=("prepared_words",), value="prepared", disabled=("!prepared",))
            with html.Div(v_show=("!prepared",)):
                html.Div(
                    "Moves are made at once after the responses of the head have been solved for, "
                    "once for all: some minutes on a large head.",
                    classes="rb-note",
                )
                v.VBtn("prepare", click=page.device.prepare, **SMALL)
            v.VBtn(
                "back to the study's device",
                click=page.device.reset,
                v_show=("moved.length",),
                **SMALL,
                style="margin-top:10px",
            )
            with html.Div(v_show=("moved.length",)):
                head("The device now")
                table("moved")
