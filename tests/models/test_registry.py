"""Weights are whole, or refused with a sentence."""

import json
import shutil
from pathlib import Path

import pytest

from models.inference import Classifier
from models.registry import FOLDER, MANIFEST, WeightsError, newest, open_weights


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    folder = tmp_path / newest().name
    shutil.copytree(newest(), folder)
    return folder


def test_the_shipped_weights_are_whole_and_have_a_card() -> None:
    assert open_weights().folder.parent == FOLDER
    assert (newest() / "card.md").read_text().startswith(f"# {open_weights().version}")


def test_shipped_versions_stay_small_and_hold_nothing_pickled() -> None:
    for version in FOLDER.iterdir():
        files = list(version.iterdir())
        assert sum(file.stat().st_size for file in files) < 75e6
        assert {file.suffix for file in files} <= {".xml", ".bin", ".safetensors", ".json", ".md"}


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
