"""What pytest needs to know while mutmut runs it: loaded by `[tool.mutmut]` and nothing else."""

import sys

import pytest
from hypothesis import HealthCheck, Phase, settings

# A mutant lives or dies by the same examples each time, and nobody reads what was found. The
# checks are about a test that runs twice in a process: it is measured first, then forked.
settings.register_profile(
    "mutants",
    deadline=None,
    max_examples=20,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """No test lives on what another one had cached, unmutated even."""
    for name, module in list(sys.modules.items()):
        if name.startswith("vault."):
            for member in list(vars(module).values()):
                if hasattr(member, "cache_clear"):
                    member.cache_clear()
