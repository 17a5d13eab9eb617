"""What holds for every test."""

from hypothesis import HealthCheck, settings

# no test asserts a time, on a busy machine neither
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
