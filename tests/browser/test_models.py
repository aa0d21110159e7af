"""An administrator puts another model into use in the browser, and rolls back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.person import WAYS, Person, View

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.parametrize("view", WAYS, ids=str)
def test_a_model_is_promoted_and_rolled_back(
    view: View, trained: str, second: str, arrive: Callable[..., Person]
) -> None:
    """Each in two clicks and a reason; what doctors use afterwards is what it was before."""
    ada = arrive(view, "administrator")
    first, other = (path.rsplit("/", 1)[1] for path in (trained, second))
    ada.open("/models/")
    if not _row_in_use(ada, first).is_visible():  # Another training of the task was the first.
        _put_into_use(ada, first, "")
    _put_into_use(ada, other, "")
    _put_into_use(ada, first, "Roll back")


def _put_into_use(ada: Person, training: str, verb: str) -> None:
    ada.open("/models/")
    ada.require_good_page()
    ada.page.locator(f'a[href="/models/{training}/promote"]').click()
    ada.require_good_page()
    button = ada.page.locator("main button[type=submit]")
    expect(button).to_contain_text(verb)
    button.click()
    expect(ada.page.get_by_text("Give the reason: it is kept")).to_be_visible()
    ada.require_good_page()
    ada.fill("Reason", "Compared on the ward for a week")
    button.click()
    used = _row_in_use(ada, training)
    expect(used).to_be_visible(timeout=60_000)
    expect(used).to_contain_text("Compared on the ward for a week")
    expect(ada.page.get_by_role("region", name="Status")).to_contain_text(training[:8])
    ada.require_good_page()


def _row_in_use(ada: Person, training: str) -> Locator:
    """The model's row, if it is in use: by its version, for other tasks have such rows, too."""
    return ada.page.locator(f"#version-{training[:8]}.used")
