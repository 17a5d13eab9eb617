"""TracerWarnings of the real tracer: kind and line."""

from __future__ import annotations

import warnings

import pytest

from tsrefactor.diagnose import UNKNOWN, WARNING_KINDS, diagnose_warning


def item(x):
    return x * x.sum().item()


def branch(x):
    return x if x.sum() > 0 else -x


def whole(x):
    return x * int(x.shape[0])


def real(x):
    return x * float(x.sum())


def length(x):
    return x * len(x)


def iterate(x):
    return sum(row * 2 for row in x)


def rows(x):
    return x * x.tolist()[0][0]


def numpy(x):
    return x * x.detach().numpy().sum()


def constant(x):
    return x * __import__("torch").tensor(x.sum())


CASES = [
    (branch, "trace-boolean"),
    (whole, "trace-integer"),
    (real, "trace-float"),
    (length, "trace-len"),
    (item, "trace-number"),
    (iterate, "trace-iterate"),
    (rows, "trace-list"),
    (numpy, "trace-numpy"),
    (constant, "trace-constant"),
]


@pytest.mark.parametrize("function,kind", CASES, ids=lambda v: v if isinstance(v, str) else "")
def test_warning(function, kind):
    import torch

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.jit.trace(function, torch.ones(2, 3), check_trace=False)
    mine = [w for w in caught if issubclass(w.category, torch.jit.TracerWarning)]
    found = [diagnose_warning(str(w.message), w.filename, w.lineno) for w in mine]
    assert kind in {f.kind for f in found}, [str(w.message) for w in mine]
    assert {f.kind for f in found} <= WARNING_KINDS - {UNKNOWN}
    first = next(f for f in found if f.kind == kind)
    assert first.place.file == __file__
    assert first.place.line == function.__code__.co_firstlineno + 1
    assert first.message and "\n" not in first.message and len(first.message) < 200


def test_unknown_warning_keeps_its_text():
    found = diagnose_warning("something new\nin two lines")
    assert (found.kind, found.message, found.text) == (UNKNOWN, "something new", "something new\nin two lines")
    assert found.place is None
