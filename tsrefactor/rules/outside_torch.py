"""outside-torch."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.types import TENSOR
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, shortened

_LIBRARIES = ("numpy", "cv2", "scipy", "skimage", "sklearn", "PIL")
_IN_TORCH = {
    "cv2.resize": "torch.nn.functional.interpolate", "cv2.remap": "torch.nn.functional.grid_sample",
    "cv2.warpAffine": "torch.nn.functional.grid_sample", "cv2.warpPerspective": "torch.nn.functional.grid_sample",
    "cv2.filter2D": "torch.nn.functional.conv2d", "cv2.GaussianBlur": "torch.nn.functional.conv2d",
    "cv2.blur": "torch.nn.functional.avg_pool2d", "cv2.Sobel": "torch.nn.functional.conv2d",
    "cv2.dilate": "torch.nn.functional.max_pool2d", "cv2.erode": "torch.nn.functional.max_pool2d of the negative",
    "cv2.copyMakeBorder": "torch.nn.functional.pad", "cv2.flip": "torch.flip", "cv2.rotate": "torch.rot90",
    "cv2.threshold": "torch.where", "cv2.normalize": "torch.nn.functional.normalize",
}  # fmt: skip
"""What comes near a function of OpenCV; not to the last bit, so that it is for the author to decide."""


class OutsideTorch(Rule):
    """Tell where a tensor's data leaves the trace for numpy, OpenCV or another library.

    A trace records operations of torch. What another library computes from a tensor's data is computed when the trace
    is made, and stands in it as a constant: the result for the example, whatever the input. The tracer warns of
    `x.numpy()`, and not of what is done with the array. The finding names the function of torch that comes near, where
    there is one; no rule writes it, since borders, rounding and dtypes differ.

    Left alone: calls that are given no tensor (see numpy-call and numpy-tensor for those that are given sizes).

    Source: "Converting a tensor to a NumPy array might cause the trace to be incorrect", torch/_tensor.py.
    """

    name = "outside-torch"
    targets = frozenset({Target.TRACE})
    examples = [
        Example(
            """\
import numpy as np
import torch


class Model(torch.nn.Module):
    def forward(self, x):
        median = np.median(x.detach().numpy())
        return x - float(median)
""",
            None,
            "[(torch.rand(2, 4),), (torch.rand(3, 4),)]",
            Target.TRACE,
            "baked",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions(".numpy(", *_LIBRARIES):
            return
        for function in file.functions:
            if function.dependence.is_compiled:
                continue
            told: set[ast.AST] = set()
            for call in function.of(ast.Call):
                origin = file.origin(call.func)
                if call in told or not _takes_data(function, call, origin):
                    continue
                told.update(walk(call))
                near = _IN_TORCH.get(origin)
                advice = f"`{near}` comes near it" if near else "compute it with operations of torch"
                yield self.finding(call, f"a trace keeps the example's `{shortened(call)}`; {advice}")


def _takes_data(function: Function, call: ast.Call, origin: str) -> bool:
    """Whether a call gives the data of a tensor to another library."""
    func = call.func
    if (
        isinstance(func, ast.Attribute)
        and func.attr == "numpy"
        and function.type_of(func.value, presume=True) == TENSOR
    ):
        return True
    if origin.partition(".")[0] not in _LIBRARIES:
        return False
    return origin.startswith("cv2.") or any(function.type_of(a) == TENSOR for a in call.args)
