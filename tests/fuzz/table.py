"""All targets by name. A module that is not listed here does not exist for the driver, and a test says so."""

from fuzz.target import Target
from fuzz.targets import dns, files, http, inside, messages, places, services, texts, tls

MODULES = (dns, tls, http, services, texts, places, messages, files, inside)
TARGETS: dict[str, Target] = {target.name: target for module in MODULES for target in module.TARGETS}
