"""Somebody at a browser: goes through pages by keyboard and notices what is wrong with them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

# A page with more stops than this is no page for a keyboard.
MOST_TABS = 90
# Trainings take their time on a busy machine.
LONG = 240_000

_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Said by the browser of answers that a test provokes; the page itself is looked at.
_EXPECTED = re.compile(r"the server responded with a status of (403|404|409|422)")


@dataclass(frozen=True)
class View:
    """How wide the window is, and which colours the system prefers."""

    width: int
    scheme: str

    def __str__(self) -> str:
        return f"{self.width}-{self.scheme}"


VIEWS = [View(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]
# One view every time; the other combinations of width and scheme among the long tests.
LOOKS = [VIEWS[0], *(pytest.param(view, marks=pytest.mark.slow) for view in VIEWS[1:])]
# For what is done on pages: each width and each scheme once, as neither changes the other.
WAYS = [VIEWS[0], pytest.param(VIEWS[3], marks=pytest.mark.slow)]


@dataclass
class Person:
    """A page and the hands on its keyboard."""

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self, path: str) -> None:
        self.page.goto(self.address + path)

    def tab_to(self, target: Locator) -> None:
        """Press Tab until the target has the focus; the ring around it must be visible."""
        expect(target).to_have_count(1)
        for _ in range(MOST_TABS):
            if target.evaluate("element => element === document.activeElement"):
                self._see_focus(target)
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab does not lead to {target}")

    def fill(self, label: str, text: str) -> None:
        self.tab_to(self.page.get_by_label(label, exact=True))
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.type(text)

    def press(self, name: str, role: str = "button") -> None:
        self.tab_to(self.page.get_by_role(role, name=name, exact=True))
        self.page.keyboard.press("Enter")

    def press_summary(self, text: str) -> None:
        """Open what lies behind a summary."""
        self.tab_to(self.page.locator("summary").filter(has_text=text))
        self.page.keyboard.press("Enter")
        expect(self.page.locator("details[open]").filter(has_text=text)).to_be_visible()

    def through_menu(self, name: str, role: str = "link") -> None:
        """Follow something in the header, which a narrow window keeps behind a button."""
        menu = self.page.get_by_role("button", name="Menu")
        if menu.is_visible():
            self.tab_to(menu)
            self.page.keyboard.press("Enter")
            expect(menu).to_have_attribute("aria-expanded", "true")
        self.tab_to(self.page.get_by_role("banner").get_by_role(role, name=name, exact=True))
        self.page.keyboard.press("Enter")

    def sign_in(self, email: str, password: str) -> None:
        self.open("/sign-in")
        self.fill("E-mail address", email)
        self.fill("Password", password)
        self.press("Sign in")
        self.page.wait_for_url(lambda url: "/sign-in" not in url)

    def sign_out(self) -> None:
        self.through_menu("Sign out", role="button")
        expect(self.page.get_by_text("You are signed out.")).to_be_visible()

    def require_good_page(self) -> None:
        """No violation, nothing wider than the window, nothing that the browser complains of."""
        found = Axe().run(self.page, options={"runOnly": _RULES}).response["violations"]
        seen = [f"{one['id']}: {[node['html'][:200] for node in one['nodes']]}" for one in found]
        assert not seen, f"{self.page.url}: {seen}"
        over = self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert over <= 0, f"{self.page.url} is {over} pixels too wide"
        assert not self.complaints, f"{self.page.url}: {self.complaints}"

    def _note(self, message: object) -> None:
        kind, text = message.type, message.text
        if kind in ("error", "warning") and not _EXPECTED.search(text):
            self.complaints.append(text)

    @staticmethod
    def _see_focus(target: Locator) -> None:
        width = target.evaluate("element => parseFloat(getComputedStyle(element).outlineWidth)")
        assert width >= 2, f"the focus on {target} cannot be seen"
