"""Inputs made to prove a trace wrong: extreme ones, and ones that aim at branches that no run has taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch

from ..cases import Inputs
from .variations import Argument, Change, Variation, alone, arguments_of, resized, together, with_tensors

HUGE = 1e6


def extremes(example: Inputs) -> Iterator[Variation]:
    """Floating tensors of ones, huge and NaN, integers at their least and greatest; dims more than twice as long, with
    the values in another order (what a loop leaves out may be equal to what it takes); dims of size 1 and 0."""
    arguments = arguments_of(example)
    yield from _changed(example, arguments, "with ones", _floating, torch.ones_like)
    yield from _changed(example, arguments, f"scaled by {HUGE:.0e}", _floating, lambda t: t * HUGE)
    yield from _changed(example, arguments, "with NaN", _floating, lambda t: torch.full_like(t, float("nan")))
    for name, least in (("least", True), ("greatest", False)):
        bound = _bound(least)
        yield from _changed(example, arguments, f"with its {name} integers", _integer, bound)
    generator = torch.Generator().manual_seed(5)
    places = [*together(arguments), *alone(arguments)]
    for dims in places:
        longer = resized(example, dims, lambda n: 2 * n + 1)
        if longer is not None:
            yield _shuffled(longer, generator)
    for size in (1, 0):
        for dims in places:
            variation = resized(example, dims, lambda n, size=size: size)  # type: ignore[misc]
            if variation is not None:
                yield variation


def aimed(example: Inputs, numbers: Sequence[float]) -> Iterator[Variation]:
    """Inputs of many kinds, those around the ``numbers`` that conditions compare with first."""
    arguments = arguments_of(example)
    generator = torch.Generator().manual_seed(11)
    for number in [*numbers, *(n for n in (0.0, 1.0) if n not in numbers)]:
        step = abs(number) / 2 or 0.5
        for value in (number + step, number - step, number):
            yield from _changed(example, arguments, f"filled with {value:g}", _floating, _filling(value))
    for number in sorted({int(n) for n in numbers if n == int(n) and 0 <= n <= 4096}):
        for size in (number + 1, number, number - 1):
            for dims in [*together(arguments), *alone(arguments)] if size > 0 else []:
                variation = resized(example, dims, lambda n, size=size: size)  # type: ignore[misc]
                if variation is not None:
                    yield variation

    def normal(scale: float) -> Change:
        return lambda t: (torch.randn(t.shape, generator=generator) * scale).to(t.dtype)

    shapes: list[tuple[str, Change]] = [
        ("with small normal values", normal(0.01)),
        ("with large normal values", normal(100.0)),
        ("with negative values", lambda t: -normal(3.0)(t).abs()),
        ("with positive values", lambda t: normal(3.0)(t).abs()),
        ("with rising values", lambda t: t.reshape(-1).sort().values.reshape(t.shape)),
        ("with falling values", lambda t: t.reshape(-1).sort(descending=True).values.reshape(t.shape)),
        ("with one large value", _spike),
        ("with half of it zero", lambda t: t * (torch.rand(t.shape, generator=generator) < 0.5)),
        ("with very small normal values", normal(1e-6)),
    ]
    for label, change in shapes:
        yield from _changed(example, arguments, label, _floating, change)
    yield from _surely_right(example, arguments)
    for factor in (3, 4, 7):
        for dims in [*together(arguments), *alone(arguments)]:
            variation = resized(example, dims, lambda n, factor=factor: n * factor)  # type: ignore[misc]
            if variation is not None:
                yield variation


def _changed(
    example: Inputs, arguments: list[Argument], label: str, applies: Callable[[torch.Tensor], bool], change: Change
) -> Iterator[Variation]:
    """The example with all tensors changed to which that applies; none where it makes no difference."""
    changed = {id(a.tensor): change(a.tensor.detach()) for a in arguments if applies(a.tensor)}
    if any(not torch.equal(a.tensor, changed[id(a.tensor)]) for a in arguments if id(a.tensor) in changed):
        yield Variation(f"example {label}", with_tensors(example, changed))


def _shuffled(variation: Variation, generator: torch.Generator) -> Variation:
    """The variation with the values of each floating tensor in another order."""
    floating = [a.tensor for a in arguments_of(variation.inputs) if _floating(a.tensor)]
    orders = {id(t): torch.randperm(t.numel(), generator=generator) for t in floating}
    changed = {id(t): t.detach().reshape(-1)[orders[id(t)]].reshape(t.shape) for t in floating}
    return replace(variation, label=f"{variation.label}, shuffled", inputs=with_tensors(variation.inputs, changed))


def _surely_right(example: Inputs, arguments: list[Argument]) -> Iterator[Variation]:
    """Scores far above all others for the class that all labels name: a loss that is next to nothing."""
    changed = {}
    for tensor in (a.tensor for a in arguments):
        if _integer(tensor):
            changed[id(tensor)] = torch.zeros_like(tensor)
        elif _floating(tensor) and tensor.dim() > 1 and tensor.numel():
            changed[id(tensor)] = torch.zeros_like(tensor).index_fill(1, torch.tensor([0]), 100.0)
    if any(map(_integer, (a.tensor for a in arguments))):
        yield Variation("example with the scores of class 0 far above", with_tensors(example, changed))


def _floating(t: torch.Tensor) -> bool:
    return t.is_floating_point()


def _integer(t: torch.Tensor) -> bool:
    return not t.is_floating_point() and not t.is_complex() and t.dtype is not torch.bool and t.numel() > 1


def _bound(least: bool) -> Change:
    return lambda t: torch.full_like(t, int(t.min() if least else t.max()))


def _filling(value: float) -> Change:
    return lambda t: torch.full_like(t, value)


def _spike(t: torch.Tensor) -> torch.Tensor:
    spiked = torch.zeros_like(t)
    spiked.reshape(-1)[:1] = 100.0
    return spiked
