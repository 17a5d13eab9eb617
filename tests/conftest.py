"""What holds for every test."""

import os

from hypothesis import HealthCheck, settings

# before torch is imported: two workers on two cores, and no pool of threads that a fork would wait for
os.environ.setdefault("OMP_NUM_THREADS", "1")

# no test asserts a time, on a busy machine neither
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
