"""The page Tune: data, a method and its settings; what to know before; the job, and what comes of it."""

from collections.abc import Generator
from typing import Any

import ipywidgets as widgets

from utils.arguments import number, whole_number
from utils.datasets.records import TextToText
from utils.errors import DataError
from utils.models.endpoints import is_address
from utils.models.language_model import LanguageModel
from utils.studio.data_field_page import DataField
from utils.studio.jobs_page import Jobs
from utils.studio.kept_page import Kept
from utils.studio.method_page import MethodFields
from utils.studio.models import REGISTERED
from utils.studio.studio import Studio
from utils.studio.tuning_plan import Checked, Plan, Validation
from utils.training.masking import loss_mask
from utils.tuning.job import EPOCHS
from utils.tuning.states import Status
from utils.widgets.choice import Choice
from utils.widgets.code_box import CodeBox
from utils.widgets.picture import Picture
from utils.widgets.slider import NARROW, NumberBox, Slider, seed_box, switch
from utils.widgets.turns import Turns, in_thread
from utils.widgets.view import FULL_LABEL, WIDE, alert, beside, button, paragraph, row, scrolling
from utils.widgets.waiting import waiting

JOBS, REPORT = "the jobs", "the data's report"
SHARE, FILE, NONE = "a share of the data", "a file of its own", "none"
VALIDATION: dict[str, Validation] = {SHARE: "share", FILE: "file", NONE: "none"}
PERCENT = (5, 10, 15, 20, 25, 30, 40, 50)
MULTIPLIERS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
NARROWEST = 430
NO_COMMAND = "# Press Start: the command that starts the same job stands here."
GOES_ON = "The job runs in a process of its own: it goes on when this page is closed."
KNOWN = "This job has succeeded before, with these data and settings: nothing is trained again."


class TunePage:
    """Fields on the left; on the right what is known of them, and the jobs."""

    name = "Tune"

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.checked: tuple[Checked, LanguageModel] | None = None
        self.job_name = _text("Name", "of the job, and of the model in the registry")
        self.data, self.own = DataField("Training data"), DataField("Validation data")
        self.validation = switch("Validation", tuple(VALIDATION), SHARE)
        self.share = Slider("Share for validation", 20, PERCENT, _percent, hint="% of the records", whole=True)
        self.seed = seed_box(0, name="of the share")
        self.method = MethodFields()
        self.epochs = NumberBox("Epochs", EPOCHS, _one_or_more, layout=NARROW)
        self.multiplier = Slider("Learning-rate multiplier", 1.0, MULTIPLIERS, _above_0, hint="of the method's own")
        self.model = Choice("Base model", [("The course's model", "")])
        self.check_button = button("Check", tooltip="Read the data, and say what to know before the job starts")
        self.start_button = button("Start", button_style="primary")
        self.message = widgets.HTML(layout=widgets.Layout(min_height="40px"))
        self.report = Picture(paragraph("Press Check: what the linter finds in the data stands here."))
        self.record = NumberBox("Record", 1, _one_or_more, layout=NARROW)
        self.mask = Picture()
        self.command = CodeBox(code=NO_COMMAND, label="The command that starts the same job")
        self.jobs = Jobs(studio.design)
        self.turns = Turns(self.message)
        self.known = widgets.VBox([self.report, self.record, self.mask])
        self.beside = switch("Shown", (JOBS, REPORT), JOBS)
        self.view = self._view()
        self.kept = Kept(studio.workspace, self.name, self._fields, self.message)
        self._fold()
        self._observe()

    @property
    def plan(self) -> Plan:
        """The job as the fields have it."""
        return Plan(
            self.job_name.value.strip(),
            self.data.address.value,
            VALIDATION[self.validation.value],
            share=self.share.value / 100,
            split_seed=self.seed.value,
            validation_file=self.own.address.value,
            method=self.method.method.value,
            adapter_size=self.method.adapter_size,
            epochs=self.epochs.value,
            multiplier=self.multiplier.value,
            model=self.model.value or "",
        )

    def shown(self) -> None:
        """Read what jobs and which models there are."""
        self.jobs.refresh()
        Turns(self.message).start(self._offer_models)

    def check(self) -> None:
        """Say what to know before the job starts."""
        self.turns.start(self._check)

    def start(self) -> None:
        """Start the job, unless its data cannot be trained on."""
        self.turns.start(self._start)

    @property
    def _fields(self) -> dict[str, Any]:
        return {
            "name": self.job_name,
            "data": self.data.address,
            "validation": self.validation,
            "share": self.share,
            "seed": self.seed,
            "validation data": self.own.address,
            "class": self.method.family,
            "method": self.method.method,
            "size": self.method.size,
            "epochs": self.epochs,
            "multiplier": self.multiplier,
            "model": self.model,
        }

    def _view(self) -> widgets.Widget:
        self.split = widgets.VBox([self.share, self.seed])
        settings = widgets.VBox(
            [
                self.job_name,
                self.data.view,
                self.validation,
                self.split,
                self.own.view,
                self.model,
                self.method.view,
                self.epochs,
                self.multiplier,
                row(self.check_button, self.start_button),
                self.message,
                self.command,
            ]
        )
        return beside(settings, widgets.VBox([self.beside, self.known, self.jobs.view]), least=NARROWEST)

    def _observe(self) -> None:
        self.check_button.on_click(lambda _button: self.check())
        self.start_button.on_click(lambda _button: self.start())
        for choice in (self.validation, self.beside):
            choice.observe(lambda _change: self._fold(), names="value")
        self.record.when_moved(lambda: self.turns.start(self._mask))
        for field in (self.data.address, self.validation, self.share, self.seed, self.own.address):
            field.observe(lambda _change: self.turns.start(self._read), names="value")

    def _fold(self) -> None:
        """Show the fields of the validation that is chosen, and the report or the jobs."""
        self.known.layout.display = "" if self.beside.value == REPORT else "none"
        self.jobs.view.layout.display = "" if self.beside.value == JOBS else "none"
        self.split.layout.display = "" if self.validation.value == SHARE else "none"
        self.own.view.layout.display = "" if self.validation.value == FILE else "none"

    def _offer_models(self) -> Generator[None]:
        choices = yield from in_thread(self.studio.models.choices)
        bases = [(label, name) for label, name in choices if not name.startswith(REGISTERED) and not is_address(name)]
        self.model.offer(bases)

    def _read(self) -> Generator[None]:
        """Say at once what is wrong with the data, or how many records there are."""
        plan = self.plan
        if not plan.train.strip() or (plan.validation == "file" and not plan.validation_file.strip()):
            self.message.value = ""
            return
        train, validation = yield from waiting(self.message, "Reading the data", plan.records)
        self.message.value = paragraph(f"{len(train):,} records to train on, {len(validation):,} to validate with.")

    def _check(self) -> Generator[None]:
        plan = self.plan
        yield from waiting(self.message, "Reading the data", plan.records)
        model = yield from waiting(self.message, "Loading the model", lambda: self.studio.models.load(plan.model))
        checked = yield from waiting(
            self.message, "Reading the records in tokens and trying two steps", lambda: plan.checked(model)
        )
        self.checked = checked, model
        self.report.value = scrolling(checked.report._repr_html_(), "What the linter found")
        self.beside.value = REPORT
        yield from self._mask()
        if checked.cost is None:
            self.message.value = alert("The data cannot be trained on before the errors in the report are mended.")
        else:
            self.message.value = paragraph(f"Tuning with {_method(plan)} (epochs: {plan.epochs}) takes {checked.cost}.")

    def _mask(self) -> Generator[None]:
        if self.checked is None:
            return
        checked, model = self.checked
        record = _numbered(checked.train, self.record.value)
        mask = yield from in_thread(lambda: loss_mask(model, record))
        self.mask.value = mask._repr_html_()

    def _start(self) -> Generator[None]:
        plan = self.plan
        if self.checked is None or self.checked[0].plan != plan:
            yield from self._check()
        assert self.checked
        if self.checked[0].report.refused:
            raise DataError("The job was not started: mend the errors in the report first.")
        job, command = yield from in_thread(plan.job)
        self.command.code = command
        yield from waiting(self.message, "Starting the job", lambda: job.start(quiet=True))
        known = job.status is Status.SUCCEEDED
        self.message.value = paragraph(KNOWN if known else GOES_ON)
        self.beside.value = JOBS
        self.jobs.started(job)


def _numbered(records: list[TextToText], n: int) -> TextToText:
    if n > len(records):
        raise DataError(f"There are {len(records):,} records to train on: take one of them.")
    return records[n - 1]


def _method(plan: Plan) -> str:
    return plan.method if plan.adapter_size is None else f"{plan.method} {plan.adapter_size}"


def _text(label: str, placeholder: str) -> widgets.Text:
    return widgets.Text(
        description=label, placeholder=placeholder, continuous_update=False, style=FULL_LABEL, layout=WIDE
    )


def _percent(value: Any) -> int:
    return whole_number(value, "the share for validation is a whole number from 1 to 90 (%)", least=1, most=90)


def _one_or_more(value: Any) -> int:
    return whole_number(value, "this is a whole number, 1 or more", least=1)


def _above_0(value: Any) -> float:
    return number(value, "the learning-rate multiplier is a number above 0", least=0, above=True)
