"""The forms that dtype-follow writes, and what it must not touch."""

import pytest

from tests.rules.tracing import findings, model, rewritten
from tsrefactor.rules.dtype_follow import DtypeFollow

RULE = [DtypeFollow()]
INIT = "self.w = nn.Parameter(torch.ones(3))"

WRITTEN = {
    "(x > 0).to(x.dtype)": "(x > 0).type_as(x)",
    "self.w.type(x.dtype)": "self.w.type_as(x)",
    "x.abs().to(dtype=self.w.dtype)": "x.abs().type_as(self.w)",
}


@pytest.mark.parametrize("written", WRITTEN)
def test_what_is_written(written):
    after = rewritten(RULE, model(f"return {written}", INIT)).document.text
    assert f"return {WRITTEN[written]}\n" in after


@pytest.mark.parametrize(
    "body",
    [
        "return (x > 0).to(torch.float16)",
        "return (x > 0).to(x.device, x.dtype)",
        "return (x > 0).to(x.dtype, non_blocking=True)",
        "return torch.zeros(3, dtype=x.dtype, device=x.device)",
        "dtype = x.dtype\nreturn x.double().to(dtype)",
        "return x + 1 if x.dtype == torch.float32 else x",
        "return x.to(finfo(x.dtype))",
        "with torch.autocast('cpu', dtype=x.dtype):\n    return self.fc(x)",
    ],
)
def test_left_alone(body):
    assert findings(RULE, model(body, INIT)) == []


def test_what_type_as_does_beside_is_told():
    (found,) = findings(RULE, model("return (x > 0).to(x.dtype)"))
    assert found.caveat == "`type_as` also moves to the device of `x`"
