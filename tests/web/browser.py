"""What tests do with a page: never ask it anything before it is the page that answers."""

from __future__ import annotations

from typing import Any


def follow(page: Any, target: Any) -> None:
    """Click *target* (a selector or a locator), and wait until the next page is there."""
    with page.expect_navigation():
        (page.locator(target) if isinstance(target, str) else target).click()
