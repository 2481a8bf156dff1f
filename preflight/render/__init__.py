"""Run -> text, one module per format. Pure: no clock, no network, no files."""
