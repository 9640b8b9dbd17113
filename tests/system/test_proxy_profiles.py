"""Messages as others exchange them, through a real proxy with nothing but a profile: the person is
gone on the way in and everything else as it was; the way out gives the original bytes back."""

import re
from collections.abc import Iterator

import pytest

from tests.support.proxied import Edge
from tests.support.upstream import Reply, Upstream, upstream

pytestmark = pytest.mark.system

NIR, SECOND = "284057512345672", "155129912345637"
PROFILES = ("fhir", "cda", "hl7-pam-fr", "iso20022", "rsf")
ROUTE = """
[proxy.routes.{name}-in]
listener = "main"
upstream = "main"
client = "edge"
path = "/{name}/in"
types = {{ "text/plain" = "fixed" }}
request_profile = {{ name = "{name}", operation = "tokenise" }}
[proxy.routes.{name}-out]
listener = "main"
upstream = "main"
client = "edge"
purpose = "care"
path = "/{name}/out"
types = {{ "text/plain" = "fixed" }}
response_profile = {{ name = "{name}", operation = "detokenise" }}
"""
INS = "urn:oid:1.2.250.1.213.1.4.8"

FHIR = f"""{{"resourceType": "Bundle", "entry": [ {{"resource": {{"resourceType" : "Patient",
  "identifier": [{{"system": "urn:other", "value": "77"}},
    {{"value" : "{NIR}", "system" : "{INS}"}}],
  "birthDate": "1984-05-12", "telecom": [{{"value": "01 99 00 00 00"}}]}} }},
  {{"resource": {{"resourceType": "Patient", "birthDate": "1955-12-01",
    "identifier": [{{"system": "{INS}", "value": "{SECOND}"}}] }} }} ]}}"""
FHIR_XML = f"""<?xml version="1.0"?>
<Patient xmlns="http://hl7.org/fhir"><identifier><system value="{INS}"/>
 <value value='{NIR}' /></identifier><!-- a comment --><birthDate  value="1984-05-12"/></Patient>"""
CDA = f"""<ClinicalDocument xmlns="urn:hl7-org:v3"><recordTarget><patientRole>
<id extension="{NIR}" root="1.2.250.1.213.1.4.8"/><id root="1.2.3" extension="42"/>
<patient><birthTime value="19840512"/></patient></patientRole></recordTarget></ClinicalDocument>"""
HL7 = (
    "MSH|^~\\&|A|B|C|D|20260101||ADT^A01|1|P|2.5\r"
    f"PID|1||77^^^X&1.2.3&ISO^PI~{NIR}^^^INS-NIR&1.2.250.1.213.1.4.8&ISO^INS||DOE||19840512|F\r"
    "ZFD|12^5^1984\r"
)
ISO = f"""<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"><Cdtr><Id><PrvtId>
<DtAndPlcOfBirth><BirthDt>1984-05-12</BirthDt></DtAndPlcOfBirth><Othr><Id>{NIR}</Id>
<SchmeNm><Cd>SOSE</Cd></SchmeNm></Othr><Othr><Id>9999</Id><SchmeNm><Cd>CUST</Cd></SchmeNm></Othr>
</PrvtId></Id></Cdtr></Document>"""
RSF = f"1HEADER{' ' * 121}\n2{'0' * 10}{NIR}{'7' * 102}\n2S{'0' * 9}{SECOND}{'1' * 23}{NIR}\n"
MESSAGES = [
    ("fhir", "application/fhir+json", FHIR),
    ("fhir", "application/fhir+xml", FHIR_XML),
    ("cda", "text/xml", CDA),
    ("hl7-pam-fr", "application/hl7-v2", HL7),
    ("iso20022", "application/xml", ISO),
    ("rsf", "text/plain", RSF),
]
_PERSONAL = re.compile(f"{NIR}|{SECOND}|1984-05-12|1955-12-01|19840512|12\\^5\\^1984")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Edge, Upstream]]:
    with upstream() as behind:
        routes = "".join(ROUTE.format(name=name) for name in PROFILES)
        edge = Edge.create(tmp_path_factory.mktemp("edge"), behind.port, routes)
        with edge.running():
            yield edge, behind


@pytest.mark.parametrize(("profile", "kind", "message"), MESSAGES)
def test_the_person_is_gone_and_the_rest_as_it_was(
    profile: str, kind: str, message: str, running: tuple[Edge, Upstream]
) -> None:
    edge, behind = running
    behind.answers = lambda seen: Reply(204)
    sent = message.encode()
    assert edge.ask("POST", f"/{profile}/in", sent, {"Content-Type": kind}).status == 204
    kept = behind.last.body
    assert not _PERSONAL.search(kept.decode())
    gaps = [re.escape(part) for part in _PERSONAL.split(message)]
    assert re.fullmatch(".{8,15}".join(gaps), kept.decode(), re.DOTALL)
    behind.answers = lambda seen: Reply(200, {"Content-Type": kind}, kept)
    assert edge.ask("GET", f"/{profile}/out").body == sent
