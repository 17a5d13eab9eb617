"""Whether models that were traced on the CPU hold on a GPU: each is saved, loaded there, and compared with eager.

usage: python benchmarks/cuda_traces.py FOLDER [FOLDER ...]

FOLDER holds a `zoo.py` of cases, as `fixtures/` does; give that folder and a copy of it that `tsrefactor migrate`
rewrote to compare them. Cases whose target is another than `trace` are left out. Needs torch with a CUDA device.
"""

import copy
import io
import subprocess
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]


def main(folders: list[str]) -> None:
    if len(folders) == 1:
        for name, verdict in verdicts(Path(folders[0])):
            print(f"{name:20s} {verdict}")
        return
    for folder in folders:  # a process each: their modules have the same names
        print(f"# {folder}", flush=True)
        subprocess.run([sys.executable, __file__, folder], check=True)


def verdicts(folder: Path) -> list[tuple[str, str]]:
    sys.path[:0] = [str(folder), str(REPOSITORY)]
    import torch
    import zoo

    assert torch.cuda.is_available(), "no CUDA device"
    found = []
    for case in zoo.cases():
        if case.target == "trace":
            found.append((case.name, verdict(torch, case)))
    return found


def verdict(torch: Any, case: Any) -> str:
    """``holds``, or what goes wrong with the first input that shows it."""
    torch.manual_seed(0)
    model, inputs = case.build(), case.inputs()
    example = inputs[0]
    given = {"example_kwarg_inputs": example.kwargs} if example.kwargs else {"example_inputs": example.args}
    trace = torch.jit.trace(model, **copy.deepcopy(given), check_trace=False)
    file = io.BytesIO()
    torch.jit.save(trace, file)
    file.seek(0)
    trace, model = torch.jit.load(file, map_location="cuda"), model.cuda()
    for number, call in enumerate(inputs):
        args, kwargs = moved(torch, call.args), moved(torch, call.kwargs)
        with torch.no_grad():
            try:
                expected = model(*copy.deepcopy(args), **copy.deepcopy(kwargs))
            except RuntimeError as error:
                return f"eager itself fails on input {number}: {told(error)}"
            try:
                torch.testing.assert_close(trace(*args, **kwargs), expected, rtol=1e-3, atol=1e-3)
            except (RuntimeError, AssertionError) as error:
                return f"fails on input {number}: {told(error)}"
    return "holds"


def told(error: Exception) -> str:
    return [line.strip() for line in str(error).splitlines() if line.strip()][-1][:150]


def moved(torch: Any, value: Any) -> Any:
    return torch.utils._pytree.tree_map(lambda x: x.cuda() if isinstance(x, torch.Tensor) else x, value)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1:])
