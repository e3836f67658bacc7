"""Each check of a page finds its fault where there is one, and nothing where there is none."""

import pytest
from playwright.sync_api import Page

from tests.browser.checks import found, walked

PAGE = """
<div class="jp-NotebookPanel">
<div class="jp-WindowedPanel-outer" style="width: 400px; height: 300px; overflow: hidden auto; background: white">
  <div class="jp-Cell" data-windowed-list-index="0">{}</div>
</div></div>"""
IN_WIDGET = '<div class="jp-OutputArea-output"><div class="jupyter-widgets">{}</div></div>'
CASES = {
    "cut": [
        (
            '<button style="width: 40px; overflow: hidden; white-space: nowrap">Generate</button>',
            "'Generate' in button",
        ),
        (
            '<p style="width: 80px; overflow: hidden; white-space: nowrap">No room for this</p>',
            "in p",
        ),
        ('<div style="height: 20px; overflow: hidden">' + "<p>one line</p>" * 3 + "</div>", "'one line' in p"),
        ('<input value="0.123456" style="width: 30px">', "'0.123456' in input"),
        ("<select style='width: 40px'><option>seven words long</option></select>", "'seven words long' in select"),
        ('<div style="width: 60px; overflow: hidden"><button style="width: 90px">Go</button></div>', "button 'Go'"),
        (
            '<svg role="img" width="60" height="20"><text x="30" y="15">wildflowers</text></svg>',
            "'wildflowers' in text",
        ),
    ],
    "ringless": [
        ('<div style="overflow: hidden"><input value="1" style="outline: 2px solid red"></div>', "input '' by 2"),
        (
            '<div style="overflow: auto"><label><input type="radio" style="margin: 0">Yes</label></div>',
            "input 'Yes' by",
        ),
    ],
    "broken": [
        ('<pre style="width: 70px; word-break: break-all; white-space: pre-wrap">a positive one</pre>', "'positive'"),
        ('<p style="width: 30px; overflow-wrap: anywhere">positive</p>', "'positive' in p"),
    ],
    "small": [
        (
            '<svg role="img" viewBox="0 0 900 30" width="400"><text font-size="12" y="15">label</text></svg>',
            "'label' is 5.3",
        ),
        ('<span style="font-size: 8px">hint</span>', "'hint' is 8.0"),
    ],
    "covered": [
        (
            '<svg role="img"><text x="5" y="20">before</text><text x="20" y="22">after</text></svg>',
            "'before' and 'after'",
        ),
        (
            '<button>Go</button><p style="position: relative; top: -40px; height: 60px">A message</p>',
            "button 'Go' by p",
        ),
    ],
    "scrolled": [
        ('<div style="overflow-x: auto"><table style="width: 900px"><td>wide</td></table></div>', "too wide"),
        (
            '<div class="jp-OutputArea-output"><div class="jupyter-widgets"><div style="height: 40px; overflow: auto">'
            + "<p>row</p>" * 9,
            "too high",
        ),
    ],
    "outside": [('<div style="height: 290px"></div><button>Measure</button>', "button 'Measure'")],
    "contradicted": [
        (
            IN_WIDGET.format(
                '<p role="alert">The prompt is empty.</p>'
                '<div class="course-picture"><svg role="img"><text y="20">bars</text></svg></div>'
            ),
            "course-picture beside 'The prompt is empty.'",
        )
    ],
    "faint": [
        ('<p style="color: #999">grey on white</p>', "'grey on white' has a contrast of 2.8"),
        ('<p style="background: #0072b2; color: #0008">on blue</p>', "'on blue'"),
        ('<svg role="img"><text y="20" fill="#ccc">row</text></svg>', "'row'"),
    ],
    "red": [
        (
            '<div data-mime-type="application/vnd.jupyter.stderr"><pre>' + "File results.py\n" * 6 + "</pre></div>",
            "6 lines",
        ),
    ],
}
FINE = """
<h2>Heading</h2><p>Some text, that wraps where its words end, as it should in a page of any width there is at all.</p>
<div class="jp-OutputArea-output"><div class="jupyter-widgets">
  <label for="t">Temperature</label><input id="t" value="0.5" style="width: 60px"><input type="range">
  <button>Generate</button><p role="alert"></p>
  <span class="course-slider"><span role="alert">A seed is a whole number.</span></span>
  <p style="position: absolute; width: 1px; height: 1px; overflow: hidden">For a screen reader only</p>
  <div class="course-picture course-old"><svg role="img" width="200" height="40"><text y="20">bars</text></svg></div>
</div></div>
<details><summary>More</summary><p style="width: 10px; overflow: hidden">Not shown as long as it is folded</p></details>
"""


@pytest.fixture(scope="module")
def page(browser) -> Page:
    page = browser.new_page()
    yield page
    page.close()


@pytest.mark.parametrize(("check", "html", "said"), [(name, *case) for name, cases in CASES.items() for case in cases])
def test_a_check_finds_what_it_is_for_and_only_there(page, check, html, said):
    page.set_content(PAGE.format(html))
    [sentence, *_] = found(page.locator(".jp-Cell"), check)
    assert said in sentence
    page.set_content(PAGE.format(FINE))
    assert found(page.locator(".jp-Cell"), check) == []


def test_a_walk_reads_every_cell_and_says_which_is_wrong(page):
    page.set_content(PAGE.format(FINE))
    page.evaluate(
        """html => {
            const panel = document.querySelector(".jp-WindowedPanel-outer");
            for (const n of [1, 2, 3]) {
                const cell = panel.firstElementChild.cloneNode(true);
                cell.dataset.windowedListIndex = n;
                panel.append(cell);
            }
            panel.lastElementChild.innerHTML = html;
        }""",
        CASES["small"][1][0],
    )
    assert walked(page, *(CASES.keys() - {"outside"})) == ["cell 3: small: 'hint' is 8.0 px high"]
