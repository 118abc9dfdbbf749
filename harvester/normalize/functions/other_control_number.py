"""other_control_number."""

from __future__ import annotations

from harvester.normalize.functions import functions
from harvester.normalize.functions.trim import trim


@functions.register("other_control_number")
def other_control_number(*, number: str = "", called: str = "") -> list[tuple[str, str]]:
    """The control number (001) where a system numbers its records itself (*called*): others may name it by either.

    >>> other_control_number(number="ocm00012345", called="17"), other_control_number(number="17", called="17")
    ([('control_number', 'ocm00012345')], [])
    """
    number, called = trim(number), trim(called)
    return [("control_number", number)] if number and called and number != called else []
