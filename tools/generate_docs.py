"""Generates what must not drift: checks/README.md, the catalogue table of README.md, and two JSON Schemas.

`--check` writes nothing and exits 1 when something differs from what it would write.
"""

import inspect
import json
import re
import sys
from pathlib import Path
from typing import Any, get_args

import msgspec

from preflight import catalogue as catalogues
from preflight.catalogue.conditions import CONDITIONS
from preflight.catalogue.places import EACH, PLACES
from preflight.catalogue.steps import Step
from preflight.catalogue.verify import ALPN, LINKS, ROLES, TRUSTS
from preflight.environment.shape import CloudTable, File
from preflight.environment.template import TABLES, value
from preflight.model.catalogue import Catalogue, Requirement
from preflight.model.environment import Credentials
from preflight.model.secret import SERVICE_ACCOUNT
from preflight.model.vocabulary import Severity, Stage

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- catalogue:begin -->", "<!-- catalogue:end -->"
_FIELD = re.compile(r"^    (\w+): .*?#\s(.+)$", re.MULTILINE)


class RequirementFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of checks: requirements, or overrides of single ones by id."""

    requirement: tuple[Requirement, ...] = ()  # one [[requirement]] each
    clouds: dict[str, CloudTable] = {}  # in clouds.toml: host suffixes of clouds
    step: tuple[Step, ...] = ()  # in steps.toml: the documented steps of a deployment, in order


def generated(readme: str) -> dict[Path, str]:
    """Path -> content, for everything that is generated."""
    catalogue = catalogues.load()
    return {
        ROOT / "checks/README.md": checks_page(catalogue),
        ROOT / "README.md": with_table(readme, catalogue),
        ROOT / "reports/schema/environment.schema.json": schema(File, "environment", "preflight.toml"),
        ROOT / "reports/schema/catalogue.schema.json": schema(RequirementFile, "catalogue", "A file of checks"),
    }


def table(catalogue: Catalogue, *, links: str) -> str:
    """The requirements in order; `links` is the folder of the files, as seen from the page."""
    lines = ["| requirement | holds when | decided at | target | without it |", "|---|---|---|---|---|"]
    files = _files()
    for one in catalogue.requirements:
        name = f"{one.id}.NAME" if one.each == "dependency" else one.id
        mark = "" if one.severity is Severity.REQUIRED else " (recommended)"
        title = one.title.replace("{dependency.name}", "a `[[dependency]]`")
        where = ", ".join(kind.value for kind in one.decides)
        target = re.sub(r"^(\w+)://([^/]+).*$", r"\2", one.target)
        lines.append(f"| [`{name}`]({links}{files[one.id]}) | {title}{mark} | {where} | `{target}` | {one.breaks} |")
    return "\n".join(lines)


def _files() -> dict[str, str]:
    """Requirement id -> name of its file."""
    found = {}
    for path in sorted((ROOT / "checks").glob("*.toml")):
        for requirement in re.findall(r'^id = "([^"]+)"', path.read_text(encoding="utf-8"), re.MULTILINE):
            found[requirement] = path.name
    return found


def with_table(readme: str, catalogue: Catalogue) -> str:
    """The README with its table replaced. Raises ValueError when the markers are missing."""
    if readme.count(BEGIN) != 1 or readme.count(END) != 1:
        raise ValueError(f"README.md needs the markers {BEGIN} and {END}, each once")
    before, _, rest = readme.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n{table(catalogue, links='checks/')}\n{END}{after}"


def checks_page(catalogue: Catalogue) -> str:
    """checks/README.md."""
    stages = ", ".join(stage.value for stage in Stage)
    parts = [
        "# The catalogue",
        "",
        "Generated from the files beside it by `tools/generate_docs.py`; change those.",
        "",
        f"{len(catalogue.requirements)} requirements, in the documented order. A requirement holds or fails at the",
        "vantages that decide; other vantages are compared and never change the verdict.",
        "",
        table(catalogue, links=""),
        "",
        "## Writing a requirement",
        "",
        "A folder given with `--checks DIR` adds requirements, or overrides keys of single ones by their `id`;",
        "check it with `preflight checks validate DIR`. Keys are described in `reports/schema/catalogue.schema.json`.",
        "",
        "Placeholders of `target`, `params`, `opens` and `expect`: a key that is not given leaves the requirement out.",
        "",
        *(f"- `{{{name}}}`" for name in PLACES),
        *(f'- `{{{name}}}`, with `each = "{each}"`' for each, entry in EACH.items() for name in entry.adds),
        "",
        "Conditions of `when`; each also with `not `, and `given KEY` for any placeholder or credential:",
        "",
        *(f"- `{name}`: {entry.only}" for name, entry in CONDITIONS.items()),
        "",
        f"Probes and the roles that `judges` may name, alone or with a stage ({stages}):",
        "",
        *(f"- `{probe.value}`: {', '.join(roles)}" for probe, roles in ROLES.items()),
        "",
        "## Sources",
        "",
        *(f"- `{one.id}` ({one.reviewed}): {one.source}" for one in catalogue.requirements),
        "",
    ]
    return "\n".join(parts)


def schema(kind: type[msgspec.Struct], name: str, title: str) -> str:
    """The JSON Schema of a struct: closed, with the comments of the fields as descriptions."""
    (found,), components = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    comments = {struct.__name__: _comments(struct) for struct in _structs(kind)}
    for definition, content in components.items():
        _close(content, comments.get(definition, {}))
    _refine(components)
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{name}.schema.json",
        "title": title,
        **found,
        "$defs": dict(sorted(components.items())),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _structs(kind: Any, seen: set[Any] | None = None) -> set[Any]:
    """All structs that a type is made of."""
    seen = set() if seen is None else seen
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        if kind not in seen:
            seen.add(kind)
            for field in msgspec.structs.fields(kind):
                _structs(field.type, seen)
    else:
        for part in get_args(kind):
            _structs(part, seen)
    return seen


def _comments(struct: type[msgspec.Struct]) -> dict[str, str]:
    """Field -> what editors show: the comment behind it, else what the template of `preflight init` says of the key."""
    return _template(struct) | dict(_FIELD.findall(inspect.getsource(struct)))


def _template(struct: type[msgspec.Struct]) -> dict[str, str]:
    tables = {table.name: table for table in TABLES}
    mine = [
        tables[field.name]
        for field in msgspec.structs.fields(File)
        if struct in _structs(field.type) and field.name in tables
    ]
    keys = [key for table in mine[:1] for key in table.keys]
    return {key.name: key.comment or f"for example {value(key.example)}" for key in keys}


def _close(content: dict[str, Any], comments: dict[str, str]) -> None:
    if content.get("type") != "object" or "properties" not in content:
        return
    content["additionalProperties"] = False
    for name, entry in content["properties"].items():
        options = [one for one in entry.get("anyOf", ()) if one != {"type": "null"}]
        if len(options) == 1:  # TOML has no null: a key is given or it is not
            del entry["anyOf"]
            entry.update(options[0])
        if entry.get("default", 0) is None:
            del entry["default"]
        if name in comments:
            entry["description"] = comments[name]


def _refine(components: dict[str, Any]) -> None:
    """What types cannot say but editors should know."""

    def at(definition: str, name: str) -> dict[str, Any]:
        return components[definition]["properties"][name] if definition in components else {}

    at("File", "schema_version").update(const=1)
    at("Dependency", "name").update(pattern="^[a-z0-9-]+$")
    at("Dependency", "url").update(pattern="^(https?|tcp)://")
    status = {"anyOf": [{"type": "string"}, {"type": "integer"}]}
    at("Dependency", "expect").update(items=status)
    at("StorageAccount", "account").update(pattern="^[a-z0-9]{3,24}$")
    at("Main", "region").update(pattern="^[a-z][a-z0-9]*$")
    at("Requirement", "id").update(pattern="^[a-z0-9.-]+$")
    at("Requirement", "trust").update(enum=list(TRUSTS))
    at("Requirement", "secrets").update(items={"enum": [*Credentials.__struct_fields__, SERVICE_ACCOUNT]})
    at("Requirement", "reviewed").update(pattern=r"^\d{4}-\d{2}-\d{2}$")
    at("RequirementExpect", "link").update(enum=list(LINKS))
    at("RequirementExpect", "alpn").update(items={"enum": list(ALPN)})
    if "Requirement" in components:  # an override gives the id and what it changes
        components["Requirement"]["required"] = ["id"]


def main() -> int:
    """Write, or with `--check` compare; gives the exit code."""
    try:
        files = generated((ROOT / "README.md").read_text(encoding="utf-8"))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    drifted = [path for path, text in files.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv[1:]:
        for path in drifted:
            print(f"{path.relative_to(ROOT)} has drifted: run python tools/generate_docs.py", file=sys.stderr)
        return 1 if drifted else 0
    for path in drifted:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path], encoding="utf-8")
        print(f"written {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
