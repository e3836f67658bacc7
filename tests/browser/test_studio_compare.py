"""Compare and Get code by keyboard alone, on a tiny model: measured, found again, and copied."""

import json

import pytest
from playwright.sync_api import expect

from tests.browser.server import ENVIRONMENT
from tests.browser.studio import MINUTE, fill, go, open_studio, studio_server
from tests.serving.conftest import tiny_language_model
from tests.tiny_models import save
from utils.logits.config import DecodingConfig
from utils.studio.prompt import Prompt
from utils.studio.workspace import Workspace

pytestmark = [pytest.mark.process, pytest.mark.slow]


@pytest.fixture
def page(browser, tmp_path):
    """The studio at its page Compare, with a prompt in it."""
    tiny = tiny_language_model()
    model = save(tmp_path / "model", tiny.model, tiny.tokenizer)
    workspace = Workspace(tmp_path / "studio")
    workspace.write("prompt", Prompt(text="the {input}", config=DecodingConfig(max_new_tokens=4)).as_dict())
    workspace.write("studio", {"page": "Compare"})
    page = browser.new_page(viewport={"width": 1280, "height": 720}, permissions=["clipboard-read", "clipboard-write"])
    with studio_server(tmp_path, ENVIRONMENT | {"COURSE_MODEL": str(model), "COURSE_DEVICE": "cpu"}) as address:
        open_studio(page, address)
        yield page
        page.close()


def test_contestants_are_measured_by_keyboard_and_the_code_is_copied(page, tmp_path):
    records = tmp_path / "records.jsonl"
    records.write_text(json.dumps({"input_text": "<i>fox</i>", "output_text": "개"}) + "\n", encoding="utf8")
    expect(page.get_by_label("Name", exact=True)).to_have_value("A")
    page.get_by_role("button", name="Add", exact=True).press("Enter")
    expect(page.get_by_label("Name", exact=True)).to_have_count(2)
    fill(page, "Records to compare on", str(records))
    page.get_by_label("Records to compare on", exact=True).press("Control+Enter")
    expect(page.get_by_text("Done in ")).to_be_visible()
    expect(page.get_by_role("cell", name="<i>fox</i>")).to_be_visible()
    fill(page, "Top-k B", "3")
    expect(page.get_by_text("Old: the contestants, their settings or the records")).to_be_visible()

    page.reload(timeout=2 * MINUTE)
    expect(page.get_by_role("cell", name="<i>fox</i>")).to_be_visible()
    expect(page.get_by_label("Top-k B", exact=True)).to_have_value("3")

    go(page, "Get code")
    page.get_by_label("Code", exact=True).select_option("curl")
    shown = page.get_by_role("region", name="curl", exact=True)
    expect(shown).to_contain_text("the {input}")
    page.get_by_role("button", name="Copy: curl", exact=True).press("Enter")
    expect(page.get_by_role("status").filter(has_text="Copied.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == shown.text_content()
