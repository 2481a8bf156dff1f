"""Makes reports/schema/run.schema.json from the model; `--check` says whether it differs."""

import json
import sys
from pathlib import Path

import msgspec

from preflight.model.run import SCHEMA_VERSION, Run

TARGET = Path(__file__).resolve().parent.parent / "reports" / "schema" / "run.schema.json"


def schema() -> str:
    """The published schema of run.json: the model's own definitions."""
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"run.json, schema version {SCHEMA_VERSION}",
    }
    return json.dumps(head | msgspec.json.schema(Run), indent=2, sort_keys=True) + "\n"


def main(arguments: list[str]) -> int:
    """Write, or with `--check` compare."""
    if "--check" in arguments:
        if TARGET.is_file() and TARGET.read_text(encoding="utf-8") == schema():
            return 0
        print("reports/schema/run.schema.json: not as generated; run tools/generate_run_schema.py")
        return 1
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(schema(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
