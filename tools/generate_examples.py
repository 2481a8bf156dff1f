"""Makes reports/examples from the fixed runs in tests/builders; `--check` says what differs, byte for byte."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "reports" / "examples"


def wanted() -> dict[str, bytes]:
    """Every example's file name and content."""
    sys.path.insert(0, str(ROOT / "tests"))
    from builders.example_runs import EXAMPLES  # noqa: PLC0415 - beside the tests

    from preflight.render import FILES, RENDERERS  # noqa: PLC0415 - the installed preflight

    runs = {name: make() for name, make in EXAMPLES.items()}
    return {f"{name}.{FILES[one]}": RENDERERS[one](run).encode() for name, run in runs.items() for one in FILES}


def main(arguments: list[str]) -> int:
    """Write, or with `--check` compare."""
    files = wanted()
    present = {path.name for path in FOLDER.iterdir()} if FOLDER.is_dir() else set()
    if "--check" in arguments:
        differing = [
            name for name, content in files.items() if name not in present or (FOLDER / name).read_bytes() != content
        ]
        wrong = sorted({*differing, *(present - set(files))})
        for name in wrong:
            print(f"reports/examples/{name}: not as generated; run tools/generate_examples.py")
        return 1 if wrong else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in present - set(files):
        (FOLDER / name).unlink()
    for name, content in files.items():
        (FOLDER / name).write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
