"""Fine-tuning: one encoder learns every task at once, on a CPU or a GPU."""

import json
import time
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from models.data.sets import EMOTIONS, Example
from models.labels import HEADS
from models.network import Network, TokenVectors, load_encoder, restore, resume
from models.registry import FOLDER, open_weights
from models.training import objective
from models.training.batches import Batch, as_batch
from models.training.objective import Weights
from models.training.plan import Compared, Labelled, Placed, Plan, Tuning, Work, make_plan

# Heads that only teach: finer steps of a rating, and neighbouring tasks with many rows.
TEACHING = (
    "insight_1",
    "insight_2",
    "insight_4",
    "evidence",
    "convincing",
    "sharp",
    *(f"emotion_{each}" for each in EMOTIONS),
)
LABELS = (*HEADS, *TEACHING)
TENSORS = "network.safetensors"
# The network in torch as a version carries it: what the served one is held to, and what a GPU would run.
REFERENCE = "reference.safetensors"
LOSSES = "losses.json"
SAID_EVERY = 50
SAVED_EVERY = 200


def tune(folder: Path, run: Path, tuning: Tuning, *, seed: int, fold: int) -> Network:
    """Learn; the network and its losses are saved to the run folder as it goes."""
    torch.manual_seed(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    plan = make_plan(folder, tuning, seed=seed, fold=fold)
    lesson = Lesson(plan, start(tuning.starts_from).to(device).train(), device)
    steps = sum(len(plan.epoch(number)) for number in range(tuning.epochs))
    optimiser, schedule = optimisers(lesson.network, tuning, steps)
    print(f"{steps} steps on {device}", {n: len(r) for n, r in plan.labelled.items()}, flush=True)
    losses: list[float] = []
    kinds: list[str] = []
    began = time.monotonic()
    epochs = (plan.epoch(number) for number in range(tuning.epochs))
    for step, work in enumerate(chain.from_iterable(epochs), start=1):
        with torch.autocast(device.type, torch.bfloat16):
            loss = lesson.loss(work, anchored=step % tuning.anchor_every == 0)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call] # torch declares no types here
        torch.nn.utils.clip_grad_norm_(lesson.network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
        kinds.append(type(work).__name__)
        if step % SAID_EVERY == 0:
            left = (time.monotonic() - began) / step * (steps - step) / 60
            said = _by_kind(kinds[-SAID_EVERY:], losses[-SAID_EVERY:])
            print(f"{step}/{steps} loss {said}, {left:.0f} minutes left", flush=True)
        if step % SAVED_EVERY == 0:
            save(lesson.network, run, losses)
    save(lesson.network, run, losses)
    return lesson.network.cpu().eval()


class Lesson:
    """A network at work on a plan."""

    def __init__(self, plan: Plan, network: Network, device: torch.device) -> None:
        self.plan = plan
        self.network = network
        self.device = device
        self.weights = Weights(**plan.tuning.loss_weights)
        self._released: TokenVectors = load_encoder().to(device)

    def loss(self, work: Work, *, anchored: bool) -> Tensor:
        """What a batch teaches."""
        tuning = self.plan.tuning
        if isinstance(work, Labelled):
            batch = self._batch(work.rows, tuning.longest)
            loss, pooled = objective.labelled(self.network, batch)
            if anchored:
                drift = objective.anchored(pooled, self._released, batch.texts)
                loss = loss + self.weights.anchor * drift
            return loss
        if isinstance(work, Compared):
            better = self._batch(work.better, tuning.longest)
            worse = self._batch(work.worse, tuning.longest)
            ranked = objective.ranked(self.network, work.label, better, worse)
            return self.weights.pairs * ranked
        batch = self._batch(work.rows, tuning.longest_rated)
        asked = objective.placed if isinstance(work, Placed) else objective.rated
        return asked(
            self.network, self.plan.reader, batch, work.rows, self.plan.neighbours, self.weights
        )

    def _batch(self, rows: list[Example], longest: int) -> Batch:
        made = as_batch(self.plan.reader, rows, LABELS, self.plan.tuning.row_weights, longest)
        return made.to(self.device)


def start(version: str | None) -> Network:
    """The network that a run begins with."""
    if version is None:
        return Network(load_encoder(), LABELS)
    before = open_weights(FOLDER / version, needed={REFERENCE})
    return resume(before.folder / REFERENCE, before.manifest["labels"], LABELS)


def optimisers(network: Network, tuning: Tuning, steps: int) -> tuple[AdamW, LambdaLR]:
    """The encoder at its own pace, the new heads faster; up in a line, down in a cosine."""
    encoder = list(network.encoder.parameters())
    known = {id(p) for p in encoder}
    heads = [p for p in network.parameters() if id(p) not in known]
    optimiser = AdamW(
        [
            {"params": encoder, "lr": tuning.encoder_rate, "weight_decay": tuning.weight_decay},
            {"params": heads, "lr": tuning.head_rate, "weight_decay": tuning.weight_decay},
        ]
    )
    rising = max(1, int(steps * tuning.warm_up))

    def share(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        done = (step - rising) / max(1, steps - rising)
        return 0.02 + 0.98 * 0.5 * (1 + float(np.cos(np.pi * done)))

    return optimiser, LambdaLR(optimiser, share)


def save(network: Network, run: Path, losses: list[float]) -> None:
    """The network's tensors and its losses so far into the run folder."""
    run.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.cpu().contiguous() for name, value in network.state_dict().items()}
    save_file(tensors, run / TENSORS)
    means = [round(float(m), 4) for m in _means(losses)]
    (run / LOSSES).write_text(json.dumps({"every": SAID_EVERY, "loss": means}) + "\n")


def load(run: Path) -> Network:
    """The network that a run saved last."""
    return restore(run / TENSORS, LABELS)


def _by_kind(kinds: list[str], losses: list[float]) -> dict[str, float]:
    """The mean loss of each kind of batch."""
    return {
        kind: round(float(np.mean([x for k, x in zip(kinds, losses, strict=True) if k == kind])), 3)
        for kind in sorted(set(kinds))
    }


def _means(losses: list[float]) -> list[float]:
    return [
        float(np.mean(losses[start : start + SAID_EVERY]))
        for start in range(0, len(losses), SAID_EVERY)
    ]
