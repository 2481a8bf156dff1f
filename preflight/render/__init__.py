"""Rendering is pure: a finished `Run` in, text out. No clock, no environment, no network, nothing judged again."""

from preflight.render.formats import FILES, RENDERERS, Format, renderer

__all__ = ["FILES", "RENDERERS", "Format", "renderer"]
