"""The lab's resolvers: views per vantage, and every way of answering wrongly."""

import asyncio

import dns.exception
import dns.flags
import dns.rcode
import pytest


from preflight.lab import deployment as at
from preflight.lab.embedded import VANTAGES, Lab
from preflight.lab.faults import parse
