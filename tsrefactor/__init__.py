"""tsrefactor rewrites PyTorch model source so that it works under TorchScript, and proves every rewrite."""

from .cases import Inputs, ModelCase

__version__ = "0.1.0"
__all__ = ["Inputs", "ModelCase", "__version__"]
