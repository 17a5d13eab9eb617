"""Nested values as leaves: copied, compared within tolerance, digested bit for bit."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
from collections.abc import Callable, Container, Iterator, Mapping
from enum import Enum
from typing import Any

import torch

from ..cases import Inputs

TOLERANCE = 1e-4
PLAIN = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device, Enum)


@dataclasses.dataclass(frozen=True)
class Leaf:
    """One tensor or other value of a nested output; ``path`` is where it is, as one would write it: ``[0]['mask']``."""

    path: str
    value: Any

    @property
    def comparable(self) -> bool:
        """Whether its value says something; ``None`` and custom objects have only their type."""
        return self.value is not None and (isinstance(self.value, torch.Tensor) or is_plain(self.value))


def is_plain(value: Any) -> bool:
    return isinstance(value, PLAIN) or type(value).__module__ == "numpy"


def walk(value: Any, path: str = "") -> Iterator[Leaf]:
    """The leaves of lists, tuples (named ones by position), mappings, dataclasses and nested tensors, in order."""
    if isinstance(value, torch.Tensor) and value.is_nested:
        value = value.unbind()
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from walk(item, f"{path}[{key!r}]")
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            yield from walk(item, f"{path}[{i}]")
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from walk(getattr(value, field.name, None), f"{path}.{field.name}")
    else:
        yield Leaf(path, value)


def holds_mapping(value: Any) -> bool:
    """Whether a mapping is among the nested containers of ``value``."""
    return isinstance(value, Mapping) or (isinstance(value, (list, tuple)) and any(map(holds_mapping, value)))


def leaves(value: Any) -> list[Leaf]:
    """The leaves of ``value``, tensors detached and cloned: what later calls do to a buffer does not reach them."""
    return [
        Leaf(leaf.path, leaf.value.detach().clone()) if isinstance(leaf.value, torch.Tensor) else leaf
        for leaf in walk(value)
    ]


def replaced(inputs: Inputs, change: Callable[[torch.Tensor], torch.Tensor]) -> Inputs:
    """A deep copy of ``inputs`` with every tensor passed through ``change`` once, so that aliases stay aliases."""
    memo: dict[int, Any] = {}
    for leaf in walk([inputs.args, inputs.kwargs]):
        if isinstance(leaf.value, torch.Tensor) and id(leaf.value) not in memo:
            memo[id(leaf.value)] = change(leaf.value)
    args, kwargs = copy.deepcopy((inputs.args, inputs.kwargs), memo)
    return Inputs(*args, **kwargs)


def copied(inputs: Inputs) -> Inputs:
    """A copy that a call may do anything to: tensors cloned, out of any graph, `requires_grad` kept."""
    return replaced(inputs, lambda t: t.detach().clone().requires_grad_(t.requires_grad))


def dense(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor as strided, unquantized numbers on the CPU."""
    tensor = tensor.detach()
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    if tensor.layout is not torch.strided:
        tensor = tensor.to_dense()
    return tensor.cpu().resolve_conj().resolve_neg()


def _size(tensor: torch.Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"


def sizes_of(inputs: Inputs) -> str:
    """The sizes of all tensors, as `2x3x8x8, 2`; empty when there is none."""
    return ", ".join(_size(x.value) for x in walk([inputs.args, inputs.kwargs]) if isinstance(x.value, torch.Tensor))


def _name(value: Any) -> str:
    return "a tensor" if isinstance(value, torch.Tensor) else f"{type(value).__name__} {value!r:.40}"


def _tensor_difference(expected: torch.Tensor, got: torch.Tensor, values: bool) -> str | None:
    if expected.dtype != got.dtype:
        return f"dtype is {got.dtype}, eager gives {expected.dtype}"
    if expected.shape != got.shape:
        return f"size is {_size(got)}, eager gives {_size(expected)}"
    if not values or expected.is_meta or got.is_meta:
        return None
    a, b = dense(expected), dense(got)
    if not a.is_complex():
        a, b = a.double(), b.double()
    close = torch.isclose(b, a, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
    if bool(close.all()):
        return None
    worst = float((a - b).abs()[~close].nan_to_num(nan=float("inf")).max())
    return f"{int((~close).sum())} of {close.numel()} numbers differ, by up to {worst:.3g}"


def _plain_equal(expected: Any, got: Any) -> bool:
    if isinstance(expected, bool | int | float) and isinstance(got, bool | int | float):
        if not isinstance(expected, float) and not isinstance(got, float):
            return expected == got
        nan = expected != expected and got != got
        return nan or expected == got or abs(expected - got) <= TOLERANCE * max(1, abs(expected))
    if isinstance(expected, complex) and isinstance(got, complex):
        return bool(abs(expected - got) <= TOLERANCE * max(1, abs(expected)))
    if type(expected).__module__ == "numpy":
        return type(expected) is type(got) and _bytes(expected) == _bytes(got)
    return bool(expected == got)


def difference(
    expected: list[Leaf], got: list[Leaf], values: bool = True, varying: Container[str] = (), what: str = "output"
) -> str | None:
    """The first thing in which ``got`` is not what eager gave, or None. ``what``: what they are of.

    Tensors agree in dtype and shape, and within rtol = atol = 1e-4 (NaN equals NaN); other values are equal, an int
    and a float by their value; custom objects are of one type. ``values=False`` leaves the numbers out, and so do
    ``varying`` paths.
    """
    theirs = {leaf.path: leaf.value for leaf in got}
    mine = {leaf.path: leaf.value for leaf in expected}
    if mine.keys() != theirs.keys():
        odd = next(p for p in [*mine, *theirs] if (p in mine) != (p in theirs))
        return f"another structure: {what}{odd} is only in {'eager' if odd in mine else 'the result'}"
    for path, value in mine.items():
        other, told = theirs[path], values and path not in varying
        if isinstance(value, torch.Tensor) and isinstance(other, torch.Tensor):
            found = _tensor_difference(value, other, told)
        elif is_plain(value) and not isinstance(other, torch.Tensor):
            same = _plain_equal(value, other) if told else type(value) is type(other) or _numbers(value, other)
            found = None if same else f"is {_name(other)}, eager gives {_name(value)}"
        else:
            found = None if type(value) is type(other) else f"is {_name(other)}, eager gives {_name(value)}"
        if found:
            return f"{what}{path}: {found}"
    return None


def _numbers(a: Any, b: Any) -> bool:
    return isinstance(a, int | float) and isinstance(b, int | float)


def _bytes(value: Any) -> bytes:
    if not isinstance(value, torch.Tensor):
        if type(value).__module__ == "numpy":
            return f"{value.dtype}{value.shape}".encode() + (
                repr(value).encode() if value.dtype.hasobject else value.tobytes()
            )
        return repr(value).encode() if is_plain(value) else b""
    if value.is_meta:
        return b""
    extra = b""
    if value.is_quantized:
        extra = f"{value.qscheme()}".encode() + _scales(value)
        value = value.int_repr()
    flat = dense(value).contiguous().reshape(-1)
    if flat.is_complex():
        flat = torch.view_as_real(flat).reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes() + extra


def _scales(tensor: torch.Tensor) -> bytes:
    if tensor.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric):
        return f"{tensor.q_scale()!r},{tensor.q_zero_point()}".encode()
    return _bytes(tensor.q_per_channel_scales()) + _bytes(tensor.q_per_channel_zero_points())


def digest(values: list[Leaf]) -> str:
    """``structure:bits`` of leaves: paths, types, dtypes, shapes; and every bit of tensors and plain values."""
    structure, bits = hashlib.sha256(), hashlib.sha256()
    for leaf in values:
        value = leaf.value
        kind = (
            f"{value.dtype}{tuple(value.shape)}{value.layout}"
            if isinstance(value, torch.Tensor)
            else type(value).__name__
        )
        structure.update(f"{leaf.path}={kind};".encode())
        content = _bytes(value)
        bits.update(len(content).to_bytes(8, "little") + content)
    return f"{structure.hexdigest()[:16]}:{bits.hexdigest()[:32]}"
