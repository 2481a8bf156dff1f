"""The map: vantages on the left, the layers in between, services on the right, the break drawn where it happened."""

from collections.abc import Sequence

import msgspec

from preflight.model.run import Run, Verdict
from preflight.model.vocabulary import Stage, Status
from preflight.render import view
from preflight.render.columns import Column, columns, worst
from preflight.render.svg import cross, picture, tag, words

_BOX, _FAN, _SIDE, _LANE, _TOP, _GAP = 150, 130, 240, 14, 44, 14
_BAND = 110
_LAYERS = {Stage.DNS: "name", Stage.PROXY: "proxy", Stage.TCP: "connection", Stage.TLS: "TLS", Stage.HTTP: "answer"}
_TESTED = (Status.PASS, Status.WARN, Status.FAIL, Status.BLOCKED, Status.UNKNOWN, Status.WAIVED)
_COLUMNS = 8
_SERVICES = 40


class Path(msgspec.Struct, frozen=True, kw_only=True):
    """What one column of vantages met on the way to one service."""

    column: Column
    group: str
    status: Status
    decides: bool
    cause: str | None = None
    stage: Stage | None = None


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """What is drawn, and said in words beside it."""

    columns: tuple[Column, ...]
    groups: tuple[str, ...]
    layers: tuple[Stage, ...]
    paths: tuple[Path, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """The map in words, a sentence per vantage."""
        return tuple(
            _sentence(column, [path for path in self.paths if path.column == column]) for column in self.columns
        )


def chart(run: Run) -> Chart:
    """Verdicts gathered by service; the worst that decides stands for the path."""
    tested = [verdict for verdict in run.verdicts if verdict.vantage and verdict.status in _TESTED]
    services: dict[str, list[Verdict]] = {}
    for verdict in tested:
        services.setdefault(view.service(verdict.requirement), []).append(verdict)
    groups = tuple(services)[:_SERVICES]
    seen = {verdict.vantage for verdict in tested}
    shown = columns(
        [name for name in view.vantages(run) if name in seen], [row.cells for row in view.rows(run)], _COLUMNS
    )
    made = [_path(column, group, services[group]) for group in groups for column in shown]
    paths = tuple(path for path in made if path is not None)
    return Chart(columns=shown, groups=groups, layers=_layers(run), paths=paths)


def _layers(run: Run) -> tuple[Stage, ...]:
    """The proxy is a layer only where there is one."""
    proxied = any(hop.proxy is not msgspec.UNSET for seen in run.observations for hop in seen.hops)
    proxied = proxied or any((verdict.cause or "").startswith("proxy.") for verdict in run.verdicts)
    return tuple(stage for stage in Stage if proxied or stage is not Stage.PROXY)


def _path(column: Column, group: str, tested: Sequence[Verdict]) -> Path | None:
    mine = [one for one in tested if one.vantage in column.vantages]
    if not mine:
        return None
    deciding = [one for one in mine if one.decides] or mine
    status = worst(one.status for one in deciding)
    told = next(one for one in deciding if one.status is status)
    broke = status in (Status.FAIL, Status.WARN, Status.UNKNOWN, Status.WAIVED)
    return Path(
        column=column,
        group=group,
        status=status,
        decides=any(one.decides for one in mine),
        cause=told.cause,
        stage=view.stage_of(told) if broke else None,
    )


def _sentence(column: Column, paths: Sequence[Path]) -> str:
    fine = [path for path in paths if path.status is Status.PASS]
    text = f"{column.words}: {len(fine)} of {view.plural(len(paths), 'service')} as they should be"
    others = [
        f"{view.service_name(path.group)} {view.WORDS[path.status]}"
        + (f" at {_LAYERS[path.stage]}" if path.stage else "")
        + (f" ({path.cause})" if path.cause else "")
        + ("" if path.decides else ", comparison only")
        for path in paths
        if path.status is not Status.PASS
    ]
    return "; ".join([text, *others]) + "."


def draw(made: Chart) -> str:
    """The picture; empty when nothing was tested."""
    if not made.paths:
        return ""
    tops, height = _places(made)
    right = _BOX + _FAN + _BAND * len(made.layers)
    width = right + _SIDE
    parts = [_bands(made, height), *(_vantage(made, column, height) for column in made.columns)]
    ordered = sorted(made.paths, key=lambda path: path.status is not Status.PASS)
    parts += [_line(made, path, tops[path.group], height) for path in ordered]
    parts += [_service(made, group, tops[group], right) for group in made.groups]
    return picture(
        "".join(parts),
        width=width,
        height=height + 8,
        title="Which vantage reaches which service, and where a path breaks",
        description=" ".join(made.sentences),
        key="map",
        class_="map",
    )


def _lanes(made: Chart, group: str) -> list[Path]:
    return [path for path in made.paths if path.group == group]


def _places(made: Chart) -> tuple[dict[str, float], float]:
    """The top of each service, and the bottom of the last one."""
    tops: dict[str, float] = {}
    y: float = _TOP
    for group in made.groups:
        tops[group] = y
        y += max(_LANE * len(_lanes(made, group)), 26) + _GAP
    return tops, y


def _bands(made: Chart, height: float) -> str:
    parts = []
    for at, layer in enumerate(made.layers):
        x = _BOX + _FAN + _BAND * at
        parts.append(tag("line", x1=x, x2=x, y1=26, y2=height, class_="band"))
        parts.append(words(_LAYERS[layer], x, 16, "layer", anchor="middle"))
    return "".join(parts)


def _vantage_y(made: Chart, column: Column, height: float) -> float:
    room = (height - _TOP) / len(made.columns)
    return _TOP + room * (made.columns.index(column) + 0.5) - _GAP / 2


def _vantage(made: Chart, column: Column, height: float) -> str:
    y = _vantage_y(made, column, height)
    box = tag("rect", x=0.5, y=y - 16, width=_BOX - 1, height=32, rx=6, class_="box")
    return box + words(column.label, 12, y + 4, "name", room=19)


def _lane_y(made: Chart, path: Path, top: float) -> float:
    lanes = _lanes(made, path.group)
    tall = max(_LANE * len(lanes), 26)
    return top + tall / 2 + _LANE * (lanes.index(path) - (len(lanes) - 1) / 2)


def _line(made: Chart, path: Path, top: float, height: float) -> str:
    """From the vantage into its lane, along the layers, up to the service or to the layer where it broke."""
    start, y = _vantage_y(made, path.column, height), _lane_y(made, path, top)
    fan = _BOX + _FAN - 24
    right = _BOX + _FAN + _BAND * len(made.layers)
    bend = f"M{_BOX} {start:.1f}C{_BOX + 70} {start:.1f} {fan - 60} {y:.1f} {fan} {y:.1f}"
    class_ = f"path {path.status}{'' if path.decides else ' compare'}"
    if path.stage is None or path.stage not in made.layers:
        return tag("path", d=f"{bend}H{right - 6}", class_=class_)
    x = _BOX + _FAN + _BAND * made.layers.index(path.stage)
    reached = tag("path", d=f"{bend}H{x}", class_=class_)
    rest = tag("path", d=f"M{x + 10} {y:.1f}H{right - 6}", class_="path unreached")
    return reached + rest + _mark(made, path, x, y)


def _mark(made: Chart, path: Path, x: float, y: float) -> str:
    """The break and its cause; at the last layer the cause stands before the break, so that no service hides it."""
    last = path.stage is made.layers[-1]
    place, anchor = (x - 12, "end") if last else (x + 12, "start")
    named = path.cause or view.WORDS[path.status]
    label = words(named, place, y + 4, f"cause {path.status}", room=34, anchor=anchor)
    if path.status is Status.FAIL:
        return cross(x, y, 4) + label
    disc = tag("circle", cx=x, cy=y, r=7, class_=f"disc {path.status}")
    return disc + words(view.GLYPHS[path.status], x, y + 4, f"mark {path.status}", anchor="middle") + label


def _service(made: Chart, group: str, top: float, right: float) -> str:
    lanes = _lanes(made, group)
    tall = max(_LANE * len(lanes), 26)
    status = worst(path.status for path in lanes if path.decides) if any(p.decides for p in lanes) else Status.PASS
    box = tag("rect", x=right + 0.5, y=top, width=_SIDE - 1, height=tall, rx=6, class_=f"box {status}")
    glyph = words(view.GLYPHS[status], right + 14, top + tall / 2 + 4, f"mark {status}", anchor="middle")
    return box + glyph + words(view.service_name(group), right + 28, top + tall / 2 + 4, "name", room=28)
