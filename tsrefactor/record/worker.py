"""The eager run of one case under observation. Imported in worker processes only."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass

from tsrefactor.cases import ModelCase
from tsrefactor.facts.observations import Observations
from tsrefactor.workers.seeding import seed
from tsrefactor.workers.task import out_of_memory

from .classes import classes_of
from .copies import copy_inputs
from .observer import observe
from .sources import Sources


@dataclass
class SurveyResult:
    """What a case showed. ``error`` is one line (type, message, the innermost place in the user's source) or None."""

    observations: Observations
    error: str | None


def survey(case: ModelCase, source: Sequence[str]) -> SurveyResult:
    """Builds `case` and calls it in eager on copies of all its inputs, in the mode it was built in.

    Functions under `source` that only ran while building are not marked ``scripted``. An error of the case's own code
    ends the survey and is returned with what was seen until then; only out-of-memory is raised.
    """
    module, error = None, None
    with observe(source) as observer:
        try:
            seed()
            module = case.build()
            seed()
            for inputs in case.inputs():
                copied = copy_inputs(inputs)
                seed()
                module(*copied.args, **copied.kwargs)
        except (Exception, SystemExit) as raised:
            if out_of_memory(raised):
                raise  # the limit was met: of this the pool tells
            error = _one_line(raised, Sources(source))
    seen = observer.observations()
    if module is not None:
        seen.join(classes_of(module, source))
    return SurveyResult(seen, error)


def _one_line(raised: BaseException, sources: Sources) -> str:
    message = " ".join(str(raised).split())
    text = f"{type(raised).__name__}: {message}" if message else type(raised).__name__
    places = [frame for frame in traceback.extract_tb(raised.__traceback__) if sources.realpath(frame.filename)]
    return f"{text} ({places[-1].filename}:{places[-1].lineno})" if places else text
