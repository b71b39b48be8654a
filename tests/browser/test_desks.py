"""The day of a moderator and of an editor, by mouse and by keyboard, in a real browser."""

import os
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.running import Demo

pytestmark = pytest.mark.browser

IMAGES = Path(__file__).parents[2] / "docs/images"
ARTICLE = "Quay Street to close to cars from March after council votes 17 to 14"


def sign_in(page: Page, demo: Demo, who: tuple[str, str]) -> None:
    page.goto(demo.url)
    page.get_by_label("E-mail").fill(who[0])
    page.get_by_label("Password").fill(who[1])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/desk/**")


def keep_image(page: Page, name: str) -> None:
    """The README's pictures, when SCREENSHOTS asks for them."""
    if os.environ.get("SCREENSHOTS"):
        IMAGES.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=IMAGES / f"{name}.png")


def must_be_accessible(page: Page) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_a_moderator_rejects_approves_and_undoes(page: Page, demo: Demo) -> None:
    sign_in(page, demo, demo.moderator)
    expect(page).to_have_url(re.compile("/desk/harbour-post/review$"))
    must_be_accessible(page)
    keep_image(page, "review")
    waiting = page.locator(".heading p").inner_text()
    first = page.locator("article.item").first
    name = first.locator("h2").inner_text()
    first.get_by_label("Reason").select_option(label="Abusive")
    first.get_by_role("button", name="Reject").click()
    expect(page.get_by_role("status")).to_have_text("Rejected.")
    expect(page.locator(".lately")).to_contain_text(name)
    assert page.locator(".heading p").inner_text() != waiting
    page.get_by_role("button", name=f"Undo the decision on {name}").click()
    expect(page.get_by_role("status")).to_contain_text("Undone")
    assert page.locator(".heading p").inner_text() == waiting


def test_a_moderator_needs_no_mouse(page: Page, demo: Demo) -> None:
    sign_in(page, demo, demo.moderator)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the content")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.innerText") == "Approve":
            break
    name = page.evaluate("document.activeElement.closest('article').querySelector('h2').innerText")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("Approved.")
    expect(page.locator(".lately")).to_contain_text(name)


def test_enter_in_the_note_rejects(page: Page, demo: Demo) -> None:
    sign_in(page, demo, demo.moderator)
    page.locator("article.item").first.get_by_label("Note").fill("Seen before.")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("Rejected.")
    page.get_by_role("button", name=re.compile("^Undo")).first.click()
    expect(page.get_by_role("status")).to_contain_text("Undone")


def test_an_editor_marks_words_orders_publishes_and_sees_the_block(page: Page, demo: Demo) -> None:
    sign_in(page, demo, demo.editor)
    expect(page).to_have_url(re.compile("/desk/harbour-post/picks$"))
    must_be_accessible(page)
    page.get_by_role("link", name=ARTICLE).click()
    cards = page.locator("article.candidate")
    expect(cards.last).to_contain_text("the article's own words")
    best = cards.first
    best.locator("[data-words]").click(click_count=3)
    marked = page.evaluate("document.getSelection().toString().trim()")
    assert marked
    expect(best.get_by_label("Quote")).to_have_value(" ".join(marked.split()))
    first_sentence = marked.split(". ")[0] + "."
    best.get_by_label("Quote").fill(first_sentence)
    best.get_by_role("button", name="Pick").click()
    expect(page.get_by_role("status")).to_contain_text("Picked")
    cards.nth(1).get_by_role("button", name="Pick").click()
    page.get_by_role("button", name=re.compile("^Move .* up$")).click()
    page.get_by_role("button", name="Publish").click()
    expect(page.locator(".state")).to_have_text("On the page, as below.")
    must_be_accessible(page)
    keep_image(page, "picks")
    page.get_by_role("link", name="See the published block").click()
    expect(page.get_by_role("heading", name="Perspectives & Insights")).to_be_visible()
    expect(page.locator("figure").nth(1)).to_contain_text(first_sentence)
    must_be_accessible(page)
    keep_image(page, "block")


def test_words_that_nobody_wrote_are_refused_in_words(page: Page, demo: Demo) -> None:
    sign_in(page, demo, demo.editor)
    page.get_by_role("link", name="A term without phones").click()
    first = page.locator("article.candidate").first
    first.get_by_label("Quote").fill("These words are mine, not the author's.")
    first.get_by_role("button", name="Pick").click()
    expect(page.get_by_role("status")).to_contain_text("not in the comment")


def test_the_desks_work_without_script_and_on_a_phone(page: Page, demo: Demo) -> None:
    browser = page.context.browser
    assert browser
    context = browser.new_context(
        java_script_enabled=False, viewport={"width": 390, "height": 844}, color_scheme="dark"
    )
    phone = context.new_page()
    sign_in(phone, demo, demo.editor)
    phone.get_by_role("link", name="Maternity unit").click()
    best = phone.locator("article.candidate").first
    best.get_by_role("button", name="Pick").click()
    phone.get_by_role("link", name="To the block").click()
    expect(phone.get_by_role("heading", name="The block")).to_be_in_viewport()
    phone.get_by_role("button", name="Publish").click()
    expect(phone.get_by_role("status")).to_have_text("Published.")
    width = phone.locator("main").bounding_box()
    assert width
    assert width["width"] <= 390
    keep_image(phone, "phone")
    context.close()


def test_a_stranger_finds_the_sign_in(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/desk/harbour-post/review")
    must_be_accessible(page)
    page.get_by_label("E-mail").fill(demo.moderator[0])
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("status")).to_contain_text("Wrong e-mail address or password.")
    expect(page.get_by_label("E-mail")).to_have_value(demo.moderator[0])
    expect(page.get_by_label("Password")).to_be_focused()
