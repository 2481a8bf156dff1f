"""The plan: catalogue times environment. Pure: nothing is looked up, no packet is sent, no secret is in it."""

from preflight.plan.build import build
from preflight.plan.hand_out import vantage_plan, workstation_terms
from preflight.plan.pacing import deadline_s

__all__ = ["build", "deadline_s", "vantage_plan", "workstation_terms"]
