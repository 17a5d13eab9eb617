"""Other inputs like the example: other values, other sizes. Eager decides which of them count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import zip_longest

import torch

from ..cases import Inputs
from .values import replaced, walk

LARGEST = 1 << 25  # numbers in one tensor; beyond that a variation costs more than it tells

Change = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Variation:
    """The example with something changed; ``label`` says what: `example with dim 0 of argument 1 from 2 to 3`."""

    label: str
    inputs: Inputs
    resized: bool = False


@dataclass(frozen=True)
class Argument:
    name: str
    tensor: torch.Tensor


def arguments_of(example: Inputs) -> list[Argument]:
    """The example's plain strided tensors, each once, by the name a user knows: `argument 2[0]`, `argument mask`."""
    found: dict[int, Argument] = {}
    named = [(f"argument {i}", a) for i, a in enumerate(example.args, 1)]
    for name, value in [*named, *((f"argument {k}", v) for k, v in example.kwargs.items())]:
        for leaf in walk(value):
            t = leaf.value
            if isinstance(t, torch.Tensor) and t.layout is torch.strided and not t.is_quantized and not t.is_meta:
                found.setdefault(id(t), Argument(name + leaf.path, t))
    return list(found.values())


def size_of(inputs: Inputs) -> int:
    """How many numbers its tensors hold: what a run costs grows with it."""
    return sum(a.tensor.numel() for a in arguments_of(inputs))


def variations(example: Inputs) -> list[list[Variation]]:
    """Groups of variations, values and sizes in turn; of a group the first that eager accepts is enough.

    Values: floating tensors fresh in [0, 1), fresh and normal, negated, ten times as large, zero; integers permuted and
    drawn anew between their least and greatest; booleans flipped. Sizes: every dim that has content, alone; dim 0 of
    all tensors; their last two dims doubled; equal last dims, equal last but one, and all dims of one size together.
    """
    arguments = arguments_of(example)
    values = [[v] for v in _values(example, arguments)]
    sizes = [_growths(example, dims) for dims in together(arguments)]
    sizes[1:1] = [_doubled(example, arguments)]
    sizes += [_growths(example, dims) for dims in alone(arguments)]
    return [group for pair in zip_longest(values, sizes) for group in pair if group]


def _values(example: Inputs, arguments: list[Argument]) -> list[Variation]:
    generator = torch.Generator().manual_seed(7)

    def rand(t: torch.Tensor) -> torch.Tensor:
        return torch.rand(t.shape, generator=generator).to(t.dtype)

    def randn(t: torch.Tensor) -> torch.Tensor:
        return torch.randn(t.shape, generator=generator).to(t.dtype)

    def permuted(t: torch.Tensor) -> torch.Tensor:
        return t.reshape(-1)[torch.randperm(t.numel(), generator=generator)].reshape(t.shape)

    def redrawn(t: torch.Tensor) -> torch.Tensor:
        low, high = int(t.min()), int(t.max())
        return torch.randint(low, high + 1, t.shape, generator=generator).to(t.dtype)

    def floating(t: torch.Tensor) -> bool:
        return t.is_floating_point() or t.is_complex()

    def integer(t: torch.Tensor) -> bool:
        return not floating(t) and t.dtype is not torch.bool and t.numel() > 1

    kinds: list[tuple[str, Callable[[torch.Tensor], bool], Change]] = [
        ("with fresh values", floating, rand),
        ("with fresh normal values", floating, randn),
        ("negated", floating, torch.neg),
        ("scaled by 10", floating, lambda t: t * 10),
        ("with zeros", floating, torch.zeros_like),
        ("with integers permuted", integer, permuted),
        ("with other integers", integer, redrawn),
        ("with booleans flipped", lambda t: t.dtype is torch.bool, torch.logical_not),
    ]
    found = []
    for label, applies, change in kinds:
        changed = {id(a.tensor): change(a.tensor.detach()) for a in arguments if applies(a.tensor)}
        if any(not torch.equal(a.tensor, changed[id(a.tensor)]) for a in arguments if id(a.tensor) in changed):
            found.append(Variation(f"example {label}", with_tensors(example, changed)))
    return found


def with_tensors(example: Inputs, changed: dict[int, torch.Tensor]) -> Inputs:
    def change(t: torch.Tensor) -> torch.Tensor:
        return changed.get(id(t), t).detach().clone().requires_grad_(t.requires_grad)

    return replaced(example, change)


def _resized(t: torch.Tensor, sizes: dict[int, int]) -> torch.Tensor:
    """``t`` with dims grown to new sizes; its content starts over where it ends."""
    for dim, size in sizes.items():
        t = t.index_select(dim, torch.arange(size) % t.shape[dim])
    return t


def resizing(label: str, example: Inputs, plan: dict[int, dict[int, int]], tensors: dict[int, torch.Tensor]):
    """The variation that gives the dims of tensors (by id) in ``plan`` new sizes; None where it would be too large."""
    changed = {}
    for key, sizes in plan.items():
        numel = tensors[key].numel()
        for dim, size in sizes.items():
            numel = numel // tensors[key].shape[dim] * size
        if numel > LARGEST:
            return None
        changed[key] = _resized(tensors[key].detach(), sizes)
    return Variation(f"example {label}", with_tensors(example, changed), resized=True)


Dims = tuple[str, list[tuple[Argument, int]]]
"""Dims that change together, with a name for them."""


def resized(example: Inputs, dims: Dims, resize: Callable[[int], int]) -> Variation | None:
    """The variation with ``resize`` of each of the dims; None where that changes none, or would be too large."""
    label, places = dims
    plan: dict[int, dict[int, int]] = {}
    for argument, dim in places:
        plan.setdefault(id(argument.tensor), {})[dim] = resize(argument.tensor.shape[dim])
    sizes = sorted({(old, new) for a, d in places if (new := resize(old := a.tensor.shape[d])) != old})
    if not sizes:
        return None
    change = ", ".join(f"from {old} to {new}" for old, new in sizes)
    return resizing(f"with {label} {change}", example, plan, {id(a.tensor): a.tensor for a, _ in places})


def _growths(example: Inputs, dims: Dims) -> list[Variation]:
    """The dims one longer; failing that (a stride, a head count that must divide), twice as long."""
    found: list[Variation] = []
    for grow in (lambda n: n + 1, lambda n: 2 * n):
        variation = resized(example, dims, grow)
        if variation is not None and all(variation.label != v.label for v in found):
            found.append(variation)
    return found


def _doubled(example: Inputs, arguments: list[Argument]) -> list[Variation]:
    images = [a for a in arguments if a.tensor.dim() >= 3 and a.tensor.numel()]
    plan = {id(a.tensor): {d % a.tensor.dim(): 2 * a.tensor.shape[d] for d in (-1, -2)} for a in images}
    tensors = {id(a.tensor): a.tensor for a in images}
    doubled = resizing("with the last two dims doubled", example, plan, tensors) if images else None
    return [doubled] if doubled else []


def together(arguments: list[Argument]) -> list[Dims]:
    """Dims of several tensors, or several dims of one, that may have to change together."""
    found: list[Dims] = []
    seen = set()

    def add(label: str, dims: list[tuple[Argument, int]]) -> None:
        dims = [(a, d % a.tensor.dim()) for a, d in dims if a.tensor.shape[d] > 0]
        key = frozenset((id(a.tensor), d) for a, d in dims)
        if len(dims) > 1 and key not in seen:
            seen.add(key)
            found.append((label, dims))

    add("dim 0 of all arguments", [(a, 0) for a in arguments if a.tensor.dim()])
    for back in (-1, -2):
        for size in sorted({a.tensor.shape[back] for a in arguments if a.tensor.dim() >= 2}):
            dims = [(a, back) for a in arguments if a.tensor.dim() >= 2 and a.tensor.shape[back] == size]
            add(f"dim {back} of {_names(dims, arguments)}", dims)
    for size in sorted({n for a in arguments for n in a.tensor.shape}):
        add("every dim of that size", [(a, d) for a in arguments for d, n in enumerate(a.tensor.shape) if n == size])
    return found


def _names(dims: list[tuple[Argument, int]], arguments: list[Argument]) -> str:
    return "all arguments" if len(dims) == len(arguments) else ", ".join(a.name for a, _ in dims)


def alone(arguments: list[Argument]) -> list[Dims]:
    """Every dim of every tensor that holds something."""
    return [
        (f"dim {dim} of {a.name}", [(a, dim)]) for a in arguments for dim in range(a.tensor.dim()) if a.tensor.numel()
    ]
