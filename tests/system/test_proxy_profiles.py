"""Messages as others exchange them, through a real proxy with nothing but a profile: the person is
gone on the way in and everything else as it was; the way out gives the original bytes back."""

import json
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
BIRTH_TIME = "http://hl7.org/fhir/StructureDefinition/patient-birthTime"

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
MORE_FHIR = f"""{{"resourceType": "Bundle", "entry": [{{"resource": {{"resourceType": "Patient",
  "identifier": [{{"system": "{INS[:-1]}10", "value": "{NIR}"}}], "birthDate": "1984-05-12",
  "_birthDate": {{"extension": [{{"url": "{BIRTH_TIME}",
    "valueDateTime": "1984-05-12T04:30:00Z"}}]}},
  "contained": [{{"resourceType": "RelatedPerson", "birthDate": "1955-12-01",
    "identifier": [{{"value": "{SECOND}", "system": "{INS[:-1]}9"}}]}}] }} }},
  {{"resource": {{"resourceType": "Coverage", "subscriberId": "{SECOND}",
    "beneficiary": {{"identifier": {{"system": "{INS}", "value": "{NIR}"}}}} }} }},
  {{"resource": {{"resourceType": "Coverage", "subscriberId": "A-77"}} }},
  {{"resource": {{"resourceType": "Practitioner", "birthDate": "1955-12-01",
    "identifier": [{{"system": "urn:rpps", "value": "10001234567"}}]}} }},
  {{"resource": {{"resourceType": "Patient", "birthDate": "1984-05-12",
    "identifier": [{{"system": "urn:other", "value": "77"}}]}} }},
  {{"resource": {{"resourceType": "Parameters", "parameter": [
    {{"name": "of", "valueIdentifier": {{"value": "{SECOND}", "system": "{INS}"}}}}]}} }} ]}}"""
LINES = "".join(
    f'{{"identifier": [{{"system": "{INS}", "value": "{nir}"}}], "birthDate": "{born}"}}\n'
    for nir, born in ((NIR, "1984-05-12"), (SECOND, "1955-12-01"))
)
MORE_FHIR_XML = f"""<f:Bundle xmlns:f="http://hl7.org/fhir"><f:Patient><f:identifier>
<f:system value="urn:other"/><f:value value="77"/></f:identifier>
<f:birthDate value="1984-05-12"><f:extension url="{BIRTH_TIME}"><f:valueDateTime
  value="1984-05-12T04:30:00Z"/></f:extension></f:birthDate></f:Patient><f:Coverage><f:beneficiary>
<f:identifier><f:value value="{NIR}"/><f:system value="{INS[:-1]}11"/></f:identifier>
</f:beneficiary></f:Coverage></f:Bundle>"""
MORE_CDA = f"""<?xml version="1.0" encoding="ISO-8859-15"?>
<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:s="urn:hl7-org:sdtc"><recordTarget><patientRole>
<id root="1.2.250.1.213.1.4.10" extension="{NIR}"/><patient><birthTime value="198405120430+0100"/>
<guardian><id extension='{SECOND}' root='1.2.250.1.213.1.4.8'/></guardian></patient></patientRole>
</recordTarget><informant><relatedEntity><id root="1.2.250.1.213.1.4.8" extension="{SECOND}"/>
</relatedEntity></informant><entry><subject><relatedSubject><subject><s:id
root="1.2.250.1.213.1.4.8" extension="{SECOND}"/><birthTime value="19840512"/></subject>
</relatedSubject></subject></entry></ClinicalDocument>"""
LOCAL = "77^^^X&1.2.3&ISO^PI"
HEADER = "\x0bMSH|^~\\&|A|B|C|D|20260101||ADT^A40|1|P|2.5\r"
MORE_HL7 = (
    f"{HEADER}PID|1||{LOCAL}~{NIR}^^^N&1.2.250.1.213.1.4.10&ISO^INS||A||198405120430+0100^M|F\r"
    f"MRG|78^^^X&1.2.3&ISO^PI~{SECOND}^^^N&1.2.250.1.213.1.4.9&ISO^INS\rZFD|^^\r\x1c\r"
    f"{HEADER}PID|1||{LOCAL}||DOE||19840512|F|||||||||||{SECOND}\r"
    f"NK1|1{'|' * 15}19840512{'|' * 17}{NIR}^^^N&1.2.250.1.213.1.4.8&ISO^INS\r"
    f"IN1|1{'|' * 17}19840512{'|' * 18}A77{'|' * 13}79^^^X^PI\r\x1c\r"
)
QUERY = (
    "MSH|^~\\&|A|B|C|D|20260101||QBP^Q22|1|P|2.5\r"
    f"QPD|IHE PDQ Query|1|@PID.3.1^{NIR}~@PID.5.1^DOE~@PID.7^19840512\r"
)
PATCH = '[{"op": "replace", "path": "/birthDate", "value": "1984-05-12"}]'
MORE_ISO = f"""<b:Document xmlns:b="urn:iso:std:iso:20022:tech:xsd:pain.008.001.08"><b:Dbtr>
<b:Nm>DOE</b:Nm><b:Id><b:PrvtId><b:DtAndPlcOfBirth><b:BirthDt>1984-05-12</b:BirthDt>
</b:DtAndPlcOfBirth></b:PrvtId></b:Id></b:Dbtr><b:Dbtr><b:Id><b:PrvtId><b:DtAndPlcOfBirth>
<b:BirthDt>1955-12-01</b:BirthDt></b:DtAndPlcOfBirth><b:Othr><b:Id>{SECOND}</b:Id><b:SchmeNm>
<b:Cd>NIDN</b:Cd></b:SchmeNm></b:Othr></b:PrvtId></b:Id></b:Dbtr><b:CdtrSchmeId><b:Id><b:PrvtId>
<b:Othr><b:Id>FR12ZZZ123456</b:Id></b:Othr></b:PrvtId></b:Id></b:CdtrSchmeId></b:Document>"""
RSF = f"1HEADER{' ' * 121}\n2{'0' * 10}{NIR}{'7' * 102}\n2S{'0' * 9}{SECOND}{'1' * 23}{NIR}\n"
MESSAGES = [
    ("fhir", "application/fhir+json", FHIR),
    ("fhir", "application/fhir+xml", FHIR_XML),
    ("cda", "text/xml", CDA),
    ("hl7-pam-fr", "application/hl7-v2", HL7),
    ("iso20022", "application/xml", ISO),
    ("rsf", "text/plain", RSF),
    ("fhir", "application/fhir+json", MORE_FHIR),
    ("fhir", "application/fhir+ndjson", LINES),
    ("fhir", "application/xml", MORE_FHIR_XML),
    ("cda", "application/xml", MORE_CDA),
    ("hl7-pam-fr", "x-application/hl7-v2+er7", MORE_HL7),
    ("hl7-pam-fr", "application/hl7-v2", QUERY),
    ("iso20022", "text/xml", MORE_ISO),
]
# No token can be made of a part of a date, nor of one that nothing stands beside to bind it to.
REFUSED = [
    ("fhir", "application/fhir+json", FHIR.replace("1984-05-12", "1984-05"), "invalid_value"),
    ("fhir", "application/json", '{"id": "1", "birthDate": "1984-05-12"}', "context_required"),
    ("fhir", "application/json-patch+json", PATCH, "context_required"),
    ("cda", "text/xml", CDA.replace("19840512", "1984"), "invalid_value"),
    ("hl7-pam-fr", "application/hl7-v2", HL7.replace("19840512", "1984"), "invalid_value"),
    ("iso20022", "text/xml", ISO.replace(NIR, "284057512345699"), "invalid_value"),
    ("rsf", "text/plain", RSF.replace(NIR, "284057512345699"), "invalid_value"),
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


@pytest.mark.parametrize(("profile", "kind", "message", "code"), REFUSED)
def test_what_cannot_be_replaced_does_not_pass(
    profile: str, kind: str, message: str, code: str, running: tuple[Edge, Upstream]
) -> None:
    edge, behind = running
    before = len(behind.seen)
    answer = edge.ask("POST", f"/{profile}/in", message.encode(), {"Content-Type": kind})
    assert answer.status == 422
    assert code in json.loads(answer.body)["detail"]
    assert len(behind.seen) == before
