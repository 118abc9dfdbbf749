"""A report says how things stand: facts as plain data, and lines for people; add one file, registered under its name.

A report gets its facts as an argument and reads nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harvester.registry import Registry

# (facts, language) → lines of text
Report = Callable[[Any, str], list[str]]

reports: Registry[Report] = Registry("report", __name__)
