"""Pure judgement: the same plan and observations always give the same verdicts. No clock, no sockets, no files."""
