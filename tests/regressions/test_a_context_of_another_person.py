"""In HL7 v2 a birth date whose own segment had no number was bound to that of another person."""

from tests.proxy.bodies.reversing import parsed, rule
from vault.proxy.bodies.hl7 import Hl7Parser
from vault.proxy.bodies.pieces import Field

BODY = b"MSH|^~\\&|\rPID|1||111^^^A||||19841203\rPID|2||222^^^B||||19551201\rZFD|1^12^1955"


def test_a_date_is_bound_to_its_own_persons_number() -> None:
    number = "PID-3[4=='A'].1"
    rules = [rule("PID-7", context_selector=number), rule("ZFD-1", context_selector=number)]
    fields = [piece for piece in parsed(Hl7Parser(rules), [BODY]) if isinstance(piece, Field)]
    assert [field.context for field in fields] == ["111", None, None]
