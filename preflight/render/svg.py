"""Pictures as inline SVG: classes only, no style attribute, so that the strict CSP holds and dark mode reaches them.

Every picture has a title and a description; whoever cannot see it reads the table beside it.
"""

from collections.abc import Sequence
from html import escape

from preflight.model.vocabulary import Stage
from preflight.render import text, view
from preflight.render.stages import Lane, Span

_LABEL, _WIDE, _END, _STEP, _TOP = 196, 560, 84, 22, 30
_LANES = 36
_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 60_000)


def tag(name: str, content: str = "", **attributes: object) -> str:
    """An element; attribute values are escaped, `content` is markup already. `class_` stands for `class`."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(text.line(_plain(value)))}"'
        for key, value in attributes.items()
    )
    return f"<{name}{given}>{content}</{name}>" if content else f"<{name}{given}/>"


def words(content: str, x: float, y: float, class_: str = "", *, room: int = 200, anchor: str = "start") -> str:
    """Text at a place, cut to `room` characters, escaped."""
    shown = escape(text.cut(text.line(content), room))
    return tag("text", shown or " ", x=x, y=y, class_=class_, text_anchor=anchor)


def picture(content: str, *, width: float, height: float, title: str, description: str, key: str, class_: str) -> str:
    """The outer element with its text alternative; `key` makes its ids unique in the page."""
    told = tag("title", escape(text.line(title)), id=f"{key}-t") + tag(
        "desc", escape(text.line(description)), id=f"{key}-d"
    )
    return tag(
        "svg",
        told + content,
        class_=class_,
        role="img",
        aria_labelledby=f"{key}-t {key}-d",
        viewBox=f"0 0 {_plain(width)} {_plain(height)}",
        width=width,
        height=height,
    )


def _plain(value: object) -> str:
    """Numbers short and without a trailing zero; the same bytes on every machine."""
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)


def waterfall(lanes: Sequence[Lane], *, title: str, key: str) -> str:
    """The stages of all lanes on one time axis, a line per hop and vantage."""
    shown = lanes[:_LANES]
    end = max((lane.end_ms for lane in shown), default=0.0) or 1.0
    scale = _WIDE / end
    height = _TOP + _STEP * len(shown) + 6
    parts = [_axis(end, scale, height)]
    for at, lane in enumerate(shown):
        parts.append(_lane(lane, _TOP + _STEP * at, scale, first=at == 0 or shown[at - 1].vantage != lane.vantage))
    return picture(
        "".join(parts),
        width=_LABEL + _WIDE + _END,
        height=height,
        title=title,
        description=". ".join(map(_told, shown)),
        key=key,
        class_="waterfall",
    )


def _told(lane: Lane) -> str:
    stages = ", ".join(
        f"{span.stage} {view.took(span.took_ms)}{' and broke' if span.broken else ''}" for span in lane.spans
    )
    return f"{lane.vantage} {lane.role}: {stages or 'nothing'}"


def _axis(end: float, scale: float, height: float) -> str:
    step = next((one for one in _STEPS if end / one <= 6), _STEPS[-1])
    marks = range(0, int(end) + 1, step) if end / step <= 60 else range(0)
    return "".join(
        tag("line", x1=_LABEL + mark * scale, x2=_LABEL + mark * scale, y1=18, y2=height, class_="grid")
        + words(f"{mark} ms" if mark < 10_000 else f"{mark // 1000} s", _LABEL + mark * scale, 12, "axis")
        for mark in marks
    )


def _lane(lane: Lane, y: float, scale: float, *, first: bool) -> str:
    label = words(lane.vantage, 0, y + 12, "from", room=16) if first else ""
    role = words(lane.role, _LABEL - 8, y + 12, "role", room=15, anchor="end")
    ends = words(view.took(lane.end_ms), _LABEL + lane.end_ms * scale + 8, y + 12, "ends")
    return label + role + "".join(_bar(span, y, scale) for span in lane.spans) + ends


def _bar(span: Span, y: float, scale: float) -> str:
    x, wide = _LABEL + span.start_ms * scale, max(span.took_ms * scale, 2.0)
    name = f"{span.stage} {view.took(span.took_ms)}{', broke here' if span.broken else ''}"
    inside = tag("title", escape(name))
    bar = tag(
        "rect", inside, x=x, y=y + 1, width=wide, height=14, class_=f"s-{span.stage}{' broke' if span.broken else ''}"
    )
    label = _bar_label(span.stage, x, y, wide) if not span.broken else ""
    return bar + label + (cross(x + wide, y + 8, 5) if span.broken else "")


def _bar_label(stage: Stage, x: float, y: float, wide: float) -> str:
    return words(stage, x + wide / 2, y + 12, f"in-{stage}", anchor="middle") if wide > 9 * len(stage) else ""


def cross(x: float, y: float, size: float) -> str:
    """The break: a cross on a disc, readable in grey."""
    disc = tag("circle", cx=x, cy=y, r=size + 3, class_="disc")
    path = f"M{_plain(x - size)} {_plain(y - size)}L{_plain(x + size)} {_plain(y + size)}"
    back = f"M{_plain(x + size)} {_plain(y - size)}L{_plain(x - size)} {_plain(y + size)}"
    return disc + tag("path", d=path + back, class_="cross")
