"""Packs: rules that ship for a kind of site, to be read, loaded and edited; no model, only words and patterns."""

import json
from importlib.resources import files
from typing import Any

from pydantic import BaseModel

from service.errors import NotFound
from service.moderation.rules.book import Book

NAMES = ("health",)


class Pack(BaseModel):
    """Rules for a kind of site, and what they are for."""

    id: str
    title: str
    description: str
    rules: list[dict[str, Any]]

    def to_book(self) -> Book:
        return Book.model_validate({"rules": self.rules})


def get(name: str) -> Pack:
    """A pack by its name; raises NotFound."""
    if name not in NAMES:
        raise NotFound(f"there is no pack {name!r}; there is {', '.join(NAMES)}")
    return Pack.model_validate(json.loads((files(__name__) / f"{name}.json").read_text("utf-8")))


def list_all() -> list[Pack]:
    return [get(name) for name in NAMES]
