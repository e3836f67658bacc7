"""The whole way through the studio by hand, on the course's model: from a gallery card to an endpoint and back."""

import re

import openai
import pytest
from playwright.sync_api import expect

from tests.browser.page import shoot
from tests.browser.server import ENVIRONMENT
from tests.browser.studio import MINUTE, button, drop, fill, go, open_studio, studio_server
from utils.authoring import ROOT
from utils.datasets.records import load_text_to_text, to_json_lines
from utils.studio.commands import answered_by

TICKETS = ROOT / "labs" / "data" / "tickets"
PROMPT = "Ticket: {input}\nTeam:"
pytestmark = [pytest.mark.model, pytest.mark.process, pytest.mark.slow]


@pytest.fixture
def page(browser, tmp_path, course_model):
    """The studio in a window of a laptop's size, with a workspace, jobs and a registry of its own."""
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    with studio_server(tmp_path, ENVIRONMENT | {"COURSE_MODEL": "", "COURSE_DEVICE": "cpu"}) as address:
        open_studio(page, address)
        yield page
        page.close()


def records(tmp_path, split, count):
    file = tmp_path / f"{split}.jsonl"
    file.write_text(to_json_lines(load_text_to_text(TICKETS / f"{split}.jsonl")[:count]), encoding="utf8")
    return file


def test_from_a_card_to_an_endpoint_and_back(page, tmp_path):
    go(page, "Gallery")
    fill(page, "Search", "ticket")
    expect(page.get_by_text(re.compile(r"^\d+ of \d+ cards\.$"))).not_to_have_text("46 of 46 cards.")
    shoot(page, "studio_gallery")
    button(page, "Open in Prompt design").click()

    design_and_run(page)
    save_and_find_again(page)
    compare(page, records(tmp_path, "test", 8))
    tune(page, records(tmp_path, "train", 24))
    deploy_call_and_undeploy(page)


def design_and_run(page):
    page.get_by_label("structured", exact=True).wait_for(timeout=MINUTE)
    page.get_by_label("freeform", exact=True).check()
    fill(page, "Prompt", PROMPT.replace("{input}", "My parcel has not arrived."))
    button(page, "Run").click()
    expect(page.get_by_text(re.compile(r"^(Done|Chosen): "))).to_be_visible(timeout=2 * MINUTE)
    shoot(page, "studio_design")
    fill(page, "Prompt", PROMPT)


def save_and_find_again(page):
    go(page, "Save")
    expect(page.get_by_text("In Prompt design now: freeform, 'Ticket: {input} Team:'")).to_be_visible(timeout=MINUTE)
    fill(page, "Name", "tickets")
    fill(page, "Message", "the first wording")
    button(page, "Save as a new version").click()
    expect(page.get_by_text("tickets/1").first).to_be_visible(timeout=MINUTE)
    expect(page.get_by_label("Version", exact=True).locator("option")).not_to_have_count(0, timeout=MINUTE)
    shoot(page, "studio_save")


def compare(page, file):
    go(page, "Prompt design")
    fill(page, "Prompt", f"Which team answers: billing, delivery or returns?\n{PROMPT}")
    go(page, "Compare")
    fill(page, "Records to compare on", str(file))
    expect(page.get_by_text(re.compile("^Freeform: Which team answers"))).to_be_visible(timeout=MINUTE)
    page.get_by_label("Prompt", exact=True).select_option("tickets/1", timeout=MINUTE)
    button(page, "Add").click()
    button(page, "Compare").click()
    expect(page.get_by_text(re.compile(r"^Done in "))).to_be_visible(timeout=3 * MINUTE)
    shoot(page, "studio_compare")


def tune(page, file):
    go(page, "Tune")
    fill(page, "Name", "ticket-flow")
    drop(page, "Training data", file)
    expect(page.get_by_label("Training data", exact=True)).to_have_value(re.compile(r"train-[0-9a-f]{8}\.jsonl$"))
    fill(page, "Epochs", "1")
    button(page, "Start").click()
    expect(page.get_by_role("status").filter(has_text="SUCCEEDED")).to_be_visible(timeout=4 * MINUTE)
    shoot(page, "studio_tune")


def deploy_call_and_undeploy(page):
    go(page, "Registry and endpoints")
    fill(page, "Name", "flow")
    page.get_by_label("Serves", exact=True).select_option("models:/ticket-flow")
    button(page, "Deploy").click()
    address = page.get_by_text(re.compile(r"http://127\.0\.0\.1:\d+/v1")).first
    expect(address).to_be_visible(timeout=3 * MINUTE)
    shoot(page, "studio_endpoints")
    url = re.search(r"http://127\.0\.0\.1:\d+/v1", address.inner_text())[0]
    client = openai.OpenAI(base_url=url, api_key="none")
    answer = client.completions.create(
        model="ticket-flow", prompt="Ticket: No light.\nTeam:", max_tokens=4, temperature=0
    )
    assert answer.choices[0].text.strip() and answered_by(answer.model_dump()) == "ticket-flow/1"
    button(page, "Undeploy").click()
    expect(page.get_by_text("No endpoint is deployed.")).to_be_visible(timeout=MINUTE)
    with pytest.raises(openai.APIConnectionError):
        client.with_options(max_retries=0).models.list()
