"""Further examples of weight-norm."""

from tsrefactor.rules import Example
from tsrefactor.vocabulary import Target

MORE = {
    "transposed convolution, layers made by a function": Example(
        before="""\
import torch
import torch.nn as nn


def normed(layer):
    return nn.utils.weight_norm(layer)


class Up(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = normed(nn.ConvTranspose1d(2, 3, 4, 2, padding=1))
        self.out = nn.utils.weight_norm(nn.Conv1d(3, 1, 3), dim=None)

    def forward(self, x):
        return self.out(self.up(x))


class Model(nn.Sequential):
    def __init__(self):
        super().__init__(Up())
""",
        after="""\
import types
from typing import List, Optional, Tuple

import torch
import torch.nn as nn
from torch.nn.utils.weight_norm import WeightNorm


def normed(layer):
    return nn.utils.weight_norm(layer)


def _weight_norm_hook(self, inputs: Tuple[torch.Tensor]) -> None:
    self.weight = torch._weight_norm(self.weight_v, self.weight_g, self.weight_norm_dim)


def _weight_norm_conv_transpose1d(self, input, output_size: Optional[List[int]] = None):
    self.weight = torch._weight_norm(self.weight_v, self.weight_g, self.weight_norm_dim)
    output_padding = self._output_padding(
        input, output_size, self.stride, self.padding, self.kernel_size, 1, self.dilation
    )
    return nn.functional.conv_transpose1d(
        input, self.weight, self.bias, self.stride, self.padding, output_padding, self.groups, self.dilation
    )


def _make_hooks_scriptable(module):
    \"\"\"Put functions in the place of the hook objects, which TorchScript cannot compile.\"\"\"
    for layer in module.modules():
        for key, hook in list(layer._forward_pre_hooks.items()):
            if isinstance(hook, WeightNorm) and hook.name == "weight":
                layer.weight_norm_dim = hook.dim
                if isinstance(layer, nn.ConvTranspose1d):
                    layer.forward = types.MethodType(_weight_norm_conv_transpose1d, layer)
                    del layer._forward_pre_hooks[key]
                else:
                    layer._forward_pre_hooks[key] = _weight_norm_hook


class Up(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = normed(nn.ConvTranspose1d(2, 3, 4, 2, padding=1))
        self.out = nn.utils.weight_norm(nn.Conv1d(3, 1, 3), dim=None)

    def forward(self, x):
        return self.out(self.up(x))

    def __prepare_scriptable__(self):
        _make_hooks_scriptable(self)
        return self


class Model(nn.Sequential):
    def __init__(self):
        super().__init__(Up())
""",
        inputs="[(torch.rand(2, 2, 5),), (torch.rand(1, 2, 8),)]",
        breaks=Target.SCRIPT,
        error="'WeightNorm' object has no attribute '__name__'",
    ),
    "spectral norm": Example(
        before="""\
import torch
from torch import nn
import torch.nn.functional as F
from torch.nn.utils import spectral_norm


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = spectral_norm(nn.Conv1d(2, 3, 3), n_power_iterations=2, dim=1)

    def forward(self, x):
        return F.relu(self.conv(x))
""",
        after="""\
from typing import Tuple

import torch
from torch import nn
import torch.nn.functional as F
from torch.nn.utils import spectral_norm
from torch.nn.utils.spectral_norm import SpectralNorm


def _spectral_norm_hook(self, inputs: Tuple[torch.Tensor]) -> None:
    u, v = self.weight_u, self.weight_v
    matrix = self.weight_orig.movedim(self.spectral_norm_dim, 0).flatten(1)
    if self.training:
        with torch.no_grad():
            for _ in range(self.spectral_norm_iterations):
                v = F.normalize(torch.mv(matrix.t(), u), dim=0, eps=self.spectral_norm_eps, out=v)
                u = F.normalize(torch.mv(matrix, v), dim=0, eps=self.spectral_norm_eps, out=u)
            u, v = u.clone(), v.clone()  # the buffers change again in the next call, before this one's backward
    self.weight = self.weight_orig / torch.dot(u, torch.mv(matrix, v))


def _make_hooks_scriptable(module):
    \"\"\"Put functions in the place of the hook objects, which TorchScript cannot compile.\"\"\"
    for layer in module.modules():
        for key, hook in layer._forward_pre_hooks.items():
            if isinstance(hook, SpectralNorm) and hook.name == "weight":
                layer.spectral_norm_dim = hook.dim
                layer.spectral_norm_eps = hook.eps
                layer.spectral_norm_iterations = hook.n_power_iterations
                layer._forward_pre_hooks[key] = _spectral_norm_hook


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = spectral_norm(nn.Conv1d(2, 3, 3), n_power_iterations=2, dim=1)

    def forward(self, x):
        return F.relu(self.conv(x))

    def __prepare_scriptable__(self):
        _make_hooks_scriptable(self)
        return self
""",
        inputs="[(torch.rand(2, 2, 5),), (torch.rand(1, 2, 8),)]",
        breaks=Target.SCRIPT,
        error="'SpectralNorm' object has no attribute '__name__'",
    ),
}
