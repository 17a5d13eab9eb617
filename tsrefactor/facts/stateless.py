"""Modules without parameters and buffers that do the same in train and eval mode."""

from __future__ import annotations

import ast

from .definitions import Class
from .file import FileFacts
from .registering import registers_nothing
from .registrations import registrations

_STATELESS = frozenset(
    f"torch.nn.{name}"
    for name in (
        "ReLU ReLU6 LeakyReLU ELU SELU CELU GELU SiLU Mish Sigmoid Tanh Softplus Softsign Hardtanh Hardsigmoid"
        " Hardswish LogSigmoid Softmax LogSoftmax Softmax2d Identity Flatten Unflatten GLU Tanhshrink Threshold"
        " MaxPool1d MaxPool2d MaxPool3d AvgPool1d AvgPool2d AvgPool3d AdaptiveAvgPool1d AdaptiveAvgPool2d"
        " AdaptiveAvgPool3d AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d LPPool1d LPPool2d Upsample"
        " UpsamplingNearest2d UpsamplingBilinear2d PixelShuffle PixelUnshuffle ZeroPad2d ReflectionPad1d"
        " ReflectionPad2d ReplicationPad1d ReplicationPad2d ReplicationPad3d ConstantPad1d ConstantPad2d Unfold Fold"
        " L1Loss MSELoss SmoothL1Loss HuberLoss KLDivLoss CosineSimilarity PairwiseDistance ChannelShuffle"
    ).split()
)
_STATE = ("training", "register_buffer", "register_parameter", "parameters", "modules")
_OF_STATE = {"train", "_apply", "state_dict", "_load_from_state_dict", "_save_to_state_dict"}


def is_stateless(file: FileFacts, made: ast.expr) -> bool:
    if not isinstance(made, ast.Call):
        return False
    origin = file.origin(made.func)
    if origin == "torch.nn.Sequential":
        return bool(made.args) and all(is_stateless(file, a) for a in made.args)
    cls = file.class_named(origin)
    return origin in _STATELESS if cls is None else _holds_no_state(cls)


def _holds_no_state(cls: Class) -> bool:
    """Whether the modules of a class have no parameters and buffers, and do the same in train and eval mode."""
    plain = cls.bases == ["torch.nn.Module"] and not cls.node.decorator_list and not list(registrations(cls))
    if not plain or cls.subclasses or any(name in m.self_attributes for m in cls.methods.values() for name in _STATE):
        return False
    values = [pair for pairs in cls.assigned.values() for pair in pairs]
    return not _OF_STATE & cls.methods.keys() and all(
        registers_nothing(m, v) or (m.name == "__init__" and v is not None and is_stateless(cls.file, v))
        for m, v in values
    )
