"""What a forward may change in an eager module, so that every input meets the module as it was built."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from .values import Leaf, leaves

REGISTRIES = ("_parameters", "_buffers", "_modules")
CONTAINERS = (list, dict, set, OrderedDict, defaultdict)


class ModuleState:
    """A snapshot of a module: attributes of it and its submodules, what their lists, dicts and sets hold, and the
    values of all tensors among these. Taken when made; `restore` puts it back in place, keeping identities."""

    def __init__(self, module: nn.Module):
        self._module = module
        self._attributes = [(m, dict(m.__dict__)) for m in module.modules()]
        self._containers = [
            (name, value, value.copy())
            for _, attributes in self._attributes
            for name, value in attributes.items()
            if type(value) in CONTAINERS
        ]
        tensors = {id(t): t for t in self._tensors()}
        self._values = [(t, t.detach().clone()) for t in tensors.values()]

    def _tensors(self) -> Iterator[torch.Tensor]:
        held = [attributes for _, attributes in self._attributes] + [content for _, _, content in self._containers]
        for content in held:
            for value in content.values() if isinstance(content, dict) else content:
                if isinstance(value, torch.Tensor) and not value.is_meta:
                    yield value

    def changed(self) -> bool:
        """Whether anything of it is another object or value than it was; an equal new object counts as another."""
        return bool(self.rebound()) or any(not torch.equal(tensor, value) for tensor, value in self._values)

    def rebound(self) -> set[str]:
        """The names of attributes that hold another object than they did, or a container with another item."""
        found = {name for m, attributes in self._attributes for name in _other_keys(m.__dict__, attributes)}
        for name, container, content in self._containers:
            if name in REGISTRIES:
                found |= _other_keys(container, content)
            elif not _same_items(container, content):
                found.add(name)
        return found

    def restore(self) -> None:
        for module, attributes in self._attributes:
            module.__dict__.clear()
            module.__dict__.update(attributes)
        for _, container, content in self._containers:
            container.clear()
            container.extend(content) if isinstance(container, list) else container.update(content)
        for tensor, value in self._values:
            if tensor.shape != value.shape or tensor.layout is not torch.strided:
                tensor.data = value.clone()
            elif not torch.equal(tensor, value):
                tensor.detach().copy_(value)

    def buffers(self) -> list[Leaf]:
        """The module's buffers as they are now."""
        return leaves(dict(self._module.named_buffers()))


def _other_keys(now: Mapping[str, Any], then: Mapping[str, Any]) -> set[str]:
    """The keys that one of two dicts lacks, or under which they hold different objects."""
    return {key for key in now.keys() | then.keys() if key not in now or key not in then or now[key] is not then[key]}


def _same_items(now: Any, then: Any) -> bool:
    """Whether two containers of one kind hold the very same objects."""
    if isinstance(then, dict):
        return not _other_keys(now, then)
    return len(now) == len(then) and all(a is b for a, b in zip(now, then, strict=True))


def modes_of(module: Any) -> dict[str, bool]:
    """Submodule name → whether it is in train mode; the module itself is the empty name.

    A submodule registered under two names has both: TorchScript makes a module of its own for each.
    """
    return {name: m.training for name, m in module.named_modules(remove_duplicate=False)}


def set_modes(module: Any, modes: dict[str, bool]) -> None:
    for name, m in module.named_modules():
        if name in modes and m.training != modes[name]:
            m.training = modes[name]
