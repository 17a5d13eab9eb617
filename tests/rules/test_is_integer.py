"""What is-integer says of every float, and what it must not touch."""

import math

import pytest

from tests.rules.tracing import findings, model, rewritten
from tsrefactor.rules.is_integer import IsInteger

RULE = [IsInteger()]


@pytest.mark.parametrize("number", [0.0, -0.0, 3.0, -3.0, 2.5, -0.5, 1e300, 5e-324, math.inf, -math.inf, math.nan])
def test_every_float_is_asked_the_same(number):
    assert (number % 1 == 0) == number.is_integer()
    assert (number % 1 != 0) == (not number.is_integer())


def test_what_is_written_keeps_its_place():
    body = "n = x.size(0) / 2\nreturn x if n.is_integer() and not (n + 1).is_integer() else -x"
    assert "return x if n % 1 == 0 and (n + 1) % 1 != 0 else -x" in rewritten(RULE, model(body)).document.text


def test_a_negated_sum_keeps_its_parentheses():
    body = "n = x.size(0) / 2\nreturn x * (n + 1).is_integer()"
    assert "return x * ((n + 1) % 1 == 0)" in rewritten(RULE, model(body)).document.text


def test_left_alone():
    assert findings(RULE, model("return x if self.table.is_integer() else -x", "self.table = object()")) == []
