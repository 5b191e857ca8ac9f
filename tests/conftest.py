"""What holds for all tests. Fixtures for servers are in the packages that use them."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# Neither a verdict nor a choice of examples may depend on how fast the machine is.
settings.register_profile(
    "httpio",
    deadline=None,
    derandomize="CI" in os.environ,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("httpio")
