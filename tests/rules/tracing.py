"""Applies rules to a source text, and compares its model with its trace on other inputs."""

from collections.abc import Callable
from pathlib import Path

from tests.forked import forked
from tsrefactor.facts.file import FileFacts
from tsrefactor.rewrite import Rewrite, find, rewrite
from tsrefactor.rules import Finding, Rule, Settings
from tsrefactor.source.document import Document
from tsrefactor.source.file import SourceFile

PLAIN = Settings()
HEAD = "import math\n\nimport torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n\n\n"


def document(text: str, path: Path = Path("m.py"), newline: str = "\n") -> Document:
    return Document(SourceFile(path, text, "utf-8", False, newline))


def model(body: str, init: str = "", before: str = "") -> str:
    """A file whose `Model` has these lines in forward (or, with a ``def``, these methods) and in ``__init__``."""
    methods = body if body.startswith("def ") else f"def forward(self, x: torch.Tensor):\n{_indented(body)}"
    start = f"def __init__(self):\n    super().__init__()\n{_indented(init)}\n\n" if init else ""
    return f"{HEAD}{before}class Model(nn.Module):\n{_indented(start + methods)}\n"


def _indented(text: str) -> str:
    return "\n".join("    " + line if line else line for line in text.rstrip("\n").split("\n"))


def findings(rules: list[Rule], text: str, settings: Settings = PLAIN) -> list[Finding]:
    return find(rules, FileFacts(document(text)), settings)


def rewritten(rules: list[Rule], text: str, settings: Settings = PLAIN) -> Rewrite:
    """Asserts that nothing is refused, and that a second application changes nothing."""
    result = rewrite(document(text), rules, settings)
    assert result.refused == []
    assert rewrite(document(result.document.text), rules, settings).document.text == result.document.text
    return result


def trace_follows(text: str, inputs: str, folder: Path, script: bool = False) -> bool:
    """Whether a trace of `Model` on the first of the inputs gives what eager gives on all (``script``: this, too)."""
    path = folder / "traced.py"
    path.write_text(text, encoding="utf-8")
    return forked(_compare, path, inputs, script)


def same_in_eager(before: str, after: str, inputs: str, folder: Path) -> bool:
    """Whether two versions give the same bits and the same gradients."""
    paths = folder / "before.py", folder / "after.py"
    for path, text in zip(paths, (before, after), strict=True):
        path.write_text(text, encoding="utf-8")
    return forked(_same, paths, inputs)


def _load(path: Path) -> Callable:
    import importlib.util

    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Model


def _compare(path: Path, inputs: str, script: bool) -> bool:
    import warnings

    import torch

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    build, every = _load(path), eval(inputs, {"torch": torch})

    def equal(a, b) -> bool:
        if isinstance(a, torch.Tensor):
            return torch.equal(a, b)
        return len(a) == len(b) and all(map(equal, a, b))

    torch.manual_seed(0)
    eager = build().eval()
    made = [torch.jit.trace(eager, _copied(every[0]), check_trace=False)]
    made += [torch.jit.script(eager)] if script else []
    try:
        return all(equal(eager(*_copied(args)), m(*_copied(args))) for m in made for args in every for _ in range(2))
    except RuntimeError:  # the interpreter: sizes do not fit
        return False


def _same(paths: tuple[Path, Path], inputs: str) -> bool:
    import torch

    torch.set_num_threads(1)
    seen = []
    for path in paths:
        torch.manual_seed(0)
        eager = _load(path)()
        for args in eval(inputs, {"torch": torch}):
            args = [a.requires_grad_() if a.is_floating_point() else a for a in _copied(args)]
            result = eager(*args)
            flat = [result] if isinstance(result, torch.Tensor) else list(result)
            weighted = (r.double() * torch.arange(1, r.numel() + 1).view(r.shape) for r in flat)
            sum(w.sum() for w in weighted).backward()
            gradients = [None if t.grad is None else t.grad.tolist() for t in [*args, *eager.parameters()]]
            seen.append(([(t.dtype, t.tolist()) for t in flat], gradients))
    half = len(seen) // 2
    return seen[:half] == seen[half:]


def _copied(args):
    return [a.clone() for a in args]
