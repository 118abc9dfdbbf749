"""One consortium for all pages, built once; one browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.web.browser import follow
from tests.web.desk import Desk, password


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with Desk(tmp_path_factory.mktemp("desk")).open() as made:
        yield made


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments, timeout=180_000)
        yield browser
        browser.close()


Look = Callable[..., Any]


@pytest.fixture
def look(chromium: Any, desk: Desk) -> Iterator[Look]:
    """Open a page as somebody: look(name, language, javascript=…); what goes wrong in it fails the test."""
    opened: list[tuple[Any, list[str]]] = []

    def at(name: str = "", language: str = "en", javascript: bool = True, scheme: str = "light") -> Any:
        context = chromium.new_context(
            base_url=desk.base,
            locale="id-ID" if language == "id" else "en-GB",
            java_script_enabled=javascript,
            color_scheme=scheme,
            viewport={"width": 1280, "height": 900},
        )
        page = context.new_page()
        page.set_default_timeout(60_000)
        troubles: list[str] = []
        page.on("pageerror", lambda error: troubles.append(f"error: {error}"))
        page.on("console", lambda said: troubles.append(said.text) if "Content Security Policy" in said.text else None)
        page.on("dialog", lambda dialog: (troubles.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        opened.append((context, troubles))
        if name:
            page.goto("/login")
            page.fill("input[name=name]", name)
            page.fill("input[name=password]", password(name))
            follow(page, "main button")
        return page

    yield at
    for context, troubles in opened:
        context.close()
        assert troubles == []
