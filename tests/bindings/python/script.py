"""An app's life in numbered steps, with nothing but the bindings. The same script stands in Kotlin beside this one."""

import gc
import hashlib
import json
import os
import shutil
import sys
import threading
import time
from pathlib import Path

import fieldseal as fs
import wire
from host import Chip, Clock, Film, GoneCamera, Listener

FOLDER = Path(os.environ["FIELDSEAL_FOLDER"])
AGAIN = bool(os.environ.get("FIELDSEAL_AGAIN"))
TABLET, NOTES = str(FOLDER / "tablet"), FOLDER / "notes.json"
FIRST, SECOND = ("林见川", "云应急执20230101", "246810"), ("苏砚秋", "云应急执20230102", "135791")
GIB = 1 << 30
PROMPT_MS = 100
# What the library may add to this process's peak while 1 GiB streams through it.
MOST_MEMORY_KB = 64 * 1024
# What the tablet's folder may grow by beside 1 GiB: authentication of its segments, the record, the journal.
MOST_DISK = 16 << 20

number = json.loads(NOTES.read_text())["number"] if AGAIN else 0
clock, chip = Clock(), Chip(FOLDER / "chip.json")


def step(words, measured=None):
    global number
    number += 1
    print(f"ok {number} {words}" + (f": {measured}" if measured is not None else ""), flush=True)


def ask(what, **more):
    print("ask " + json.dumps({"ask": what, **more}, ensure_ascii=False), flush=True)
    return json.loads(sys.stdin.readline())


def need(holds, what):
    if not holds:
        raise AssertionError(what)


def equal(found, wanted):
    need(found == wanted, f"{found!r} instead of {wanted!r}")


def fails(kind, code, call):
    """The call fails with this kind and code, with a sentence in both languages; the problem."""
    try:
        call()
    except kind as error:
        equal(error.problem.code, code)
        need(error.problem.zh and error.problem.en, "it says nothing")
        return error.problem
    raise AssertionError(f"it did not fail with {code}")


def prompt(call, cancel):
    """Milliseconds from the wish to stop to the call's return."""
    wished = []

    def wish():
        wished.append(time.monotonic())
        cancel.cancel()

    call(wish)
    took = round((time.monotonic() - wished[0]) * 1000)
    need(took < PROMPT_MS, f"it took {took} ms")
    return f"{took} ms"


def options(**more):
    return fs.DeviceOptions(clock=clock, keys=chip, **more)


def sync(patience_ms=None, **more):
    return device.sync(fs.SyncOptions(patience_ms=patience_ms, **more), None, None)


def drained():
    report = sync(60_000)
    equal(report.ending, fs.SyncEnding.DONE)
    equal((report.waiting.operations, report.waiting.unsealed, report.waiting.files), (0, 0, 0))
    return report


def about(title, acquisition=fs.Acquisition.CAMERA, kind="audio_visual", **more):
    return fs.EvidenceAbout(acquisition=acquisition, kind=kind, title=title, proves="现场状况", **more)


def status_kb(name):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])


def detail():
    return device.inspection(inspection)


def folder_bytes():
    """What the tablet's folder takes on the disk."""
    return sum(path.stat().st_blocks * 512 for path in Path(TABLET).rglob("*") if path.is_file())


def stopped_by(code, call, *arguments):
    """Stops a call after 64 MiB of its work, or at its first step where it has no bytes; milliseconds until it returned."""
    cancel = fs.Cancel()

    def run(wish):
        wished = []

        def look(progress):
            if not wished and (progress.bytes > (64 << 20) or progress.step == "typesetting"):
                wished.append(True)
                wish()

        fails(fs.FieldsealError.Stopped, code, lambda: call(*arguments, Listener(on=look), cancel))

    return prompt(run, cancel)


def until_killed():
    """Streams without end, until the driver ends this process in the middle of it."""
    film = Film(1 << 60, at_bytes=(64 << 20, lambda: ask("kill")))
    device.capture(inspection, about("断电时的录像", fs.Acquisition.RECORDER), film, None, None)


def tell(kind, error, trace):
    """What ended the script, with the sentence that a user would have seen."""
    sys.__excepthook__(kind, error, trace)
    print(getattr(getattr(error, "problem", None), "en", ""), file=sys.stderr)


sys.excepthook = tell

if not AGAIN:
    # ---------------------------------------------------------------------------------------------- enrolment
    text = ask("invite", label="平板 脚本")["text"]
    card = fs.read_enrolment_text(text)
    need(card.url.startswith("https://") and len(card.tls_sha256) == 64 and not card.supervisor, card)
    step("an enrolment text is read without making anything")
    fails(fs.FieldsealError.Refused, "enrolment_text", lambda: fs.read_enrolment_text("fieldseal:enrol:1:???"))
    step("a text that is none is refused")
    fails(
        fs.FieldsealError.Refused, "key_suite",
        lambda: fs.Device.enrol(TABLET, text, "平板 脚本", fs.KeySuite.ED25519, options()),
    )
    step("a suite that the host's key store does not have is refused")
    device = fs.Device.enrol(TABLET, text, "平板 脚本", None, options())
    step("a device is made with the host's key store and clock")
    fails(
        fs.FieldsealError.Failed, "already_enrolled",
        lambda: fs.Device.enrol(TABLET, text, None, None, options()),
    )
    step("a folder that holds a device is left alone")
    who = device.identity()
    equal((who.custody, who.enrolment, who.label), ("hardware", fs.EnrolmentStage.NEW, "平板 脚本"))
    need(who.fingerprint.startswith("SHA256:") and chip.signed > 0, who)
    step("its operation key is in hardware and has signed the first operation")
    fails(fs.FieldsealError.Failed, "key_store_other", lambda: fs.Device.open(TABLET, fs.DeviceOptions()))
    step("without the host's key store its keys stay closed")
    report = sync()
    equal((report.ending, report.enrolment_requests), (fs.SyncEnding.AWAITING_APPROVAL, 1))
    equal(device.identity().enrolment, fs.EnrolmentStage.PENDING)
    step("the first sync sends the request and waits for approval")
    ask("approve")
    equal(sync().ending, fs.SyncEnding.DONE)
    equal(device.identity().enrolment, fs.EnrolmentStage.APPROVED)
    step("after the administrator's signature it is approved")
    device.tell_battery(37)
    drained()
    health = ask("health", device=who.device)
    equal(health["battery_percent"], 37)
    need(health["free_bytes"] > 0, health)
    step("the server is told of battery and free storage")
    pack = device.rule_pack()
    need(len(pack.items) > 10 and pack.documents and pack.refusal_reasons, pack)
    equal([held.in_force for held in device.packs()].count(True), 1)
    step("a rule pack is in force and lists what to choose from")

    # ---------------------------------------------------------------------------------------------- officers
    fails(fs.FieldsealError.Refused, "pin_weak", lambda: device.officer_add(*FIRST[:2], "officer", "1"))
    step("a short PIN is refused")
    for name, certificate, pin in (FIRST, SECOND):
        need(not device.officer_add(name, certificate, "officer", pin).approved, name)
    fails(fs.FieldsealError.Refused, "officer_exists", lambda: device.officer_add(*FIRST[:2], "officer", FIRST[2]))
    step("two officers get keys under their PINs, one certificate number once")
    equal(sync().enrolment_requests, 2)
    ask("approve")
    drained()
    need(all(officer.approved for officer in device.officers()), device.officers())
    step("both officers are approved")
    left = fails(fs.FieldsealError.Refused, "pin_wrong", lambda: device.unlock(FIRST[1], "000000")).params[0].value
    need(left.is_count() and left.count == 2, left)
    step("a wrong PIN says how many tries are left, as a number")
    for _, certificate, pin in (FIRST, SECOND):
        device.unlock(certificate, pin)
    equal(device.at_work().certificate, SECOND[1])
    device.take_over(FIRST[1])
    equal(device.at_work().certificate, FIRST[1])
    step("the officer unlocked last is at work, and an open one takes over without a PIN")

    # ---------------------------------------------------------------------------------------------- assigned
    assigned = ask("assign", device=who.device, certificates=[FIRST[1], SECOND[1]])
    inspection, enterprise = assigned["inspection"], assigned["enterprise"]
    drained()
    [row] = device.inspections()
    equal((row.inspection, row.closed), (inspection, False))
    equal(detail().stage, fs.InspectionStage.PLANNED)
    step("the assigned inspection arrives")
    need(len(detail().checks) > 10 and all(check.result is None for check in detail().checks), detail().checks)
    step("its checklist waits for answers")
    equal([one.name for one in [device.enterprises(None)[0]] if not one.name], [])
    need(any(one.enterprise == enterprise for one in device.enterprises(row.party[:4])), row.party)
    step("an enterprise is found by a part of its name")

    # ---------------------------------------------------------------------------------------------- at work
    device.show_credentials(inspection, "钱守业", None, [])
    need(detail().credentials_shown and detail().stage == fs.InspectionStage.IN_PROGRESS, detail())
    step("credentials are shown with the pack's words")
    item = {check.item: check for check in detail().checks}
    for name, result in (
        ("t1", fs.CheckResult.OK), ("e1", fs.CheckResult.VIOLATION), ("s1", fs.CheckResult.NOT_APPLICABLE),
    ):
        device.check(inspection, name, result, "现场查看")
    answers = {check.item: check.result for check in detail().checks}
    equal((answers["t1"], answers["e1"], answers["s1"]), ("ok", "violation", "not_applicable"))
    step("three items are answered in three ways")
    fails(fs.FieldsealError.Refused, "not_in_pack", lambda: device.check(inspection, "zz", fs.CheckResult.OK, ""))
    step("an item that the pack does not have is refused")
    made = device.finding(inspection, fs.NewFinding(text="安全出口被堆物堵塞", grade="larger", item="e1", place="仓库"))
    finding = made.id
    device.finding(inspection, fs.NewFinding(text="安全出口被纸箱堵塞", grade="larger", item="e1", finding=finding))
    [found] = detail().findings
    equal((found.finding, found.text, found.grade), (finding, "安全出口被纸箱堵塞", "larger"))
    step("a finding is recorded and written anew")
    device.statement(inspection, fs.NewStatement(person="钱守业", role="负责人", lines=["货物昨夜到的。", "今天就搬走。"]))
    equal(detail().statements[0].lines, ["货物昨夜到的。", "今天就搬走。"])
    step("two lines of a statement are signed as they are said")
    fails(
        fs.FieldsealError.Refused, "due_before_order",
        lambda: device.order(inspection, fs.NewOrderItem(text="清理", due="2020-01-01", finding=finding)),
    )
    step("an order due before today is refused")
    device.order(inspection, fs.NewOrderItem(text="立即清理安全出口", due="2027-01-15", finding=finding))
    [ordered] = detail().orders
    equal((ordered.due, ordered.grade), ("2027-01-15", "larger"))
    step("an order takes the finding's grade over")
    device.set_draft(inspection, "inspection/remark", "天气晴")
    device.set_draft(inspection, "inspection/remark", "天气晴，正常生产")
    [draft] = device.drafts(inspection)
    equal(draft.value, "天气晴，正常生产")
    step("a draft is corrected freely")

    # ---------------------------------------------------------------------------------------------- evidence
    photo = Path(ask("photo")["path"]).read_bytes()

    class Photo(fs.ByteSource):
        def __init__(self):
            self.pieces = [photo[: len(photo) // 2], photo[len(photo) // 2 :], b""]

        def read(self, most):
            return self.pieces.pop(0)

    place = fs.Place(latitude=25.04, longitude=102.71, accuracy_m=8.0)
    captured = device.capture(inspection, about("安全出口", finding=finding, place=place), Photo(), None, None)
    equal((captured.sha256, captured.size, captured.media_type), (hashlib.sha256(photo).hexdigest(), len(photo), "image/jpeg"))
    step("a photograph is captured from the host's stream")
    equal(device.read_blob(captured.sha256, 100, 1000), photo[100:1100])
    step("its bytes are read back by a range")
    far = fs.Place(latitude=95.0, longitude=102.71, accuracy_m=None)
    imported = FOLDER / "企业提供.bin"
    imported.write_bytes(b"from the enterprise" * 100)
    device.import_file(
        inspection, about("企业提供的台账", fs.Acquisition.IMPORTED, "electronic_data", place=far), str(imported), None, None
    )
    [_, given] = detail().evidence
    equal((given.acquisition, given.size, given.state), ("imported", 1900, fs.ItemState.SEALED))
    step("an imported file stays imported, and a place out of range is left out")
    pushed = device.begin_capture(inspection, about("现场录音", fs.Acquisition.RECORDER))
    for piece in range(3):
        pushed.push(bytes([piece]) * 100_000)
    sound = pushed.finish()
    equal(sound.size, 300_000)
    fails(fs.FieldsealError.Refused, "capture_over", lambda: pushed.push(b"late"))
    step("a recording is pushed in pieces, and over once it is finished")
    stopped = device.begin_capture(inspection, about("停止的录音", fs.Acquisition.RECORDER))
    stopped.push(b"x" * 200_000)
    stopped.cancel()
    equal(len(detail().evidence), 3)
    step("a recording that is stopped is not sealed")
    gone = fails(
        fs.FieldsealError.Failed, "host_failed",
        lambda: device.capture(inspection, about("断开的相机"), GoneCamera(), None, None),
    )
    need("unplugged" in gone.en, gone)
    equal(len(detail().evidence), 3)
    step("a source that throws ends with a coded error and seals nothing")
    cancel = fs.Cancel()
    step("a capture is cancelled at once", prompt(lambda wish: fails(
        fs.FieldsealError.Stopped, "capture_cancelled",
        lambda: device.capture(inspection, about("长录像"), Film(GIB, at_bytes=(20 << 20, wish)), None, cancel),
    ), cancel))
    fails(fs.FieldsealError.Storage, "storage_short", lambda: device.storage(1 << 60))
    need(device.storage(0).minutes > 0, "no room")
    step("too large a recording is refused before it begins")

    # ---------------------------------------------------------------------------------------------- hostile hosts
    clock.broken = True
    fails(fs.FieldsealError.Failed, "host_failed", lambda: device.check(inspection, "t1", fs.CheckResult.OK, ""))
    clock.broken = False
    device.check(inspection, "t1", fs.CheckResult.OK, "仍然正常")
    step("a clock that throws is a coded error, and the next call works")
    chip.refuses = True
    fails(fs.FieldsealError.Failed, "key_refused", lambda: device.check(inspection, "t1", fs.CheckResult.OK, ""))
    chip.refuses = False
    step("a key that refuses writes nothing")
    fails(
        fs.FieldsealError.Failed, "host_failed",
        lambda: device.sync(fs.SyncOptions(), Listener(throws=True), None),
    )
    drained()
    step("a listener that throws ends the sync with a coded error, and the next one goes on")

    # ---------------------------------------------------------------------------------------------- threads, processes
    before = len(detail().operations)
    twin = fs.Device.open(TABLET, options())

    def write(one, count):
        for n in range(count):
            one.statement(inspection, fs.NewStatement(person="同时", lines=[f"第 {n} 句"]))

    threads = [threading.Thread(target=write, args=(one, 10)) for one in (device, twin, device, twin)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    equal(len(detail().operations), before + 40)
    step("four threads over two open objects write one chain")
    del twin
    other = ask("other_process")
    beside = fs.Device.open(other["folder"], fs.DeviceOptions())
    for n in range(20):
        beside.statement(other["inspection"], fs.NewStatement(person="应用", lines=[f"应用第 {n} 句"]))
    equal(ask("other_process_done")["acknowledged"], 30)
    del beside
    step("two processes write into one store, and nothing is lost")

    # ---------------------------------------------------------------------------------------------- crash
    device.set_draft(inspection, "note/weather/text", "断电前的话")
    sealed = len(detail().operations)
    NOTES.write_text(json.dumps({
        "number": number, "inspection": inspection, "enterprise": enterprise, "finding": finding, "sealed": sealed,
        "sha256": captured.sha256,
    }))
    until_killed()

# -------------------------------------------------------------------------------------------------- after the crash
notes = json.loads(NOTES.read_text())
inspection, enterprise, finding = notes["inspection"], notes["enterprise"], notes["finding"]
device = fs.Device.open(TABLET, options())
equal(len(detail().operations), notes["sealed"])
step("after being killed in a capture every operation is there")
equal(sorted(draft.value for draft in device.drafts(inspection)), ["天气晴，正常生产", "断电前的话"])
step("and every draft")
equal((len(detail().evidence), device.status().unsealed_files), (3, 0))
need(device.check_blob(notes["sha256"]), "the photograph is not as it was")
step("half a film is no evidence, and the photograph is whole")
equal(device.at_work(), None)
fails(fs.FieldsealError.Refused, "session_ended", lambda: device.attest(FIRST[1], [detail().operations[0].operation], fs.Meaning.MADE, None))
for _, certificate, pin in (SECOND, FIRST):
    device.unlock(certificate, pin)
step("keys are closed until the PINs are entered again")
need(len(device.commit(inspection)) == 2 and not device.drafts(None), "drafts are left")
equal(detail().remark, "天气晴，正常生产")
step("the drafts are signed")

# -------------------------------------------------------------------------------------------------- 1 GiB
gc.collect()
Path("/proc/self/clear_refs").write_text("5")
held, disk = folder_bytes(), []
film = Film(GIB, at_bytes=(GIB - (64 << 20), lambda: disk.append(folder_bytes())))
before, listener, began = status_kb("VmRSS"), Listener(), time.monotonic()
gib = device.capture(inspection, about("无人机航拍", expected_bytes=GIB), film, listener, None)
took, grown = time.monotonic() - began, status_kb("VmHWM") - before
equal((gib.size, gib.sha256), (GIB, film.hash.hexdigest()))
step("1 GiB is captured from a stream and hashed once", f"{took:.1f} s, {GIB / took / 1e6:.0f} MB/s")
need(grown < MOST_MEMORY_KB, f"the peak grew by {grown} KB")
step("memory does not grow with the evidence", f"VmHWM grew by {grown / 1024:.1f} MiB to {status_kb('VmHWM') / 1024:.0f} MiB")
need(listener.told[-1].bytes == GIB and listener.told[-1].total_bytes == GIB and len(listener.told) > 3, listener.told[-1])
step("the listener was told in bytes")
disk.append(folder_bytes())
need(max(disk) - held < GIB + MOST_DISK, f"the folder grew by {max(disk) - held} bytes")
step("no second copy is on the disk, neither while it was captured nor after", f"{(max(disk) - held) / GIB:.4f} GiB")
step("a check of the film is cancelled at once", stopped_by("check_cancelled", device.check_blob, gib.sha256))
step("a check of everything is cancelled at once", stopped_by("check_cancelled", device.check_everything))
step("a rescue file is cancelled at once", stopped_by("rescue_cancelled", device.rescue, str(FOLDER / "stopped.fsr")))
need(not (FOLDER / "stopped.fsr").exists(), "half a rescue file is left")
listener = Listener()
need(device.check_blob(gib.sha256, listener), "the film is not as it was")
equal((listener.told[-1].step, listener.told[-1].bytes, listener.told[-1].total_bytes), ("check", GIB, GIB))
step("a check that nobody stops tells its bytes to the end")

# -------------------------------------------------------------------------------------------------- documents
step("a document is cancelled at once", stopped_by("document_cancelled", device.issue_document, inspection, "inspection_record"))
equal(detail().documents, [])
listener = Listener()
issued = device.issue_document(inspection, "inspection_record", listener)
equal([progress.step for progress in listener.told], ["fonts", "typesetting", "sealing"])
need(issued.pdf.startswith(b"%PDF-1.7") and issued.pages >= 1 and len(issued.words.split("-")) >= 1, issued.words)
equal(hashlib.sha256(issued.pdf).hexdigest(), issued.pdf_sha256)
step("the inspection record is printed as a PDF", f"{len(issued.pdf) // 1024} KiB")
equal(device.read_blob(issued.pdf_sha256, 0, 1 << 20), issued.pdf)
step("the same PDF is read back")
pen = [fs.Stroke(points=[fs.StrokePoint(x=1000 + 700 * i, y=5000 + 2500 * (i % 3), t_ms=20 * i) for i in range(12)])]
fails(
    fs.FieldsealError.Refused, "document_changed",
    lambda: device.sign_document(issued.document, "officer", FIRST[0], notes["sha256"], pen),
)
step("strokes over another file than the PDF that was issued are refused")
signed = device.sign_document(issued.document, "officer", FIRST[0], issued.pdf_sha256, pen)
need(signed.signed_pdf_sha256 and device.read_blob(signed.signed_pdf_sha256, 0, 8).startswith(b"%PDF"), signed)
step("an officer signs on glass, and a copy bears the strokes")
fails(
    fs.FieldsealError.Refused, "document_signed",
    lambda: device.sign_document(issued.document, "officer", FIRST[0], issued.pdf_sha256, pen),
)
step("a role signs once")
fails(
    fs.FieldsealError.Refused, "strokes_empty",
    lambda: device.sign_document(issued.document, "second_officer", SECOND[0], issued.pdf_sha256, []),
)
step("an empty signature is none")
device.refuse_document(issued.document, "responsible", "钱守业", "对检查结果有异议", "周同尘", None)
[document] = detail().documents
equal({one.role: one.outcome for one in document.signatures}, {"officer": "signed", "responsible": "refused"})
equal(document.unsigned, ["second_officer"])
step("a refusal stands with reason and witness in place of strokes")
device.attest(FIRST[1], [issued.operation], fs.Meaning.MADE, None)
equal(detail().documents[0].awaiting, ["second_officer"])
device.attest(SECOND[1], [issued.operation], fs.Meaning.APPROVED, None)
equal(detail().documents[0].awaiting, [])
equal(device.at_work().certificate, FIRST[1])
step("two officers attest with their keys, and the first stays at work")

# -------------------------------------------------------------------------------------------------- offline, states
ask("network", mode="down")
offline = device.sync(fs.SyncOptions(), None, None)
equal((offline.ending, offline.problem.code), (fs.SyncEnding.OFFLINE, "server_unreachable"))
need(offline.waiting.operations > 0 and offline.waiting.files > 0, offline.waiting)
step("without a network everything is kept and counted")
target = FOLDER / "rescue.fsr"
small = fs.NewStatement(person="钱守业", lines=["没有网络时说的话。"])
device.statement(inspection, small)
device.set_draft(inspection, "note/stick/text", "还没签的话")
rescued = device.rescue(str(target))
equal((rescued.drafts, rescued.requests, rescued.left_out), (1, 0, []))
device.commit(inspection)
need(rescued.operations == offline.waiting.operations + 1 and rescued.bytes == target.stat().st_size > GIB, rescued)
step("a rescue file holds what only this tablet has", f"{rescued.operations} operations, {rescued.files} files")
fails(fs.FieldsealError.Failed, "io_failed", lambda: device.rescue(str(target)))
target.unlink()
step("a rescue file is never written over another file")
ask("network", mode="stall")
cancel = fs.Cancel()


def stalled(wish):
    threading.Timer(1.0, wish).start()
    equal(device.sync(fs.SyncOptions(patience_ms=60_000), None, cancel).ending, fs.SyncEnding.CANCELLED)


step("a sync is cancelled at once while nothing moves", prompt(stalled, cancel))
ask("network", mode="pass")
device.check(inspection, "r4", fs.CheckResult.VIOLATION, "")
ask("rival", inspection=inspection, item="r4", result="ok")
equal(sync(only_records=True, patience_ms=30_000).ending, fs.SyncEnding.DONE)
[conflict] = detail().conflicts
equal((conflict.path, sorted(value.value for value in conflict.values)), ("check/r4/result", ["ok", "violation"]))
step("two tablets that disagree leave both values side by side")
states = {one.state for one in detail().operations if one.mine}
equal(states, {fs.ItemState.IN_LOG})
[evidence] = [one for one in detail().evidence if one.size == GIB]
equal((evidence.state, evidence.bytes_received, evidence.bytes_here), (fs.ItemState.IN_LOG, False, True))
step("records went ahead of the film, which still waits")
receipts = device.receipts(issued.operation)
equal(sorted({receipt.kind for receipt in receipts}), ["batch", "index"])
need(all(len(receipt.bytes) > 100 for receipt in receipts), "receipts are empty")
step("the server's signed receipts are at hand")

# -------------------------------------------------------------------------------------------------- the film goes up
cancel, moving = fs.Cancel(), threading.Event()


def upload(wish):
    def look(progress):
        if progress.step == "blobs" and progress.bytes > (24 << 20) and not moving.is_set():
            moving.set()
            threading.Timer(0.05, wish).start()

    ended = device.sync(fs.SyncOptions(patience_ms=60_000), Listener(on=look), cancel)
    equal(ended.ending, fs.SyncEnding.CANCELLED)


step("a sync is cancelled at once while a film goes up", prompt(upload, cancel))
session, sent = device.begin_sync(fs.SyncOptions()), 0
while sent < 6:
    part = session.next_part()
    if part.is_send():
        wire.exchange(session, part.request)
        sent += part.request.body.is_evidence()
    else:
        need(part.is_wait(), part)
need(session.progress().bytes > 0, session.progress())
session.cancel()
equal(session.next_part().report.ending, fs.SyncEnding.CANCELLED)
step("a host that owns the socket sends parts of the film itself")
began = time.monotonic()
report = drained()
took = time.monotonic() - began
need(report.file_bytes < GIB, f"{report.file_bytes} bytes were sent although a part was there")
step("the rest follows from where it stood", f"{report.file_bytes / took / 1e6:.0f} MB/s")
need(all(one.bytes_received for one in detail().evidence), detail().evidence)
equal((device.status().waiting, device.status().files_waiting), (0, 0))
step("every file has its receipt")
device.statement(inspection, fs.NewStatement(person="钱守业", lines=["最后一句。"]))
report, requests = wire.run(device.begin_sync(fs.SyncOptions(patience_ms=30_000)))
equal((report.ending, report.received, report.waiting.operations), (fs.SyncEnding.DONE, 1, 0))
step("a whole sync runs over the host's own socket", f"{requests} requests")

# -------------------------------------------------------------------------------------------------- the next visit
device.close_inspection(inspection)
equal(detail().stage, fs.InspectionStage.CLOSED)
step("the inspection is closed")
visit = device.begin(fs.NewInspection(enterprise=enterprise, title="复查", certificates=[FIRST[1], SECOND[1]]))
[order] = [order for order in device.inspection(visit.id).open_orders if order.items[0].text == "立即清理安全出口"]
equal(order.items[0].due, "2027-01-15")
step("the next visit shows the open order")
new = device.enterprise_add(fs.NewEnterprise(name="云岭县新发现加工点", credit_code="91530000WRONG0000X"))
[entry] = device.enterprises("新发现加工点")
equal((entry.enterprise, entry.credit_code, entry.credit_code_raw), (new.id, None, "91530000WRONG0000X"))
step("a wrong credit code is kept as entered")
unplanned = device.begin(fs.NewInspection(enterprise=new.id))
equal(device.inspection(unplanned.id).summary.title, "云岭县新发现加工点")
step("an inspection that nobody assigned begins")
ask("network", mode="down")
device.check(unplanned.id, "t1", fs.CheckResult.OK, "")
rescued = device.rescue(str(target))
ask("network", mode="pass")
need(rescued.operations >= 4, rescued)
ask("hand_in", file=str(target))
report = drained()
step("a rescue file that the office took in leaves nothing to send twice", f"{rescued.operations} operations")

# -------------------------------------------------------------------------------------------------- checks
checked = device.check_everything()
need(checked.clean and checked.files >= 5 and not checked.faults, checked)
step("everything reads as it was written", f"{checked.operations} operations, {checked.files} files")
handed = ask("bundle", inspection=inspection)
step("a check of the bundle is cancelled at once", stopped_by(
    "check_cancelled", fs.verify_bundle, handed["bundle"], handed["trust"], None,
))
verified = fs.verify_bundle(handed["bundle"], handed["trust"], issued.words)
equal((verified.verdict, verified.findings), (fs.Verdict.ANCHORED, []))
need(verified.complete_by_roll and any(item.title == "无人机航拍" for item in verified.items), verified)
step("the hearing's bundle holds against the agency's trust", f"{verified.operations} operations")
record = next(Path(handed["bundle"], "data", "operations").iterdir())
record.write_bytes(record.read_bytes()[:-1] + bytes([record.read_bytes()[-1] ^ 1]))
equal(fs.verify_bundle(handed["bundle"], handed["trust"], None).verdict, fs.Verdict.INVALID)
shutil.rmtree(handed["bundle"])
step("one changed byte makes it invalid")
fails(fs.FieldsealError.Refused, "file_missing", lambda: fs.verify_bundle(handed["bundle"], handed["trust"], None))
step("nothing to judge is an error, not a verdict")
device.lock(FIRST[1])
fails(fs.FieldsealError.Refused, "session_ended", lambda: device.attest(FIRST[1], [issued.operation], fs.Meaning.MADE, None))
equal(device.at_work().certificate, SECOND[1])
step("a locked key signs nothing")
need(fs.catalogue_text("acquisition.camera", "zh") != fs.catalogue_text("acquisition.camera", "en"), "one language")
step("words for labels come from the catalogue in both languages")
step("peak memory of the whole run is noted", f"VmHWM {status_kb('VmHWM') / 1024:.0f} MiB")
