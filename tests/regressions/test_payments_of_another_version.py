"""The profile for payments knew one version of one message: numbers in all others passed as they
were, and nothing said so."""

import pytest

from tests.proxy.bodies.reversing import parsed, rule, texts
from vault.config.profiles import profile
from vault.proxy.bodies.xml import XmlParser

NIR = "284057512345672"


@pytest.mark.parametrize(
    "space", ["pain.001.001.03", "pain.008.001.08", "camt.054.001.08", "pacs.008.001.08"]
)
def test_numbers_are_found_in_every_version(space: str) -> None:
    body = f"""<Document xmlns="urn:iso:std:iso:20022:tech:xsd:{space}"><Dbtr><Id><PrvtId>
    <Othr><Id>{NIR}</Id><SchmeNm><Cd>SOSE</Cd></SchmeNm></Othr></PrvtId></Id></Dbtr></Document>"""
    rules = [rule(one.select.partition(":")[2]) for one in profile("iso20022").fields]
    assert texts(parsed(XmlParser(rules), [body.encode()])) == [NIR]
