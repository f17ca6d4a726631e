"""The page around its controls: top, middle, right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rheobase.viewer.widgets import BUTTON, SLIDER, head, table

if TYPE_CHECKING:
    from rheobase.viewer.page import Page

LETTERS = ("left:6px;top:45%", "right:6px;top:45%", "bottom:0;left:48%", "top:0;left:48%")


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


def right_panel(page: Page) -> None:
    """Show what is at the point, and three slices through it."""
    from trame.widgets import html
    from trame.widgets import vuetify3 as v

    with (
        v.VNavigationDrawer(
            v_model=("right_open",), width=300, location="right", mobile_breakpoint=800
        ),
        html.Div(classes="rb rb-panel"),
    ):
        head("Point")
        html.Div(
            "Click on something to see what it is.", v_if=("!facts.length",), classes="rb-note"
        )
        table("facts")
        with html.Div(v_show=("images.length",)):
            head("Slices through the point")
            with html.Div(v_for="(image, k) in images", key="image.name"):
                with html.Div(classes="rb-slice-words"):
                    html.Span("{{ image.name }}")
                    html.Span("{{ image.words }}", classes="rb-off")
                with html.Div(classes="rb-slice"):
                    with html.Div(
                        classes="rb-slice-image",
                        click=(page.click_slice, "[k, window.rheobase.part($event)]"),
                    ):
                        html.Img(src=("image.url",), alt=("image.name",), __properties=["alt"])
                        html.Div(classes="rb-cross-x", style=("{left: 100 * image.left + '%'}",))
                        html.Div(classes="rb-cross-y", style=("{top: 100 * image.top + '%'}",))
                    for k, where in enumerate(LETTERS):
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
            "!busy && (placing || (right_open = true), trigger('rheobase_click', "
            "window.rheobase.at($event, trame.refs.view)))"
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
