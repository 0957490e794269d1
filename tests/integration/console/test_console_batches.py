"""Batches in the console: the step that comes next, for whoever may take it, from the freeze to the members' hands."""

import hashlib
import html
import io
import re
from typing import Any
from urllib.parse import quote

from PIL import Image

from issuer.domain.card_validity import EndReason, ValidityEvent, ValidityStep
from issuer.domain.rights import AccountName
from issuer.domain.stock_account import SiteCode
from issuer.services.sign_batches import BatchSigning
from tests.contract.batch_stage import CONTROLLER, OPERATOR
from tests.contract.requests_stage import COMMUNE
from tests.contract.test_batch_signing import write_down
from tests.integration.console.batch_console import KEY, BatchConsole
from tests.integration.console.conftest import ORIGIN, SCHEME
from tests.integration.console.strict_page import StrictPage
from tests.integration.console.test_console_decisions import stepped_up


def picture() -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (30, 40), "grey").save(made, "JPEG")
    return made.getvalue()


def test_a_batch_goes_from_the_freeze_into_the_members_hands(batches: BatchConsole) -> None:
    stage = batches.stage
    batch = stage.filling.create(stage.open().receiver, stage.decision_id, actor=OPERATOR)
    batch = next(
        each.batch
        for each in stage.reading.page(actor=OPERATOR, limit=9).batches
        if each.tally.requests
    )
    path = f"/batches/{batch.batch_id}"
    assert "Being filled" in batches.page("may", "/batches")
    assert "Propose the freeze" in batches.page("may", path)
    assert batches.act("may", path, act="propose").status_code == 303
    proposal = stage.view(batch).batch.proposal
    assert proposal is not None
    asked = batches.office.client("kiem").get(f"{path}/proof", referer=f"{ORIGIN}{path}")
    assert asked.headers["location"] == f"/second-factor?next={quote(path, safe='')}"
    batches.show_everybody_as(picture())
    sheet = stepped_up(batches.office, "kiem").get(f"{path}/proof")
    assert (sheet.status_code, sheet.headers["content-type"]) == (200, "application/pdf")
    own = batches.act("may", path, act="freeze", proof=proposal.proof.hex())
    assert "<code>right.same-person</code>" in own.text
    StrictPage(own.text)
    wrong = batches.act("kiem", path, act="freeze", proof="00" * 32)
    assert "<code>batch.other-proof</code>" in wrong.text
    assert "Confirm the freeze" in batches.page("kiem", path)
    assert "Confirm the freeze" not in batches.page("may", path)
    frozen = batches.act("kiem", path, act="freeze", proof=proposal.proof.hex())
    assert frozen.status_code == 303, frozen.text
    assert "Frozen" in batches.page("may", path)
    stage.sign(batch)
    assert "Stations make its cards" in batches.page("may", path)
    serials = [each.hex() for each in stage.produce(batch)]
    batches.page("kiem", path)
    refused = batches.act("kiem", path, act="pass", serials=f"{serials[0]} {'0' * 18}99")
    StrictPage(refused.text)
    assert "1 card went on." in refused.text
    assert "0" * 18 + "99" in refused.text
    assert batches.act("kiem", path, act="pass", serials="\n".join(serials)).status_code == 303
    small = batches.act("kho", path, act="pack", size="")
    assert "<code>batch.box-size</code>" in small.text
    assert batches.act("kho", path, act="pack", size="2").status_code == 303
    packing = batches.office.client("kho").get(f"{path}/packing-list")
    assert packing.content.startswith(b"%PDF-")
    assert batches.act("kho", path, act="dispatch", carrier="xe 7").status_code == 303
    assert "Carried by xe 7." in batches.page("kho", path)
    numbers = [SCHEME.display(each) for each in stage.numbers(batch)]
    part = batches.act("kho", path, act="receive", numbers=numbers[0])
    StrictPage(part.text)
    assert "1 card went on." in part.text
    assert numbers[2] in part.text
    assert batches.act("kho", path, act="receive", numbers=" ".join(numbers)).status_code == 303
    papers = batches.page("lan", f"{path}/papers")
    offered = re.findall(rf'href="({path}/[^"]+)"', papers)
    assert len(offered) == 5, offered
    for address in map(html.unescape, offered):
        paper = batches.office.client("lan").get(address)
        assert paper.content.startswith(b"%PDF-"), address
    sheet = batches.program("lan").get(f"/v1{path}/minutes?to=P-01&members=true")
    assert "signatures-" in sheet.headers["content-disposition"]
    levels = batches.program("lan").get(f"/v1{path}/levels").json()["levels"]
    assert [(each["organisation"], each["cards"]) for each in levels] == [
        ("P-01", 3),
        ("P-01-01", 3),
    ]
    given = batches.act(
        "kho", path, act="hand-over", numbers="\n".join(numbers), signed_by="member"
    )
    assert given.status_code == 303, given.text
    last = batches.page("kho", path)
    assert "Handed over to the members" in last
    assert stage.view(batch).tally.handed_over == 3


def test_found_cards_go_after_the_others_and_chips_come_from_where_somebody_says(
    batches: BatchConsole,
) -> None:
    stage = batches.stage
    stage.stock.open_site(SiteCode("tram-2"))
    batch = stage.open()
    path = f"/batches/{batch.batch_id}"
    proof = stage.propose(batch)
    assert "tram-2" in batches.page("kiem", path)
    none = batches.act("kiem", path, act="freeze", proof=proof, site="tram-2")
    StrictPage(none.text)
    assert "<code>batch.too-few-chips</code>" in none.text
    assert '<option value="tram-2" selected>' in none.text
    assert batches.act("kiem", path, act="freeze", proof=proof, site="store").status_code == 303
    stage.sign(batch)
    stage.control.pass_cards(batch.batch_id, stage.produce(batch), actor=CONTROLLER)
    found = stage.lines(batch)[0]
    assert found.reference is not None
    with stage.register.writing() as transaction:
        reported = ValidityStep(
            event=ValidityEvent.REPORTED, account=AccountName("one"), reason=EndReason.LOST
        )
        transaction.cards.take(found.reference, reported, at=stage.clock())
    batches.act("kho", path, act="pack", size="9")
    batches.act("kho", path, act="dispatch", carrier="xe 7")
    numbers = [SCHEME.display(each) for each in stage.numbers(batch)]
    batches.act("kho", path, act="receive", numbers=" ".join(numbers[1:]))
    assert "lie in no box: 1" in batches.page("kho", path)
    with stage.register.writing() as transaction:
        rejected = ValidityStep(event=ValidityEvent.REJECTED, account=AccountName("two"))
        transaction.cards.take(found.reference, rejected, at=stage.clock())
    assert batches.act("kho", path, act="pack", size="9").status_code == 303
    late = batches.page("kho", path)
    assert "Cards that arrived later" in late
    assert "lie in no box" not in late
    assert batches.act("kho", path, act="receive", numbers=numbers[0]).status_code == 303
    batches.act("kho", path, act="hand-over", numbers=" ".join(numbers), signed_by="member")
    assert stage.view(batch).tally.handed_over == 3


def test_steps_out_of_order_and_by_others_are_refused(batches: BatchConsole) -> None:
    batch = batches.stage.open()
    path = f"/batches/{batch.batch_id}"
    for act, extra in (("pack", {"size": "5"}), ("dispatch", {"carrier": "xe"}), ("receive", {"numbers": "98.000001"})):  # fmt: skip
        answer = batches.act("kho", path, act=act, **extra)
        assert answer.status_code == 409, act
        assert "<code>batch.wrong-state</code>" in answer.text
    assert batches.act("may", path, act="nothing").status_code == 422
    assert batches.act("kho", path, act="propose").status_code == 403
    assert batches.act("may", path, act="cancel").status_code == 303
    assert "Given up" in batches.page("may", "/batches?state=cancelled")
    # Whoever reads no cards has no such page.
    assert batches.office.client("tuan").get("/batches").status_code == 403


def test_programs_read_batches_page_by_page(batches: BatchConsole) -> None:
    stage = batches.stage
    first = stage.open()
    second = stage.filling.create(first.receiver, stage.decision_id, actor=OPERATOR)
    client = batches.office.client("may", is_program=True)
    page = client.get("/v1/batches?limit=1").json()
    assert [each["id"] for each in page["batches"]] == [str(second.batch_id)]
    rest = client.get(f"/v1/batches?limit=1&cursor={page['next']}").json()
    assert [each["id"] for each in rest["batches"]] == [str(first.batch_id)]
    one = client.get(f"/v1/batches/{first.batch_id}").json()
    assert (one["state"], one["requests"]) == ("open", 3)
    assert [each["kind"] for each in one["events"]] == ["opened", "filled"]
    assert client.get(f"/v1/batches/{first.batch_id}/packing-list").status_code == 409
    assert client.get("/v1/batches?state=frozen").json()["batches"] == []


class Signer:
    """A signer process that is there; whoever signs is asked by the operation, not by the page."""

    def require(self) -> None:
        pass

    def signing(self) -> BatchSigning:
        raise AssertionError("nobody works on operations here")


def open_batch(batches: BatchConsole, receiver: str = "P-01-01", **fields: str) -> str:
    """Its page."""
    opened = batches.act(
        "may", "/batches/open", decision=str(batches.stage.decision_id), receiver=receiver, **fields
    )
    assert opened.status_code == 303, opened.text
    return str(opened.headers["location"])


def test_a_batch_is_opened_from_a_decision_filled_and_taken_out_of(batches: BatchConsole) -> None:
    stage = batches.stage
    assert "/batches/open" in batches.page("may", "/batches")
    assert "/batches/open" not in batches.page("kho", "/batches")
    assert batches.office.client("kho").get("/batches/open").status_code == 403
    assert "12-QĐ/TU" in batches.page("may", "/batches/open")
    assert "No confirmed decision" in batches.page("may", "/batches/open?text=99")
    decision = f"/batches/open/{stage.decision_id}"
    assert "Đảng ủy xã Mẫu" in batches.page("may", decision)
    assert "No committee of this name" in batches.page("may", f"{decision}?text=Giao")
    preview = batches.page("may", f"{decision}/preview?receiver={COMMUNE}")
    assert "3 cards would go in" in preview
    assert "Nguyễn Văn An" not in preview
    path = open_batch(batches, COMMUNE)
    held = [line.request_id for line in stage.lines_of(path)]
    assert len(held) == 3
    none = batches.act("may", path, act="take-out")
    assert none.status_code == 422
    taken = batches.act("may", path, act="take-out", **{f"request-{held[0]}": "1"})
    assert taken.status_code == 303, taken.text
    page = batches.page("may", path)
    assert "1 more requests could go into it." in page or "1 more" in page
    wrong = batches.act("may", path, act="fill", limit="no")
    assert "<code>batch.limit</code>" in wrong.text
    assert batches.act("may", path, act="fill", limit="1").status_code == 303
    assert len(stage.lines_of(path)) == 3
    assert batches.act("may", path, act="cancel").status_code == 303
    assert "3 cards would go in" in batches.page("may", f"{decision}/preview?receiver={COMMUNE}")
    gone = batches.act("may", "/batches/open", decision="x", receiver=COMMUNE)
    assert gone.status_code == 422


def test_signing_is_offered_to_who_may_and_says_what_is_missing(batches: BatchConsole) -> None:
    stage = batches.stage
    batch = stage.open()
    stage.freeze(batch)
    path = f"/batches/{batch.batch_id}"
    assert "No signer is set up for this console" in batches.page("may", path)
    told = batches.act("may", path, act="sign")
    assert "<code>signing.no-signer</code>" in told.text
    batches.use_signer(Signer())
    assert "Two people have to authorise" in batches.page("may", path)
    assert "<code>authorisation.none-valid</code>" in batches.act("may", path, act="sign").text
    write_down(stage)
    assert "Have it signed" in batches.page("may", path)
    assert "Have it signed" not in batches.page("kho", path)
    assert batches.act("kho", path, act="sign").status_code == 403
    begun = batches.act("may", path, act="sign")
    assert begun.status_code == 303, begun.text
    operation = batches.page("may", begun.headers["location"])
    assert "Signing of a batch" in operation
    asked = batches.program("may").send(
        "POST", f"/v1{path}/signing", headers={"idempotency-key": f"{KEY}-signing"}
    )
    assert asked.status_code == 202, asked.text
    assert asked.json()["about"] == f"/v1{path}"
    assert asked.headers["location"].startswith("/v1/operations/")


def test_programs_take_every_step_of_a_batch_with_a_key_and_an_entity_tag(
    batches: BatchConsole,
) -> None:
    stage = batches.stage
    program = batches.program("may")
    (opening,) = program.get("/v1/batches/openings?text=12").json()["decisions"]
    assert (opening["decision"], opening["waiting"]) == (str(stage.decision_id), 3)
    receivers = program.get(f"/v1/batches/openings/{stage.decision_id}?text=mau").json()
    assert [each["code"] for each in receivers["receivers"]] == [COMMUNE]
    assert batches.program("kho").get("/v1/batches/openings").status_code == 403
    body = {"decision": str(stage.decision_id), "receiver": COMMUNE}
    made = batches.call("may", "POST", "/v1/batches", body)
    assert made.status_code == 201, made.text
    path = made.headers["location"]
    again = batches.call("may", "POST", "/v1/batches", body, key=f"{KEY}-call-1")
    assert again.json()["id"] == made.json()["id"]
    assert made.json()["requests"] == 3
    (first, *_) = [str(line.request_id) for line in stage.lines_of(path)]
    out = batches.call("may", "POST", f"{path}/taken-out", {"requests": [first]})
    assert out.json() == {"filled": 1, "held": 2, "waiting": 1}
    filled = batches.call("may", "POST", f"{path}/requests", {"limit": 5})
    assert filled.json() == {"filled": 1, "held": 3, "waiting": 0}
    assert batches.call("may", "POST", f"{path}/freeze-proposal").status_code == 428
    stale = batches.call("may", "POST", f"{path}/freeze-proposal", tag='"old"')
    assert stale.status_code == 412

    def step(name: str, to: str, body: dict[str, Any] | None = None) -> Any:
        done = batches.call(name, "POST", f"{path}/{to}", body, tag=batches.tag(name, path))
        assert done.status_code == 200, done.text
        return done.json()

    step("may", "freeze-proposal")
    step("may", "freeze-withdrawal")
    proof = step("may", "freeze-proposal")["proof"]
    assert step("kiem", "freeze", {"proof": proof})["state"] == "frozen"
    stage.sign(stage.batch_of(path))
    serials = [each.hex() for each in stage.produce(stage.batch_of(path))]
    passed = batches.call("kiem", "POST", f"{path}/passes", {"serials": serials})
    assert passed.json() == {"done": 3, "refused": [], "missing": []}
    assert step("kho", "packing", {"cards_of_box": 2})["boxed"] == 3
    assert step("kho", "dispatch", {"carrier": "xe 7"})["carrier"] == "xe 7"
    numbers = [SCHEME.display(each) for each in stage.numbers(stage.batch_of(path))]
    part = batches.call("kho", "POST", f"{path}/receipts", {"numbers": numbers[:1]})
    assert part.json()["missing"] == numbers[1:]
    batches.call("kho", "POST", f"{path}/receipts", {"numbers": numbers})
    wrong = batches.call(
        "kho", "POST", f"{path}/hand-overs", {"numbers": numbers, "minutes_sha256": "00"}
    )
    assert wrong.json()["code"] == "api.request-invalid"
    digest = hashlib.sha256(b"the scan of the signed minutes").digest()
    given = batches.call(
        "kho",
        "POST",
        f"{path}/hand-overs",
        {"numbers": numbers, "signed_by": "representative", "minutes_sha256": digest.hex()},
    )
    assert given.json()["done"] == 3
    with stage.register.reading() as transaction:
        lines = transaction.batches.lines(stage.batch_of(path).batch_id, limit=3)
        kept = transaction.batches.acknowledgements([each.reference for each in lines])
    assert {each.minutes for each in kept.values()} == {digest}
    shown = batches.program("may").get(path).json()
    assert (shown["state"], shown["handed_over"]) == ("handed-over", 3)
    other = batches.call("may", "POST", "/v1/batches", {**body, "fill": False})
    gone = other.headers["location"]
    cancelled = batches.call("may", "POST", f"{gone}/cancellation", tag=batches.tag("may", gone))
    assert cancelled.json()["state"] == "cancelled"
