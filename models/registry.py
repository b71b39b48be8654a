"""The registry: versions of weights on disk, each a folder that is whole or is refused."""

import hashlib
import json
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("weights")
MANIFEST = "manifest.json"
# Language → the version that serves it. A second language is one more folder and one more line.
INDEX = "index.json"
LANGUAGE = "en"
# Written about the weights after they were sealed.
UNSEALED = {MANIFEST, "card.md", "figures.json"}
# What a version must hold to serve.
SERVED = {"encoder.xml", "encoder.bin", "heads.safetensors", "tokenizer.json"}


class WeightsError(Exception):
    """The weights cannot be used; the message says which file and what to do."""


@dataclass(frozen=True)
class Weights:
    """A verified version: where its files are, and what its manifest says."""

    folder: Path
    manifest: dict[str, Any]

    @property
    def version(self) -> str:
        version: str = self.manifest["version"]
        return version


def open_weights(folder: Path | None = None, *, needed: AbstractSet[str] = SERVED) -> Weights:
    """A version's folder, every file checked against its sha256; the shipped one by default.

    Raises WeightsError for a missing or altered file, and for one of `needed` that is not sealed.
    """
    folder = folder or default_folder()
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise WeightsError(f"{folder} holds no {MANIFEST}: get the weights again") from error
    except (ValueError, OSError) as error:
        raise WeightsError(f"{folder / MANIFEST} cannot be read: get the weights again") from error
    promises = manifest.get("sha256") if isinstance(manifest, dict) else None
    if not isinstance(promises, dict):
        raise WeightsError(f"{folder / MANIFEST} seals nothing: get the weights again")
    if unsealed := needed - set(promises):
        raise WeightsError(
            f"{folder / MANIFEST} does not seal {min(unsealed)}: get the weights again"
        )
    for name, promised in promises.items():
        path = folder / name
        if not path.is_file():
            raise WeightsError(f"{path} is missing: get the weights again")
        if _sha256(path) != promised:
            raise WeightsError(f"{path} is not the file that was released: get the weights again")
    return Weights(folder=folder, manifest=manifest)


def default_folder(language: str = LANGUAGE) -> Path:
    """The version that was accepted for a language; raises WeightsError where there is none."""
    index = FOLDER / INDEX
    versions = json.loads(index.read_text()) if index.is_file() else {}
    if language not in versions:
        raise WeightsError(f"{index} names no weights for {language!r}: get them again")
    return FOLDER / str(versions[language])


def accept(folder: Path) -> None:
    """Make a version the default of its language; `models.evaluation.gates` says whether it may be."""
    index = folder.parent / INDEX
    versions = json.loads(index.read_text()) if index.is_file() else {}
    versions[open_weights(folder).manifest["language"]] = folder.name
    index.write_text(json.dumps(versions, indent=1) + "\n")


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Seal a folder: the manifest with the sha256 of every other file in it."""
    names = sorted(path.name for path in folder.iterdir() if path.name not in UNSEALED)
    sealed = {**manifest, "sha256": {name: _sha256(folder / name) for name in names}}
    (folder / MANIFEST).write_text(json.dumps(sealed, indent=1) + "\n")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
