"""The whole way through the studio by hand, on the course's model: from a gallery card to an endpoint and back.

After each step, axe, names and the keyboard are tried on the page as it is then.
"""

import re

import openai
import pytest
from playwright.sync_api import expect

from tests.browser.page import nameless, shoot
from tests.browser.server import ENVIRONMENT
from tests.browser.studio import (
    MINUTE,
    STUDIO,
    button,
    drop,
    fill,
    go,
    open_studio,
    studio_server,
    unreached,
    violations,
)
from tests.studio import test_pipeline
from tests.tiny_models import letters, save, tiny_model
from utils.authoring import ROOT
from utils.datasets.records import load_text_to_text, to_json_lines
from utils.registry.versions import find, register
from utils.serving.deployments import deployments, undeploy
from utils.studio.commands import answered_by

TICKETS = ROOT / "labs" / "data" / "tickets"
PROMPT = "Ticket: {input}\nTeam:"
BETTER = f"Which team answers: billing, delivery or returns?\n{PROMPT}"
SOME_CARDS = re.compile(r"^(\d+) of (?!\1 )\d+ cards\.$")
OUT_OF_COLUMN = """() => [...document.querySelectorAll("[role=region], pre")].filter((box) => {
    const column = box.closest(".widget-vbox").getBoundingClientRect();
    return box.checkVisibility() && box.getBoundingClientRect().right > column.right;
}).map((box) => box.outerHTML.slice(0, 160))"""
pytestmark = [pytest.mark.model, pytest.mark.process, pytest.mark.slow]


@pytest.fixture
def page(browser, tmp_path):
    """The studio in a window of a laptop's size, with a workspace, jobs and a registry of its own."""
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    with studio_server(tmp_path, ENVIRONMENT | {"COURSE_MODEL": "", "COURSE_DEVICE": "cpu"}) as address:
        open_studio(page, address)
        yield page
        page.close()
    for deployment in deployments():
        undeploy(deployment.name)


def records(tmp_path, split, count):
    file = tmp_path / f"{split}.jsonl"
    file.write_text(to_json_lines(load_text_to_text(TICKETS / f"{split}.jsonl")[:count]), encoding="utf8")
    return file


def holds(page, name):
    """The page in front is as it should be, light and dark; a screenshot shows what was looked at."""
    for theme in ("dark", "light"):
        page.emulate_media(color_scheme=theme)
        assert violations(page) == [], f"{name}, {theme}"
    assert nameless(page, STUDIO) == [], name
    assert page.evaluate(OUT_OF_COLUMN) == [], name
    shoot(page, name)


def test_from_a_card_to_an_endpoint_and_back(page, tmp_path):
    find_a_card(page)
    design_and_run(page)
    save_compare_and_restore(page)
    run_a_card_again_and_export_it(page, tmp_path)
    compare(page, records(tmp_path, "test", 8))
    tune(page, records(tmp_path, "train", 24))
    deploy_call_split_and_undeploy(page)
    run_a_pipeline(page, tmp_path)


def find_a_card(page):
    go(page, "Gallery")
    fill(page, "Search", "ticket")
    expect(page.get_by_text(SOME_CARDS)).to_be_visible()
    holds(page, "studio_gallery")
    button(page, "Open in Prompt design").click()


def design_and_run(page):
    page.get_by_label("structured", exact=True).wait_for(timeout=MINUTE)
    page.get_by_label("freeform", exact=True).check()
    fill(page, "Prompt", PROMPT.replace("{input}", "My parcel has not arrived."))
    button(page, "Run").click()
    expect(page.get_by_text(re.compile(r"^(Done|Chosen): "))).to_be_visible(timeout=4 * MINUTE)
    holds(page, "studio_design")
    fill(page, "Prompt", PROMPT)


def save_version(page, message):
    fill(page, "Message", message)
    button(page, "Save as a new version").click()


def save_compare_and_restore(page):
    go(page, "Save")
    expect(page.get_by_text("In Prompt design now: freeform, 'Ticket: {input} Team:'")).to_be_visible()
    fill(page, "Name", "tickets")
    save_version(page, "the first wording")
    expect(page.get_by_text("Saved as tickets/1.")).to_be_visible()
    go(page, "Prompt design")
    fill(page, "Prompt", BETTER)
    go(page, "Save")
    expect(page.get_by_text("In Prompt design now: freeform, 'Which team answers")).to_be_visible()
    save_version(page, "says what to choose from")
    expect(page.get_by_text("Saved as tickets/2.")).to_be_visible()
    page.get_by_label("Compare with", exact=True).select_option("1")
    difference = page.get_by_role("region", name="What leads from tickets/1 to tickets/2")
    expect(difference.locator("ins")).to_contain_text("Which team answers")
    expect(difference).to_contain_text("Ticket: {input}")
    holds(page, "studio_save_difference")
    page.get_by_label("Version", exact=True).select_option("1")
    button(page, "Restore as a new version").click()
    expect(page.get_by_text("tickets/3 holds what tickets/1 holds.")).to_be_visible()
    expect(page.get_by_label("Version", exact=True).locator("option")).to_have_count(3)


def run_a_card_again_and_export_it(page, tmp_path):
    button(page, "Run again and compare").click()
    expect(page.get_by_text("1 of 1 responses are the same.")).to_be_visible(timeout=4 * MINUTE)
    fill(page, "File", str(tmp_path / "card.json"))
    button(page, "Export").click()
    expect(page.get_by_text(f"The card is in {tmp_path / 'card.json'}.")).to_be_visible()
    holds(page, "studio_save_card")


def compare(page, file):
    go(page, "Compare")
    fill(page, "Records to compare on", str(file))
    expect(page.get_by_text(re.compile("^Freeform: Which team answers"))).to_be_visible()
    page.get_by_label("Prompt", exact=True).select_option("tickets/1", timeout=MINUTE)
    button(page, "Add").click()
    expect(page.get_by_label("Name", exact=True)).to_have_count(2)
    button(page, "Compare").click()
    expect(page.get_by_text(re.compile(r"^Done in "))).to_be_visible(timeout=4 * MINUTE)
    holds(page, "studio_compare")


def tune(page, file):
    go(page, "Tune")
    fill(page, "Name", "ticket-flow")
    drop(page, "Training data", file)
    expect(page.get_by_label("Training data", exact=True)).to_have_value(re.compile(r"train-[0-9a-f]{8}\.jsonl$"))
    fill(page, "Epochs", "1")
    button(page, "Start").click()
    expect(page.get_by_role("status").filter(has_text="SUCCEEDED")).to_be_visible(timeout=8 * MINUTE)
    expect(button(page, "Test the tuned model")).to_be_enabled()
    holds(page, "studio_tune_done")


def deploy_call_split_and_undeploy(page):
    tuned = find("ticket-flow/1")
    register("ticket-flow", tuned.folder, parameters=tuned.parameters, metrics=tuned.metrics, make_default=False)
    go(page, "Registry and endpoints")
    fill(page, "Name", "flow")
    page.get_by_label("Serves", exact=True).select_option("models:/ticket-flow", timeout=MINUTE)
    button(page, "Deploy").click()
    address = page.get_by_text(re.compile(r"http://127\.0\.0\.1:\d+/v1")).first
    expect(address).to_be_visible(timeout=4 * MINUTE)
    url = re.search(r"http://127\.0\.0\.1:\d+/v1", address.inner_text())[0]
    client = openai.OpenAI(base_url=url, api_key="none")
    answer = client.completions.create(
        model="ticket-flow", prompt="Ticket: No light.\nTeam:", max_tokens=4, temperature=0
    )
    assert answer.choices[0].text.strip() and answered_by(answer.model_dump()) == "ticket-flow/1"
    served = page.get_by_role("region", name="What the endpoint serves")
    for number in (1, 2):
        fill(page, f"ticket-flow/{number} (%)", "50")
    button(page, "Split the traffic").click()
    expect(served.get_by_role("cell", name="50 %", exact=True)).to_have_count(2)
    fill(page, "Prompt of a test call", "Ticket: No light.\nTeam:")
    button(page, "Call").click()
    expect(page.get_by_text(re.compile("^Version ticket-flow/[12] answered:"))).to_be_visible(timeout=2 * MINUTE)
    holds(page, "studio_endpoint_runs")
    assert unreached(page) == []
    button(page, "Undeploy").click()
    expect(page.get_by_text("No endpoint is deployed.")).to_be_visible()
    with pytest.raises(openai.APIConnectionError):
        client.with_options(max_retries=0).models.list()


def run_a_pipeline(page, tmp_path):
    """All steps of it, on a tiny model that learns to say yes."""
    base = save(tmp_path / "tiny", tiny_model("llama"), letters())
    splits = {split: str(tmp_path / f"{split}.jsonl") for split in ("train", "validation", "test")}
    go(page, "Pipeline")
    fill(page, "pipeline.yaml", test_pipeline.write(tmp_path, str(base), **splits).read_text(encoding="utf8"))
    button(page, "Run").click()
    steps = page.get_by_role("list", name="Steps").get_by_role("listitem")
    expect(steps.last).to_contain_text("smoke test: succeeded", timeout=8 * MINUTE)
    holds(page, "studio_pipeline_done")
