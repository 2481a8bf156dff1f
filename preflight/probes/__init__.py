"""One layer or service each. Probes write down facts, never verdicts, and never import `preflight.judge`."""

import importlib.util
import sys
from typing import Any

# Two imports that the HTTP libraries try, that fail or are of no use here, and that cost more than the rest of them:
# httpx loads its own command line with rich and pygments wherever these happen to be installed, and httpcore looks for
# sniffio anew for every lock. Python's own mark for "there is no such module" makes both libraries go on without.
_modules: dict[str, Any] = sys.modules
_modules.setdefault("httpx._main", None)
if importlib.util.find_spec("sniffio") is None:
    _modules.setdefault("sniffio", None)
