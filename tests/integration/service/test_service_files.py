"""Certificates, lists and the log as files that caches keep; and what only operators see."""

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki.api.caller import certificate_in_header
from pki.api.ports import CertificateHeader
from pki.cli import main
from pki.errors import PkiError

Call = Callable[[str | None], Any]


def test_the_newest_crl_is_a_file_for_everybody(call: Call, service_home: Any) -> None:
    answer = call(None).get("/v1/lists/crl")
    published = (service_home.home.directory / "crl" / "csca-1.crl").read_bytes()
    assert answer.content == published
    assert answer.headers["content-type"] == "application/pkix-crl"
    assert answer.headers["etag"] == f'"{hashlib.sha256(published).hexdigest()}"'
    assert answer.headers["cache-control"] == "public, max-age=300, must-revalidate"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["last-modified"].endswith("GMT")


def test_the_newest_master_list_is_one_too(
    call: Call, service_home: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = service_home.home.directory
    written = tmp_path / "ours.ml"
    create = ["signer", "create", "--id", "lists-1", "--profile", "master-list-signer"]
    for command in (create, ["master-list", "export", "--output", str(written)]):
        assert main(["--home", str(home), *command]) == 0, capsys.readouterr().err
    answer = call(None).get("/v1/lists/master-list")
    assert answer.content == written.read_bytes()
    assert answer.headers["content-type"] == "application/octet-stream"
    digest = hashlib.sha256(answer.content).hexdigest()
    by_digest = call(None).get(f"/v1/files/{digest}")
    assert by_digest.content == answer.content
    assert "immutable" in by_digest.headers["cache-control"]


def test_a_current_copy_is_not_sent_again(call: Call) -> None:
    first = call(None).get("/v1/lists/crl")
    tag, moment = first.headers["etag"], first.headers["last-modified"]
    for headers in (
        {"If-None-Match": tag},
        {"If-None-Match": f'"other", W/{tag}'},
        {"If-None-Match": "*"},
        {"If-Modified-Since": moment},
    ):
        again = call(None).get("/v1/lists/crl", **headers)
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
    for headers in (
        {"If-None-Match": '"other"'},
        # The entity tag is the stronger validator: the date is not looked at beside it.
        {"If-None-Match": '"other"', "If-Modified-Since": moment},
        {"If-Modified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"},
        {"If-Modified-Since": "yesterday"},
    ):
        assert call(None).get("/v1/lists/crl", **headers).content == first.content


def test_head_tells_the_headers_alone(call: Call) -> None:
    whole = call(None).get("/v1/lists/crl")
    head = call(None).send("HEAD", "/v1/lists/crl")
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["etag"] == whole.headers["etag"]
    assert head.headers["content-length"] == str(len(whole.content))


def test_every_certificate_and_list_is_a_file_under_its_digest_for_ever(call: Call) -> None:
    operators = call("dung").get("/v1/certificates?limit=200").json()["certificates"]
    assert {each["kind"] for each in operators} >= {"authority", "signer", "operator"}
    terminals = call("dung").get("/v1/lists/crl/numbers").json()["lists"]
    digests = [each["digest"] for each in (*operators, *terminals)]
    assert len(digests) > 7
    for digest in digests:
        answer = call(None).get(f"/v1/files/{digest}")
        assert hashlib.sha256(answer.content).hexdigest() == digest
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"/v1/files/{'0' * 64}", 404, "api.not-found"),
        ("/v1/files/00", 422, "api.request-invalid"),
        ("/v1/lists/stop-list", 404, "api.not-found"),
        ("/v1/lists/master-list", 404, "api.not-found"),
        ("/v1/lists/none", 422, "api.request-invalid"),
        ("/v1/certificates", 401, "api.client-certificate-missing"),
        ("/v1/terminals", 401, "api.client-certificate-missing"),
        ("/v1/lists/crl/numbers", 401, "api.client-certificate-missing"),
        ("/v1/log/checkpoints", 401, "api.client-certificate-missing"),
        ("/v1/log/inclusion-proof?index=0", 401, "api.client-certificate-missing"),
    ],
)
def test_what_is_not_there_or_not_for_everybody_is_refused(
    call: Call, path: str, status: int, code: str
) -> None:
    answer = call(None).get(path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_why_a_signer_was_revoked_is_for_operators_and_in_no_crl(
    call: Call, service_home: Any
) -> None:
    reason = "a very particular reason"
    assert service_home.pki("signer", "revoke", "--id", "ds-1", "--reason", reason) == 0
    found = call("an").get("/v1/certificates?kind=signer&revoked=true").json()["certificates"]
    assert [(each["name"], each["reason"]) for each in found] == [("ds-1", reason)]
    crl = call(None).get("/v1/lists/crl").content
    assert reason.encode() not in crl
    assert [each.serial_number for each in x509.load_der_x509_crl(crl)] == [
        int(found[0]["serial_number"], 16)
    ]
    assert not any(len(list(each.extensions)) for each in x509.load_der_x509_crl(crl))


def test_certificates_are_found_by_serial_number_subject_and_status(call: Call) -> None:
    everything = call("an").get("/v1/certificates?limit=200").json()["certificates"]
    signer = next(each for each in everything if each["name"] == "ds-1")
    path = "/v1/certificates"
    for query in (
        f"serial_number={signer['serial_number']}",
        f"subject={quote(signer['subject'])}",
        "kind=signer&revoked=false",
    ):
        assert call("an").get(f"{path}?{query}").json()["certificates"] == [signer]
    assert call("an").get(f"{path}?kind=signer&revoked=true").json()["certificates"] == []
    assert call("an").get(f"{path}/{signer['digest']}").json() == signer


def test_certificates_come_in_pages(call: Call) -> None:
    whole = call("an").get("/v1/certificates?limit=200").json()["certificates"]
    paged: list[Any] = []
    after = ""
    while True:
        page = call("an").get(f"/v1/certificates?limit=3{after}").json()
        paged += page["certificates"]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert paged == whole


def test_the_checkpoint_and_the_proofs_come_as_the_command_line_makes_them(
    call: Call, service_home: Any
) -> None:
    checkpoint = call(None).get("/v1/log/checkpoint")
    assert checkpoint.content == (service_home.home.directory / "checkpoint").read_bytes()
    assert call("an").get("/v1/log/checkpoints").json()["checkpoints"][0]["size"] > 0
    old = checkpoint.content
    assert service_home.pki("crl", "issue") == 0
    assert service_home.pki("log", "checkpoint") == 0
    out = service_home.directory / "growth"
    (service_home.directory / "old").write_bytes(old)
    since = ("--since", str(service_home.directory / "old"), "--out", str(out))
    assert service_home.pki("log", "prove", *since) == 0
    answer = call("an").post_bytes("/v1/log/growth-proof", old, "text/plain")
    assert answer.content == out.read_bytes()
    proof = service_home.directory / "inclusion"
    assert service_home.pki("log", "prove", "3", "--out", str(proof)) == 0
    answer = call("dung").get("/v1/log/inclusion-proof?index=3")
    assert answer.content == proof.read_bytes()
    assert answer.headers["cache-control"] == "no-store"


def test_a_record_with_its_salt_is_for_auditors(call: Call) -> None:
    refused = call("binh").get("/v1/log/inclusion-proof?index=0")
    assert (refused.status_code, refused.json()["code"]) == (403, "operator.role-missing")
    unknown = call("dung").get(f"/v1/log/inclusion-proof?reference={'00' * 16}")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "log.unknown-record")
    for query in ("", "?index=1&reference=" + "00" * 16):
        assert call("dung").get(f"/v1/log/inclusion-proof{query}").status_code == 422


def test_a_forged_checkpoint_gets_no_proof(call: Call) -> None:
    answer = call("an").post_bytes("/v1/log/growth-proof", b"nonsense\n", "text/plain")
    assert (answer.status_code, answer.json()["code"]) == (422, "log.note-malformed")


def test_terminals_come_with_their_standing(call: Call, service_home: Any) -> None:
    directory = service_home.directory
    gate = ("--home", str(directory / "gate"))
    request = directory / "gate.cvreq"
    pin = ("--pin-file", str(directory / "gate.pin"), "--keystore", "file")
    make = ("terminal", "request", "create", "--holder", "VNGATE1", "--out", str(request))
    assert service_home.pki(*gate, *make, *pin) == 0
    encoded = base64.b64encode(request.read_bytes()).decode()
    asked = call("an").ask("terminal.issue", {"request": encoded, "files": [13]})
    call("binh").decide(asked)
    assert service_home.pki("request", "execute", asked["id"]) == 0
    found = call("an").get("/v1/terminals").json()["terminals"]
    assert [(each["holder"], each["in_good_standing"]) for each in found] == [("VNGATE1", True)]
    assert call(None).get(f"/v1/files/{found[0]['digest']}").status_code == 200
    asked = call("an").ask("terminal.block", {"holder": "VNGATE1", "reason": "stolen"})
    call("binh").decide(asked)
    assert service_home.pki("request", "execute", asked["id"]) == 0
    found = call("an").get("/v1/terminals").json()["terminals"]
    assert [(each["in_good_standing"], each["reason"]) for each in found] == [(False, "stolen")]


def test_health_and_readiness_need_nobody(call: Call, service_home: Any) -> None:
    assert call(None).get("/v1/health").json() == {"status": "alive"}
    ready = call(None).get("/v1/readiness")
    assert ready.json()["status"] == "ready"
    # A journal that is not the one that was followed makes the service say so, and serve nothing.
    journal = service_home.home.journal
    journal.write_bytes(journal.read_bytes()[: journal.stat().st_size // 2])
    for path in ("/v1/readiness", "/v1/lists/crl"):
        failed = call(None).get(path)
        assert (failed.status_code, failed.json()["code"]) == (503, "database.other-journal")
        assert failed.headers["retry-after"]
    assert call(None).get("/v1/health").status_code == 200


def test_both_forms_of_the_proxys_header_give_the_certificate(
    service_home: Any,
) -> None:
    der = service_home.certificate("binh")
    pem = x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)
    standard = [f":{base64.b64encode(der).decode()}:"]
    assert certificate_in_header(CertificateHeader.CLIENT_CERT, standard) == der
    assert certificate_in_header(CertificateHeader.NGINX_ESCAPED, [quote(pem)]) == der


@pytest.mark.parametrize(
    ("header", "values", "code"),
    [
        (CertificateHeader.CLIENT_CERT, [], "missing"),
        (CertificateHeader.CLIENT_CERT, [""], "missing"),
        (CertificateHeader.CLIENT_CERT, ["AAAA"], "malformed"),
        (CertificateHeader.CLIENT_CERT, [":AA:"], "malformed"),
        (CertificateHeader.CLIENT_CERT, [":A A=:"], "malformed"),
        (CertificateHeader.CLIENT_CERT, [":AAAA:", ":AAAA:"], "malformed"),
        (CertificateHeader.CLIENT_CERT, [f":{'A' * 20000}:"], "malformed"),
        (CertificateHeader.NGINX_ESCAPED, ["-----BEGIN"], "malformed"),
        (CertificateHeader.NGINX_ESCAPED, ["%ff%00"], "malformed"),
    ],
)
def test_a_header_that_is_not_as_agreed_is_refused(
    header: CertificateHeader, values: list[str], code: str
) -> None:
    with pytest.raises(PkiError) as refusal:
        certificate_in_header(header, values)
    assert refusal.value.code == f"api.client-certificate-{code}"


def test_a_certificate_that_is_garbage_is_refused(call: Call, service_home: Any) -> None:
    for number, content in enumerate((b"garbage", b"", b"\x30\x80" + bytes(5000))):
        (service_home.directory / f"bad{number}.cer").write_bytes(content)
        answer = call(f"bad{number}").get("/v1/requests")
        assert answer.status_code == 401
        assert answer.json()["code"] in {
            "operator.certificate-invalid",
            "api.client-certificate-malformed",
        }
