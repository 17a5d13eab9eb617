"""Where the classes of a model come from, as far as that keeps them from being rewritten."""

from __future__ import annotations

import os
from collections.abc import Callable

from torch import nn

from ..record.classes import file_of, submodules
from ..workers.blame import installed, shown


def left_alone(model: nn.Module, is_user_file: Callable[[str], bool]) -> list[str]:
    """Why classes in a model are not rewritten: their file lies elsewhere, or there is none. Installed ones go without.

    Said of a failure that has no place in the user's files.
    """
    notes = []
    for cls in dict.fromkeys(type(module) for module in submodules(model)):
        file = file_of(cls)
        if file is None or file.startswith("<"):
            notes.append(f"{cls.__name__} has no source file, as in a notebook or after exec: it is left alone")
        elif not installed(os.path.realpath(file)) and not is_user_file(file):
            notes.append(f"{cls.__name__} is defined in {shown(file)}, outside of src: it is left alone")
    return notes
