#!/usr/bin/env python3
"""Generated reports against the schemas of RFC 7489 appendix C and RFC 9990, by xmllint (Debian: libxml2-utils): the order
of elements, how often each may stand, and the words of each.

Usage: schema.py DMARC_WORLD
"""
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

DISPOSITIONS = "none quarantine reject"
DKIM = "none pass fail policy neutral temperror permerror"


def words(text):
    values = "".join(f'<xs:enumeration value="{one}"/>' for one in text.split())
    return f'<xs:simpleType><xs:restriction base="xs:string">{values}</xs:restriction></xs:simpleType>'


def leaf(name, kind="xs:string", least=1, most=1):
    bounds = f'minOccurs="{least}" maxOccurs="{most}"'
    if kind.startswith("xs:"):
        return f'<xs:element name="{name}" type="{kind}" {bounds}/>'
    return f'<xs:element name="{name}" {bounds}>{words(kind)}</xs:element>'


def group(name, inside, order="sequence", least=1, most=1):
    return (f'<xs:element name="{name}" minOccurs="{least}" maxOccurs="{most}"><xs:complexType><xs:{order}>'
            + "".join(inside) + f"</xs:{order}></xs:complexType></xs:element>")


MANY = "unbounded"
DATES = group("date_range", [leaf("begin", "xs:integer"), leaf("end", "xs:integer")], "all")


def record(dispositions, reasons, identifiers, dkim, spf):
    evaluated = group("policy_evaluated", [leaf("disposition", dispositions), leaf("dkim", "pass fail"), leaf("spf", "pass fail"),
                                           group("reason", [leaf("type", reasons), leaf("comment", least=0)], "all", 0, MANY)])
    row = group("row", [leaf("source_ip"), leaf("count", "xs:integer"), evaluated], "all")
    return group("record", [row, identifiers, group("auth_results", dkim + spf)], most=MANY)


OLD = group("feedback", [
    leaf("version", "xs:decimal"),
    group("report_metadata", [leaf("org_name"), leaf("email"), leaf("extra_contact_info", least=0), leaf("report_id"), DATES,
                              leaf("error", least=0, most=MANY)]),
    group("policy_published", [leaf("domain"), leaf("adkim", "r s", 0), leaf("aspf", "r s", 0), leaf("p", DISPOSITIONS),
                               leaf("sp", DISPOSITIONS), leaf("pct", "xs:integer"), leaf("fo")], "all"),
    record(DISPOSITIONS, "forwarded sampled_out trusted_forwarder mailing_list local_policy other",
           group("identifiers", [leaf("envelope_to", least=0), leaf("envelope_from"), leaf("header_from")], "all"),
           [group("dkim", [leaf("domain"), leaf("selector", least=0), leaf("result", DKIM), leaf("human_result", least=0)], "all", 0, MANY)],
           [group("spf", [leaf("domain"), leaf("scope", "helo mfrom"),
                          leaf("result", "none neutral pass fail softfail temperror permerror")], "all", 1, MANY)]),
])
NEW = group("feedback", [
    leaf("version", "xs:decimal", 0),
    group("report_metadata", [leaf("org_name"), leaf("email"), leaf("extra_contact_info", least=0), leaf("report_id"), DATES,
                              leaf("error", least=0), leaf("generator", least=0)], "all"),
    group("policy_published", [leaf("domain"), leaf("p", DISPOSITIONS), leaf("sp", DISPOSITIONS, 0), leaf("np", DISPOSITIONS, 0),
                               leaf("adkim", "r s", 0), leaf("aspf", "r s", 0), leaf("discovery_method", "psl treewalk", 0),
                               leaf("fo", least=0), leaf("testing", "n y", 0)], "all"),
    record(DISPOSITIONS + " pass", "local_policy mailing_list other policy_test_mode trusted_forwarder",
           group("identifiers", [leaf("header_from"), leaf("envelope_from", least=0), leaf("envelope_to", least=0)], "all"),
           [group("dkim", [leaf("domain"), leaf("selector"), leaf("result", DKIM), leaf("human_result", least=0)], "all", 0, MANY)],
           [group("spf", [leaf("domain"), leaf("scope", "mfrom", 0),
                          leaf("result", "none pass fail softfail policy neutral temperror permerror"),
                          leaf("human_result", least=0)], "all", 0, 1)]),
])
NAMESPACE = "urn:ietf:params:xml:ns:dmarc-2.0"


def schema(root, namespace):
    inside = root.replace(' minOccurs="1" maxOccurs="1"', "", 1)
    target = f' targetNamespace="{namespace}" elementFormDefault="qualified"' if namespace else ""
    return f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"{target}>{inside}</xs:schema>'


def main():
    failed = 0
    for form, root, namespace in (("rfc7489", OLD, ""), ("rfc9990", NEW, NAMESPACE)):
        done = subprocess.run([sys.argv[1], "--reports", form], capture_output=True, check=True)
        documents = [one for one in done.stdout.split(b"\0") if one]
        with tempfile.NamedTemporaryFile("w", suffix=".xsd") as file:
            file.write(schema(root, namespace))
            file.flush()
            for text in documents:
                xml.etree.ElementTree.fromstring(text)
                checked = subprocess.run(["xmllint", "--nonet", "--noout", "--schema", file.name, "-"], input=text, capture_output=True)
                if checked.returncode != 0:
                    failed += 1
                    print(form, checked.stderr.decode(), text.decode()[:2000])
            # What the schema forbids is found, so that it is no empty test.
            broken = documents[0].replace(b"<org_name>", b"<org>").replace(b"</org_name>", b"</org>")
            if subprocess.run(["xmllint", "--nonet", "--noout", "--schema", file.name, "-"], input=broken, capture_output=True).returncode == 0:
                sys.exit(f"the schema of {form} takes everything")
        print(f"{form}: {len(documents)} documents")
        failed += len(documents) < 100
    sys.exit(failed != 0)


main()
