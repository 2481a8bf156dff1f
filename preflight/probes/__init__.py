"""One layer or service each. Probes write down facts, never verdicts, and never import `preflight.judge`."""
