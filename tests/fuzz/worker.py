"""One target under atheris, until libFuzzer ends the process: `python -m fuzz.worker TARGET FLAGS`, by the driver.

Writes the slowest input and its CPU time to the file that FUZZ_SLOWEST names, whenever there is a new one.
"""

import json
import os
import random
import sys
import time
from pathlib import Path

import atheris

# What is looked into: our own code and the small libraries of pure Python that it hands bytes to.
INSTRUMENTED = ("preflight", "dns", "h11", "h2", "hpack", "hyperframe", "tomllib", "idna")


class Watch:
    """Runs the target and remembers what took longest."""

    def __init__(self, run, notes: Path) -> None:
        self._run = run
        self._notes = notes
        self._longest = 0.001

    def __call__(self, data: bytes) -> None:
        begin = time.thread_time()
        self._run(data)
        took = time.thread_time() - begin
        if took > self._longest:
            self._longest = took
            self._notes.write_text(json.dumps({"cpu_ms": round(took * 1000, 1), "input": data[:65_536].hex()}))


def main() -> None:
    name, *flags = sys.argv[1:]
    with atheris.instrument_imports(include=list(INSTRUMENTED)):
        from fuzz.mutators import MUTATORS
        from fuzz.table import TARGETS
        from fuzz.target import Depth
    target = TARGETS[name]
    watch = Watch(target, Path(os.environ["FUZZ_SLOWEST"]))
    options = {}
    if target.mutator:
        change = MUTATORS[target.mutator]

        def mutate(data: bytes, most: int, seed: int) -> bytes:
            return change(data, most, random.Random(seed), atheris.Mutate)

        options["custom_mutator"] = mutate
    for _ in range(3):
        target.run(b"", Depth.SHOWN)  # what is made once (catalogue, plan, contexts) is not counted as an input's time
    atheris.Setup([sys.argv[0], *flags], watch, **options)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
