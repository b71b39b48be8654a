"""Speed: comments a second, the served encoder beside plain torch on the same machine in the same run.

python -m models.evaluation.speed --data ../shared/data
"""

import argparse
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy as np
import torch
from tokenizers import Tokenizer
from torch.nn.utils.rnn import pad_sequence

from models.data.sets import load
from models.encoder import open_encoder, pack
from models.inference import Classifier, Comment
from models.network import encoder_folder, load_encoder
from models.registry import default_folder
from models.text import normalise

ROWS = 1000
ROUNDS = 3
LONGEST = 256


def main(arguments: Sequence[str] | None = None) -> None:
    """Print medians and their ratio to plain torch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--weights", type=Path, default=None)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    asked = parser.parse_args(arguments)
    folder = asked.weights or default_folder()
    torch.set_num_threads(asked.threads)
    texts = comments(asked.data / "train")
    classifier = Classifier.load(folder, threads=asked.threads)
    encoder = open_encoder(folder / "encoder.xml", folder / "tokenizer.json", threads=asked.threads)
    work: dict[str, Callable[[], object]] = {
        "plain torch, the encoder alone": lambda: plain_torch(texts),
        "served, the encoder alone": lambda: encoder.encode([normalise(t) for t in texts]),
        "served, everything": lambda: classifier.predict([Comment(text=t) for t in texts]),
    }
    spent: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(ROUNDS):
        for name, act in work.items():
            began = time.monotonic()
            act()
            spent[name].append(time.monotonic() - began)
    slowest = median(spent["plain torch, the encoder alone"])
    for name, times in spent.items():
        taken = median(times)
        print(f"{name:32} {len(texts) / taken:7.0f} comments/s, {slowest / taken:.1f} times torch")
    single = []
    for text in texts[:200]:
        began = time.monotonic()
        classifier.predict([Comment(text=text)])
        single.append(time.monotonic() - began)
    print(f"one comment alone: median {median(single) * 1000:.1f} ms")
    print(f"memory at its highest: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


def comments(folder: Path) -> list[str]:
    """Comments of many lengths: median 42 tokens, one in ten over 145."""
    rows = [
        e.text for name in ("civil_spans", "jigsaw_wiki") for e in load(folder, name, most=2000)
    ]
    order = np.random.default_rng(0).permutation(len(rows))
    return [rows[i] for i in order[:ROWS]]


def plain_torch(texts: Sequence[str]) -> None:
    """The same encoder in torch, 32-bit, in batches of like length, texts cut at 256 tokens."""
    tokenizer = Tokenizer.from_file(str(encoder_folder() / "tokenizer.json"))
    tokenizer.enable_truncation(LONGEST)
    tokenizer.no_padding()
    tokens = [torch.tensor(e.ids) for e in tokenizer.encode_batch(list(texts))]
    network = load_encoder()
    with torch.inference_mode():
        for batch in pack([len(ids) for ids in tokens]):
            padded = pad_sequence([tokens[i] for i in batch], batch_first=True)
            network(padded, (padded != 0).long())


if __name__ == "__main__":
    main()
