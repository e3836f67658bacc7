"""The prompt workbench: change a prompt's parts, see the prompt and its cost, ask the model."""

import html

import ipywidgets as widgets

from utils.evaluation.workbench import Bench
from utils.widgets.view import FULL_LABEL, WIDE, Dropdown, paragraph, show, told_in

INSTRUCTION = "Summarize the dialogue in one sentence."


def prompt_workbench(bench: Bench) -> widgets.VBox:
    """Show a workbench and return its view; its controls are in `.children[0].children`."""
    query = Dropdown(
        options=list(zip(bench.names, bench.queries, strict=True)),
        description="Dialogue",
        style=FULL_LABEL,
        layout=WIDE,
    )
    instruction = widgets.Text(INSTRUCTION, description="Instruction", style=FULL_LABEL, layout=WIDE)
    shots = Dropdown(options=range(len(bench.examples) + 1), description="Shots (examples)", style=FULL_LABEL)
    template = Dropdown(options=list(bench.templates), description="Template", style=FULL_LABEL)
    ask = widgets.Button(description="Ask the model", button_style="primary")
    prompt_view = widgets.HTML(layout=widgets.Layout(height="300px", overflow="auto", border="1px solid #888888"))
    budget_view, answer_view = widgets.HTML(), widgets.HTML(layout=widgets.Layout(min_height="90px"))

    def current() -> str:
        return bench.prompt(query.value, instruction.value, shots.value, template.value)

    def redraw(_change: object = None) -> None:
        with told_in(answer_view):
            prompt = current()
            prompt_view.value, budget_view.value = _preformatted(prompt), paragraph(_budget_line(bench, prompt))
            answer_view.value = paragraph("Press the button to see the completion.")

    def asked(_button: object) -> None:
        answer_view.value = paragraph("The model is answering ...")
        with told_in(answer_view):
            completion, score = bench.answer(current(), query.value)
            answer_view.value = paragraph(
                f"Completion: {completion}\nReference:  {query.value.output_text}\nROUGE-1:    {score:.2f}"
            )

    for control in (query, instruction, shots, template):
        control.observe(redraw, names="value")
    ask.on_click(asked)
    redraw()
    view = widgets.VBox(
        [widgets.VBox([query, instruction, shots, template]), prompt_view, budget_view, ask, answer_view]
    )
    summary = (
        f"{_preformatted(current())}<p>{html.escape(_budget_line(bench, current()))} Run this cell to change it.</p>"
    )
    show(view, summary=summary, text=f"A prompt workbench. {_budget_line(bench, current())}")
    return view


def _preformatted(prompt: str) -> str:
    return f'<pre style="white-space: pre-wrap; line-height: 1.35; padding: 6px">{html.escape(prompt)}</pre>'


def _budget_line(bench: Bench, prompt: str) -> str:
    budget = bench.budget(prompt)
    return (
        f"{budget.prompt} tokens of prompt and at most {budget.completion} of completion, "
        f"out of a context window of {budget.window}."
    )
