"""A registered adapter in the form that other servers and libraries read."""

import json
import shutil
from pathlib import Path

from utils.adapters.methods import PEFT_CONFIG, PEFT_WEIGHTS
from utils.arguments import text
from utils.errors import RegistryError
from utils.registry.versions import fetch
from utils.storage.files import disk_errors_explained, written_whole

MORE_THAN_LORA = ("use_dora", "lora_bias", "modules_to_save", "rank_pattern", "alpha_pattern", "layer_replication")
"""Settings of PEFT's LoRA that not every server knows; vLLM's `PEFTHelper` has the list of its own."""


def export_peft(reference: str, folder: str | Path) -> Path:
    """Write a version's LoRA as PEFT has it, into a new folder, and return that: a configuration and safetensors.

    vLLM takes it with `--enable-lora --lora-modules name=folder`, and `--max-lora-rank` where the rank is above 16;
    peft loads it on the base that the configuration names. Raises RegistryError for an adapter of another kind or a
    folder that holds something, DiskFull, CacheUnusable.
    """
    folder = Path(text(folder, "the folder")).expanduser()
    version, manifest = fetch(reference)
    file = version.folder / PEFT_CONFIG
    config = json.loads(file.read_text(encoding="utf8")) if file.exists() else {}
    if config.get("peft_type") != "LORA" or any(config.get(name) for name in MORE_THAN_LORA):
        raise RegistryError(
            f"{version.reference} was tuned with {manifest['method']!r}, and other servers take plain LoRA adapters "
            f"only: serve it with python -m utils.serving --adapter {version.reference}"
        )
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise RegistryError(f"{folder} is there already: give the path of a new folder.")
    with disk_errors_explained(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(folder) as new:
            new.mkdir()
            shutil.copyfile(version.folder / PEFT_WEIGHTS, new / PEFT_WEIGHTS)
            named = config | {"base_model_name_or_path": manifest["base"]}
            (new / PEFT_CONFIG).write_text(json.dumps(named, indent=2), encoding="utf8")
    return folder
