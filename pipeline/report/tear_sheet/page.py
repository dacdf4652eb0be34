"""A sheet as one HTML page that needs nothing else, and its figures as PNG.

The same sheet gives the same bytes: no clock, no random ids.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import matplotlib
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG

from pipeline.report.tear_sheet import style
from pipeline.report.tear_sheet.key_figures import key_figures
from pipeline.report.tear_sheet.sections import sections
from pipeline.report.tear_sheet.sheet import Sheet

PNG_DPI = 130
_TOO_EXACT = re.compile(r"(\d\.\d\d)\d+")
"""A hundredth of a point is more than any screen shows."""
TONES = {"accepted": "good", "rejected": "bad"}


@dataclass(frozen=True)
class Page:
    """The HTML text, and PNG files by name."""

    html: str
    figures: dict[str, bytes]


def page(sheet: Sheet) -> Page:
    """Draw a sheet."""
    parts = sections(sheet)
    shown = [part for part in parts if not part.missing]
    shown_figures = {part.name: drawn(part.name, part.draw, sheet) for part in shown if part.draw}
    html = template("page.html").render(
        title=sheet.title,
        answer=f"Gates: {sheet.verdict}",
        reasons=sheet.reasons,
        facts=sheet.facts,
        tone=TONES.get(sheet.verdict, "open"),
        key_figures=key_figures(sheet),
        blocks=[(wide, list(block)) for wide, block in groupby(shown, lambda part: part.wide)],
        left_out=[part for part in parts if part.missing],
        figures={name: svg for name, (svg, _) in shown_figures.items()},
    )
    return Page(html, {f"{name}.png": png for name, (_, png) in shown_figures.items()})


def template(name: str) -> Template:
    """A page's template; all extend ``base.html``."""
    environment = Environment(
        loader=PackageLoader(__package__, ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def drawn(name: str, draw: Any, sheet: Any) -> tuple[str, bytes]:
    """What ``draw(sheet)`` gives, as SVG to set into the page, and as PNG."""
    with matplotlib.rc_context({**style.RC, "svg.hashsalt": name}):
        figure = _laid_out(draw(sheet))
        svg, png = _as_svg(figure), _as_png(figure)
    return _inline(svg, name), png


def drawn_svg(name: str, draw: Any, sheet: Any) -> str:
    """What ``draw(sheet)`` gives, as SVG to set into a page."""
    with matplotlib.rc_context({**style.RC, "svg.hashsalt": name}):
        return _inline(_as_svg(_laid_out(draw(sheet))), name)


def _laid_out(figure: Any) -> Any:
    """The figure with its axes where they stay: each file would compute the layout once more."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


def _as_svg(figure: Any) -> str:
    """Of a figure that is laid out: `savefig` would draw it twice, once for its layout."""
    svg = io.BytesIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    FigureCanvasSVG(figure).print_svg(svg, metadata=nothing)
    return svg.getvalue().decode()


def _as_png(figure: Any) -> bytes:
    png = io.BytesIO()
    figure.dpi = PNG_DPI
    FigureCanvasAgg(figure).print_png(png)
    return png.getvalue()


def _inline(svg: str, name: str) -> str:
    """An SVG file as an element of a page: no XML head, no size, ids that no other figure has."""
    element = svg[svg.index("<svg") :]
    head, body = element.split(">", 1)
    box = re.search(r'viewBox="[^"]+"', head)
    assert box, "matplotlib gives every SVG a viewBox"
    body = re.sub(r'(\bid="|"#|url\(#)', rf"\g<1>{name}-", body)
    body = re.sub(r' d="[^"]*"', lambda path: _TOO_EXACT.sub(r"\1", path[0]), body)
    return f'<svg {box[0]} role="img" aria-labelledby="{name}-heading">{body}'
