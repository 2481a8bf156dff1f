"""The plan: catalogue times environment. Pure: nothing is looked up, no packet is sent, no secret is in it."""

from preflight.plan.build import build
from preflight.plan.hand_out import vantage_plan

__all__ = ["build", "vantage_plan"]
