"""Run as a script: enter a namespace, ask the kernel to die with the parent, become another program.

    launch.py /run/netns/NAME ETC_FOLDER PROGRAM ARGUMENT...

A program of its own, because Python 3.12 and later rightly warn of forking a process that has threads.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import system  # type: ignore[import-not-found]

if __name__ == "__main__":
    path, etc, *command = sys.argv[1:]
    system.die_with_parent()
    system.enter_network(path)
    system.own_files(etc)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")
