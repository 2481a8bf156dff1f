"""The command line: parse, plan, run, render, exit code. Nothing here decides anything."""
