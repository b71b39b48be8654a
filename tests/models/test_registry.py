"""Weights are whole, or refused with a sentence."""

import json
import shutil
from pathlib import Path

import pytest

from models.evaluation import gates
from models.evaluation.gates import FIGURES, misses
from models.inference import Classifier
from models.registry import (
    FOLDER,
    INDEX,
    MANIFEST,
    WeightsError,
    accept,
    default_folder,
    open_weights,
)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    folder = tmp_path / default_folder().name
    shutil.copytree(default_folder(), folder)
    return folder


def test_the_shipped_weights_are_whole_and_have_a_card() -> None:
    assert open_weights().folder.parent == FOLDER
    assert (default_folder() / "card.md").read_text().startswith(f"# {open_weights().version}")


def test_shipped_versions_stay_small_and_hold_nothing_pickled() -> None:
    for version in (path for path in FOLDER.iterdir() if path.is_dir()):
        files = list(version.iterdir())
        assert sum(file.stat().st_size for file in files) < 75e6
        assert {file.suffix for file in files} <= {".xml", ".bin", ".safetensors", ".json", ".md"}


def test_the_default_passes_every_gate() -> None:
    assert misses(default_folder()) == []


def test_a_version_that_misses_a_gate_cannot_be_accepted(copied: Path) -> None:
    measured = json.loads((copied / FIGURES).read_text())
    measured["figures"][0]["interval"]["value"] = 0.1
    (copied / FIGURES).write_text(json.dumps(measured))
    with pytest.raises(SystemExit):
        gates.main(["--weights", str(copied), "--accept"])
    assert not (copied.parent / INDEX).exists()
    accept(copied)
    assert json.loads((copied.parent / INDEX).read_text()) == {"en": copied.name}


def test_figures_of_other_weights_open_no_gate(copied: Path) -> None:
    assert misses(copied) == []
    measured = json.loads((copied / FIGURES).read_text())
    measured["weights"]["encoder.bin"] = "0" * 64
    (copied / FIGURES).write_text(json.dumps(measured))
    assert len(misses(copied)) == 1


@pytest.mark.parametrize("manifest", ["[]", "{}", '{"sha256": 3}', "no JSON", "\x00"])
def test_a_manifest_that_seals_nothing_is_refused(copied: Path, manifest: str) -> None:
    (copied / MANIFEST).write_text(manifest)
    with pytest.raises(WeightsError, match=MANIFEST):
        open_weights(copied)


@pytest.mark.parametrize("name", ["encoder.bin", "heads.safetensors", "tokenizer.json"])
def test_one_changed_byte_is_noticed(copied: Path, name: str) -> None:
    file = copied / name
    whole = bytearray(file.read_bytes())
    whole[len(whole) // 2] ^= 1
    file.write_bytes(whole)
    with pytest.raises(WeightsError, match=name):
        Classifier.load(copied)


@pytest.mark.parametrize("name", ["encoder.xml", MANIFEST])
def test_a_missing_file_is_named(copied: Path, name: str) -> None:
    (copied / name).unlink()
    with pytest.raises(WeightsError, match=name):
        Classifier.load(copied)


def test_a_manifest_that_leaves_a_file_out_is_refused(copied: Path) -> None:
    manifest = json.loads((copied / MANIFEST).read_text())
    del manifest["sha256"]["heads.safetensors"]
    (copied / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(WeightsError, match=r"heads\.safetensors"):
        Classifier.load(copied)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="nowhere"):
        Classifier.load(tmp_path / "nowhere")
