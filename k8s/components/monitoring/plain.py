"""Makes the plain file of rules from the operator's: python k8s/components/monitoring/plain.py."""

from pathlib import Path

import yaml

HERE = Path(__file__).parent
HEAD = "# Made of rules.yaml by plain.py: change it there.\n"


def plain() -> str:
    """The text of jeton.rules.yaml."""
    rule = yaml.safe_load((HERE / "rules.yaml").read_text("utf-8"))
    return HEAD + yaml.safe_dump(rule["spec"], sort_keys=False, width=1000)


if __name__ == "__main__":
    (HERE / "jeton.rules.yaml").write_text(plain(), "utf-8")
