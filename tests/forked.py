"""Runs a function in a fork of the test process: TorchScript keeps state after a failed compile."""

import importlib
import os
import pickle
import sys
import traceback


def forked(function, *args, **kwargs):
    """The function's result; raises AssertionError with the child's traceback where it raised or died."""
    if "torch" in sys.modules:
        importlib.import_module("torch.fx.experimental.symbolic_shapes")  # autograd does: once, not in every fork
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        try:
            sys.dont_write_bytecode = True
            if "torch" in sys.modules:  # its threads are not in this process: an operation would wait for them
                sys.modules["torch"].set_num_threads(1)
            result = (True, function(*args, **kwargs))
        except BaseException:
            result = (False, traceback.format_exc())
        with os.fdopen(write, "wb") as pipe:
            pickle.dump(result, pipe)
            pipe.flush()
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        data = pipe.read()
    status = os.waitpid(pid, 0)[1]
    assert data, f"the child died with status {status}"
    fine, value = pickle.loads(data)
    assert fine, value
    return value
