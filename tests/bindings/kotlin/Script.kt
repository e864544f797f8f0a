// An app's life in numbered steps, with nothing but the bindings. The same script stands in Python beside this one.

import java.io.File
import java.security.MessageDigest
import java.util.HexFormat
import java.util.Properties
import java.util.Timer
import kotlin.concurrent.schedule
import kotlin.concurrent.thread
import kotlin.system.exitProcess
import uniffi.fieldseal.*

val FOLDER = File(System.getenv("FIELDSEAL_FOLDER"))
val AGAIN = System.getenv("FIELDSEAL_AGAIN") == "1"
val TABLET = File(FOLDER, "tablet").path
val NOTES = File(FOLDER, "notes")
val FIRST = Triple("林见川", "云应急执20230201", "246810")
val SECOND = Triple("苏砚秋", "云应急执20230202", "135791")
const val GIB = 1L shl 30
const val PROMPT_MS = 100
// What the library and this JVM's garbage may add to the peak while 1 GiB streams through it.
const val MOST_MEMORY_KB = 192 * 1024
// What the tablet's folder may grow by beside 1 GiB: authentication of its segments, the record, the journal.
const val MOST_DISK = 16L shl 20

val clock = Clock()
val chip = Chip(File(FOLDER, "chip"))
val notes = Properties().apply { if (AGAIN) NOTES.reader().use(::load) }
var number = notes.getProperty("number", "0").toInt()

fun step(words: String, measured: String? = null) {
    number += 1
    println("ok $number $words" + if (measured == null) "" else ": $measured")
    System.out.flush()
}

fun quoted(text: String) = "\"" + text.replace("\\", "\\\\").replace("\"", "\\\"") + "\""

/** Asks the driver; the answer is one line of JSON. */
fun ask(what: String, vararg more: Pair<String, Any>): String {
    val fields = listOf("ask" to what, *more).joinToString(",") { (name, value) ->
        val shown = if (value is List<*>) value.joinToString(",", "[", "]") { quoted(it as String) } else quoted(value as String)
        "${quoted(name)}:$shown"
    }
    println("ask {$fields}")
    System.out.flush()
    return readln()
}

/** A text of an answer. */
fun String.at(name: String) = Regex("\"$name\":\"([^\"]*)\"").find(this)?.groupValues?.get(1) ?: error("$this has no $name")

fun need(holds: Boolean, what: Any?) = check(holds) { what.toString() }

fun equal(found: Any?, wanted: Any?) = check(found == wanted) { "$found instead of $wanted" }

val FieldsealException.problem
    get() = when (this) {
        is FieldsealException.Refused -> problem
        is FieldsealException.Later -> problem
        is FieldsealException.Storage -> problem
        is FieldsealException.Stopped -> problem
        is FieldsealException.Failed -> problem
    }

/** The call fails with this kind and code, with a sentence in both languages; the problem. */
inline fun <reified T : FieldsealException> fails(code: String, call: () -> Any?): Problem {
    try {
        call()
    } catch (error: FieldsealException) {
        check(error is T) { "$error" }
        equal(error.problem.code, code)
        need(error.problem.zh.isNotEmpty() && error.problem.en.isNotEmpty(), "it says nothing")
        return error.problem
    }
    error("it did not fail with $code")
}

/** Milliseconds from the wish to stop to the call's return. */
fun prompt(cancel: Cancel, call: (() -> Unit) -> Unit): String {
    var wished = 0L
    call {
        if (wished == 0L) wished = System.nanoTime()
        cancel.cancel()
    }
    val took = (System.nanoTime() - wished) / 1_000_000
    need(took < PROMPT_MS, "it took $took ms")
    return "$took ms"
}

fun options() = DeviceOptions(clock = clock, keys = chip)

fun about(
    title: String, acquisition: Acquisition = Acquisition.CAMERA, kind: String = "audio_visual", finding: String? = null,
    place: Place? = null, expected: Long? = null,
) = EvidenceAbout(
    acquisition = acquisition, kind = kind, title = title, proves = "现场状况", finding = finding, place = place,
    expectedBytes = expected?.toULong(),
)

fun statusKb(name: String) = File("/proc/self/status").readLines().first { it.startsWith(name) }.filter(Char::isDigit).toInt()

fun sha256(bytes: ByteArray): String = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes))

lateinit var device: Device
lateinit var inspection: String

fun sync(patienceMs: Long? = null, onlyRecords: Boolean = false) =
    device.sync(SyncOptions(onlyRecords, patienceMs?.toULong()), null, null)

fun drained(): SyncReport {
    val report = sync(60_000)
    equal(report.ending, SyncEnding.DONE)
    equal(report.waiting, Waiting(0u, 0u, 0u, 0u))
    return report
}

fun detail() = device.inspection(inspection)

/** What the tablet's folder takes on the disk. */
fun folderBytes() = File(TABLET).walk().filter(File::isFile).sumOf(File::length)

/** Stops a call after 64 MiB of its work, or at its first step where it has no bytes; milliseconds until it returned. */
fun stoppedBy(code: String, call: (Listener, Cancel) -> Any?): String {
    val cancel = Cancel()
    return prompt(cancel) { wish ->
        var wished = false
        val look = Listener { progress ->
            if (!wished && (progress.bytes > (64uL shl 20) || progress.step == "typesetting")) {
                wished = true
                wish()
            }
        }
        fails<FieldsealException.Stopped>(code) { call(look, cancel) }
    }
}

fun main() {
    try {
        if (!AGAIN) beforeTheCrash()
        afterTheCrash()
    } catch (error: Throwable) {
        error.printStackTrace()
        exitProcess(1)
    }
    exitProcess(0)
}

fun beforeTheCrash() {
    // ------------------------------------------------------------------------------------------------ enrolment
    val text = ask("invite", "label" to "平板 脚本").at("text")
    val card = readEnrolmentText(text)
    need(card.url.startsWith("https://") && card.tlsSha256.length == 64 && !card.supervisor, card)
    step("an enrolment text is read without making anything")
    fails<FieldsealException.Refused>("enrolment_text") { readEnrolmentText("fieldseal:enrol:1:???") }
    step("a text that is none is refused")
    fails<FieldsealException.Refused>("key_suite") { Device.enrol(TABLET, text, "平板 脚本", KeySuite.ED25519, options()) }
    step("a suite that the host's key store does not have is refused")
    device = Device.enrol(TABLET, text, "平板 脚本", null, options())
    step("a device is made with the host's key store and clock")
    fails<FieldsealException.Failed>("already_enrolled") { Device.enrol(TABLET, text, null, null, options()) }
    step("a folder that holds a device is left alone")
    val who = device.identity()
    equal(Triple(who.custody, who.enrolment, who.label), Triple("hardware", EnrolmentStage.NEW, "平板 脚本"))
    need(who.fingerprint.startsWith("SHA256:") && chip.signed > 0, who)
    step("its operation key is in hardware and has signed the first operation")
    fails<FieldsealException.Failed>("key_store_other") { Device.open(TABLET, DeviceOptions()) }
    step("without the host's key store its keys stay closed")
    val first = sync()
    equal(first.ending to first.enrolmentRequests, SyncEnding.AWAITING_APPROVAL to 1uL)
    equal(device.identity().enrolment, EnrolmentStage.PENDING)
    step("the first sync sends the request and waits for approval")
    ask("approve")
    equal(sync().ending, SyncEnding.DONE)
    equal(device.identity().enrolment, EnrolmentStage.APPROVED)
    step("after the administrator's signature it is approved")
    device.tellBattery(37u)
    drained()
    val health = ask("health", "device" to who.device)
    need("\"battery_percent\":37" in health && Regex("\"free_bytes\":[1-9]") in health, health)
    step("the server is told of battery and free storage")
    val pack = device.rulePack()
    need(pack.items.size > 10 && pack.documents.isNotEmpty() && pack.refusalReasons.isNotEmpty(), pack)
    equal(device.packs().count { it.inForce }, 1)
    step("a rule pack is in force and lists what to choose from")

    // ------------------------------------------------------------------------------------------------ officers
    fails<FieldsealException.Refused>("pin_weak") { device.officerAdd(FIRST.first, FIRST.second, "officer", "1") }
    step("a short PIN is refused")
    for ((name, certificate, pin) in listOf(FIRST, SECOND)) {
        need(!device.officerAdd(name, certificate, "officer", pin).approved, name)
    }
    fails<FieldsealException.Refused>("officer_exists") { device.officerAdd(FIRST.first, FIRST.second, "officer", FIRST.third) }
    step("two officers get keys under their PINs, one certificate number once")
    equal(sync().enrolmentRequests, 2uL)
    ask("approve")
    drained()
    need(device.officers().all { it.approved }, device.officers())
    step("both officers are approved")
    val left = fails<FieldsealException.Refused>("pin_wrong") { device.unlock(FIRST.second, "000000") }.params[0].value
    equal(left, ParamValue.Count(2uL))
    step("a wrong PIN says how many tries are left, as a number")
    for ((_, certificate, pin) in listOf(FIRST, SECOND)) device.unlock(certificate, pin)
    equal(device.atWork()?.certificate, SECOND.second)
    device.takeOver(FIRST.second)
    equal(device.atWork()?.certificate, FIRST.second)
    step("the officer unlocked last is at work, and an open one takes over without a PIN")

    // ------------------------------------------------------------------------------------------------ assigned
    val assigned = ask("assign", "device" to who.device, "certificates" to listOf(FIRST.second, SECOND.second))
    inspection = assigned.at("inspection")
    val enterprise = assigned.at("enterprise")
    drained()
    val row = device.inspections().single()
    equal(row.inspection to row.closed, inspection to false)
    equal(detail().stage, InspectionStage.PLANNED)
    step("the assigned inspection arrives")
    need(detail().checks.size > 10 && detail().checks.all { it.result == null }, detail().checks)
    step("its checklist waits for answers")
    need(device.enterprises(row.party.take(4)).any { it.enterprise == enterprise }, row.party)
    step("an enterprise is found by a part of its name")

    // ------------------------------------------------------------------------------------------------ at work
    device.showCredentials(inspection, "钱守业", null, emptyList())
    need(detail().credentialsShown && detail().stage == InspectionStage.IN_PROGRESS, detail())
    step("credentials are shown with the pack's words")
    for ((name, result) in listOf("t1" to CheckResult.OK, "e1" to CheckResult.VIOLATION, "s1" to CheckResult.NOT_APPLICABLE)) {
        device.check(inspection, name, result, "现场查看")
    }
    val answers = detail().checks.associate { it.item to it.result }
    equal(listOf("t1", "e1", "s1").map(answers::get), listOf("ok", "violation", "not_applicable"))
    step("three items are answered in three ways")
    fails<FieldsealException.Refused>("not_in_pack") { device.check(inspection, "zz", CheckResult.OK, "") }
    step("an item that the pack does not have is refused")
    val finding = device.finding(inspection, NewFinding(text = "安全出口被堆物堵塞", grade = "larger", item = "e1", place = "仓库")).id
    device.finding(inspection, NewFinding(text = "安全出口被纸箱堵塞", grade = "larger", item = "e1", finding = finding))
    val found = detail().findings.single()
    equal(Triple(found.finding, found.text, found.grade), Triple(finding, "安全出口被纸箱堵塞", "larger"))
    step("a finding is recorded and written anew")
    device.statement(inspection, NewStatement(person = "钱守业", role = "负责人", lines = listOf("货物昨夜到的。", "今天就搬走。")))
    equal(detail().statements[0].lines, listOf("货物昨夜到的。", "今天就搬走。"))
    step("two lines of a statement are signed as they are said")
    fails<FieldsealException.Refused>("due_before_order") {
        device.order(inspection, NewOrderItem(text = "清理", due = "2020-01-01", finding = finding))
    }
    step("an order due before today is refused")
    device.order(inspection, NewOrderItem(text = "立即清理安全出口", due = "2027-01-15", finding = finding))
    val ordered = detail().orders.single()
    equal(ordered.due to ordered.grade, "2027-01-15" to "larger")
    step("an order takes the finding's grade over")
    device.setDraft(inspection, "inspection/remark", "天气晴")
    device.setDraft(inspection, "inspection/remark", "天气晴，正常生产")
    equal(device.drafts(inspection).single().value, "天气晴，正常生产")
    step("a draft is corrected freely")

    // ------------------------------------------------------------------------------------------------ evidence
    val photo = File(ask("photo").at("path")).readBytes()
    val halves = Pieces(photo.copyOf(photo.size / 2), photo.copyOfRange(photo.size / 2, photo.size))
    val place = Place(25.04, 102.71, 8.0)
    val captured = device.capture(inspection, about("安全出口", finding = finding, place = place), halves, null, null)
    equal(Triple(captured.sha256, captured.size, captured.mediaType), Triple(sha256(photo), photo.size.toULong(), "image/jpeg"))
    step("a photograph is captured from the host's stream")
    need(device.readBlob(captured.sha256, 100u, 1000u).contentEquals(photo.copyOfRange(100, 1100)), "other bytes")
    step("its bytes are read back by a range")
    val file = File(FOLDER, "企业提供.bin").apply { writeText("from the enterprise".repeat(100)) }
    val far = Place(95.0, 102.71, null)
    device.importFile(inspection, about("企业提供的台账", Acquisition.IMPORTED, "electronic_data", place = far), file.path, null, null)
    val given = detail().evidence[1]
    equal(Triple(given.acquisition, given.size, given.state), Triple("imported", 1900uL, ItemState.SEALED))
    step("an imported file stays imported, and a place out of range is left out")
    val pushed = device.beginCapture(inspection, about("现场录音", Acquisition.RECORDER))
    for (piece in 0..2) pushed.push(ByteArray(100_000) { piece.toByte() })
    equal(pushed.finish().size, 300_000uL)
    fails<FieldsealException.Refused>("capture_over") { pushed.push(ByteArray(4)) }
    step("a recording is pushed in pieces, and over once it is finished")
    val stopped = device.beginCapture(inspection, about("停止的录音", Acquisition.RECORDER))
    stopped.push(ByteArray(200_000))
    stopped.cancel()
    equal(detail().evidence.size, 3)
    step("a recording that is stopped is not sealed")
    val gone = fails<FieldsealException.Failed>("host_failed") {
        device.capture(inspection, about("断开的相机"), GoneCamera(), null, null)
    }
    need("unplugged" in gone.en, gone)
    equal(detail().evidence.size, 3)
    step("a source that throws ends with a coded error and seals nothing")
    val cancel = Cancel()
    step("a capture is cancelled at once", prompt(cancel) { wish ->
        fails<FieldsealException.Stopped>("capture_cancelled") {
            device.capture(inspection, about("长录像"), Film(GIB, 20L shl 20, wish), null, cancel)
        }
    })
    fails<FieldsealException.Storage>("storage_short") { device.storage(1uL shl 60) }
    need(device.storage(0u).minutes > 0u, "no room")
    step("too large a recording is refused before it begins")

    // ------------------------------------------------------------------------------------------------ hostile hosts
    clock.broken = true
    fails<FieldsealException.Failed>("host_failed") { device.check(inspection, "t1", CheckResult.OK, "") }
    clock.broken = false
    device.check(inspection, "t1", CheckResult.OK, "仍然正常")
    step("a clock that throws is a coded error, and the next call works")
    chip.refuses = true
    fails<FieldsealException.Failed>("key_refused") { device.check(inspection, "t1", CheckResult.OK, "") }
    chip.refuses = false
    step("a key that refuses writes nothing")
    fails<FieldsealException.Failed>("host_failed") { device.sync(SyncOptions(), Listener(throws = true), null) }
    drained()
    step("a listener that throws ends the sync with a coded error, and the next one goes on")

    // ------------------------------------------------------------------------------------------------ threads, processes
    val before = detail().operations.size
    val twin = Device.open(TABLET, options())
    val threads = listOf(device, twin, device, twin).map { one ->
        thread { for (n in 0..9) one.statement(inspection, NewStatement(person = "同时", lines = listOf("第 $n 句"))) }
    }
    threads.forEach(Thread::join)
    equal(detail().operations.size, before + 40)
    step("four threads over two open objects write one chain")
    twin.close()
    val other = ask("other_process")
    Device.open(other.at("folder"), DeviceOptions()).use { beside ->
        for (n in 0..19) beside.statement(other.at("inspection"), NewStatement(person = "应用", lines = listOf("应用第 $n 句")))
    }
    need("\"acknowledged\":30" in ask("other_process_done"), "the other process lost something")
    step("two processes write into one store, and nothing is lost")

    // ------------------------------------------------------------------------------------------------ crash
    device.setDraft(inspection, "note/weather/text", "断电前的话")
    val kept = mapOf(
        "number" to "$number", "inspection" to inspection, "enterprise" to enterprise, "finding" to finding,
        "sealed" to "${detail().operations.size}", "sha256" to captured.sha256,
    )
    NOTES.writer().use { Properties().apply { putAll(kept) }.store(it, null) }
    // Streams without end, until the driver ends this process in the middle of it.
    val endless = Film(Long.MAX_VALUE, 64L shl 20) { ask("kill") }
    device.capture(inspection, about("断电时的录像", Acquisition.RECORDER), endless, null, null)
}

fun afterTheCrash() {
    inspection = notes.getProperty("inspection")
    val (enterprise, photoHash) = notes.getProperty("enterprise") to notes.getProperty("sha256")
    device = Device.open(TABLET, options())
    equal(detail().operations.size, notes.getProperty("sealed").toInt())
    step("after being killed in a capture every operation is there")
    equal(device.drafts(inspection).map { it.value }.toSet(), setOf("天气晴，正常生产", "断电前的话"))
    step("and every draft")
    equal(detail().evidence.size to device.status().unsealedFiles, 3 to 0uL)
    need(device.checkBlob(photoHash), "the photograph is not as it was")
    step("half a film is no evidence, and the photograph is whole")
    equal(device.atWork(), null)
    fails<FieldsealException.Refused>("session_ended") {
        device.attest(FIRST.second, listOf(detail().operations[0].operation), Meaning.MADE, null)
    }
    for ((_, certificate, pin) in listOf(SECOND, FIRST)) device.unlock(certificate, pin)
    step("keys are closed until the PINs are entered again")
    need(device.commit(inspection).size == 2 && device.drafts(null).isEmpty(), "drafts are left")
    equal(detail().remark, "天气晴，正常生产")
    step("the drafts are signed")

    // ------------------------------------------------------------------------------------------------ 1 GiB
    System.gc()
    File("/proc/self/clear_refs").writeText("5")
    val resident = statusKb("VmRSS")
    val held = folderBytes()
    val disk = mutableListOf<Long>()
    val film = Film(GIB, GIB - (64L shl 20)) { disk.add(folderBytes()) }
    val listener = Listener()
    var began = System.nanoTime()
    val gib = device.capture(inspection, about("无人机航拍", expected = GIB), film, listener, null)
    val seconds = (System.nanoTime() - began) / 1e9
    val grown = statusKb("VmHWM") - resident
    equal(gib.size to gib.sha256, GIB.toULong() to HexFormat.of().formatHex(film.hash.digest()))
    step("1 GiB is captured from a stream and hashed once", "%.1f s, %.0f MB/s".format(seconds, GIB / seconds / 1e6))
    need(grown < MOST_MEMORY_KB, "the peak grew by $grown KB")
    step("memory does not grow with the evidence", "VmHWM grew by ${grown / 1024} MiB to ${statusKb("VmHWM") / 1024} MiB")
    val last = listener.told.last()
    need(last.bytes == GIB.toULong() && last.totalBytes == GIB.toULong() && listener.told.size > 3, last)
    step("the listener was told in bytes")
    disk.add(folderBytes())
    need(disk.max() - held < GIB + MOST_DISK, "the folder grew by ${disk.max() - held} bytes")
    step("no second copy is on the disk, neither while it was captured nor after", "%.4f GiB".format((disk.max() - held).toDouble() / GIB))
    step("a check of the film is cancelled at once", stoppedBy("check_cancelled") { l, c -> device.checkBlob(gib.sha256, l, c) })
    step("a check of everything is cancelled at once", stoppedBy("check_cancelled") { l, c -> device.checkEverything(l, c) })
    val half = File(FOLDER, "stopped.fsr")
    step("a rescue file is cancelled at once", stoppedBy("rescue_cancelled") { l, c -> device.rescue(half.path, l, c) })
    need(!half.exists(), "half a rescue file is left")
    val whole = Listener()
    need(device.checkBlob(gib.sha256, whole), "the film is not as it was")
    val end = whole.told.last()
    equal(Triple(end.step, end.bytes, end.totalBytes), Triple("check", GIB.toULong(), GIB.toULong()))
    step("a check that nobody stops tells its bytes to the end")

    // ------------------------------------------------------------------------------------------------ documents
    step("a document is cancelled at once", stoppedBy("document_cancelled") { l, c ->
        device.issueDocument(inspection, "inspection_record", l, c)
    })
    equal(detail().documents, emptyList<Any>())
    val steps = Listener()
    val issued = device.issueDocument(inspection, "inspection_record", steps)
    equal(steps.told.map { it.step }, listOf("fonts", "typesetting", "sealing"))
    need(issued.pdf.copyOf(8).decodeToString() == "%PDF-1.7" && issued.pages >= 1u && issued.words.isNotEmpty(), issued.words)
    equal(sha256(issued.pdf), issued.pdfSha256)
    step("the inspection record is printed as a PDF", "${issued.pdf.size / 1024} KiB")
    need(device.readBlob(issued.pdfSha256, 0u, 1u shl 20).contentEquals(issued.pdf), "another PDF")
    step("the same PDF is read back")
    val points = (0..11).map { StrokePoint((1000 + 700 * it).toUInt(), (5000 + 2500 * (it % 3)).toUInt(), (20 * it).toUInt()) }
    val pen = listOf(Stroke(points))
    fails<FieldsealException.Refused>("document_changed") {
        device.signDocument(issued.document, "officer", FIRST.first, photoHash, pen)
    }
    step("strokes over another file than the PDF that was issued are refused")
    val signed = device.signDocument(issued.document, "officer", FIRST.first, issued.pdfSha256, pen)
    equal(device.readBlob(signed.signedPdfSha256!!, 0u, 4u).decodeToString(), "%PDF")
    step("an officer signs on glass, and a copy bears the strokes")
    fails<FieldsealException.Refused>("document_signed") {
        device.signDocument(issued.document, "officer", FIRST.first, issued.pdfSha256, pen)
    }
    step("a role signs once")
    fails<FieldsealException.Refused>("strokes_empty") {
        device.signDocument(issued.document, "second_officer", SECOND.first, issued.pdfSha256, emptyList())
    }
    step("an empty signature is none")
    device.refuseDocument(issued.document, "responsible", "钱守业", "对检查结果有异议", "周同尘", null)
    val document = detail().documents.single()
    equal(document.signatures.associate { it.role to it.outcome }, mapOf("officer" to "signed", "responsible" to "refused"))
    equal(document.unsigned, listOf("second_officer"))
    step("a refusal stands with reason and witness in place of strokes")
    device.attest(FIRST.second, listOf(issued.operation), Meaning.MADE, null)
    equal(detail().documents[0].awaiting, listOf("second_officer"))
    device.attest(SECOND.second, listOf(issued.operation), Meaning.APPROVED, null)
    equal(detail().documents[0].awaiting, emptyList<String>())
    equal(device.atWork()?.certificate, FIRST.second)
    step("two officers attest with their keys, and the first stays at work")

    // ------------------------------------------------------------------------------------------------ offline, states
    ask("network", "mode" to "down")
    val offline = sync()
    equal(offline.ending to offline.problem?.code, SyncEnding.OFFLINE to "server_unreachable")
    need(offline.waiting.operations > 0u && offline.waiting.files > 0u, offline.waiting)
    step("without a network everything is kept and counted")
    val target = File(FOLDER, "rescue.fsr")
    device.statement(inspection, NewStatement(person = "钱守业", lines = listOf("没有网络时说的话。")))
    device.setDraft(inspection, "note/stick/text", "还没签的话")
    val rescued = device.rescue(target.path)
    equal(Triple(rescued.drafts, rescued.requests, rescued.leftOut.size), Triple(1uL, 0uL, 0))
    device.commit(inspection)
    need(rescued.operations == offline.waiting.operations + 1u && rescued.bytes == target.length().toULong() && target.length() > GIB, rescued)
    step("a rescue file holds what only this tablet has", "${rescued.operations} operations, ${rescued.files} files")
    fails<FieldsealException.Failed>("io_failed") { device.rescue(target.path) }
    target.delete()
    step("a rescue file is never written over another file")
    ask("network", "mode" to "stall")
    val stall = Cancel()
    step("a sync is cancelled at once while nothing moves", prompt(stall) { wish ->
        Timer(true).schedule(1000) { wish() }
        equal(device.sync(SyncOptions(patienceMs = 60_000u), null, stall).ending, SyncEnding.CANCELLED)
    })
    ask("network", "mode" to "pass")
    device.check(inspection, "r4", CheckResult.VIOLATION, "")
    ask("rival", "inspection" to inspection, "item" to "r4", "result" to "ok")
    equal(sync(30_000, onlyRecords = true).ending, SyncEnding.DONE)
    val conflict = detail().conflicts.single()
    equal(conflict.path to conflict.values.map { it.value }.toSet(), "check/r4/result" to setOf("ok", "violation"))
    step("two tablets that disagree leave both values side by side")
    equal(detail().operations.filter { it.mine }.map { it.state }.toSet(), setOf(ItemState.IN_LOG))
    val waiting = detail().evidence.single { it.size == GIB.toULong() }
    equal(Triple(waiting.state, waiting.bytesReceived, waiting.bytesHere), Triple(ItemState.IN_LOG, false, true))
    step("records went ahead of the film, which still waits")
    val receipts = device.receipts(issued.operation)
    equal(receipts.map { it.kind }.toSet(), setOf("batch", "index"))
    need(receipts.all { it.bytes.size > 100 }, "receipts are empty")
    step("the server's signed receipts are at hand")

    // ------------------------------------------------------------------------------------------------ the film goes up
    val up = Cancel()
    step("a sync is cancelled at once while a film goes up", prompt(up) { wish ->
        var moving = false
        val look = Listener { progress ->
            if (progress.step == "blobs" && progress.bytes > (24uL shl 20) && !moving) {
                moving = true
                Timer(true).schedule(50) { wish() }
            }
        }
        equal(device.sync(SyncOptions(patienceMs = 60_000u), look, up).ending, SyncEnding.CANCELLED)
    })
    val wire = Wire(device.card().tlsSha256)
    val session = device.beginSync(SyncOptions())
    var sent = 0
    while (sent < 6) {
        when (val part = session.nextPart()) {
            is SyncPart.Send -> {
                wire.exchange(session, part.request)
                if (part.request.body is RequestBody.Evidence) sent += 1
            }
            is SyncPart.Wait -> {}
            is SyncPart.Done -> error("$part")
        }
    }
    need(session.progress().bytes > 0u, session.progress())
    session.cancel()
    equal((session.nextPart() as SyncPart.Done).report.ending, SyncEnding.CANCELLED)
    step("a host that owns the socket sends parts of the film itself")
    began = System.nanoTime()
    val rest = drained()
    val took = (System.nanoTime() - began) / 1e9
    need(rest.fileBytes < GIB.toULong(), "${rest.fileBytes} bytes were sent although a part was there")
    step("the rest follows from where it stood", "%.0f MB/s".format(rest.fileBytes.toLong() / took / 1e6))
    need(detail().evidence.all { it.bytesReceived }, detail().evidence)
    equal(device.status().waiting to device.status().filesWaiting, 0uL to 0uL)
    step("every file has its receipt")
    device.statement(inspection, NewStatement(person = "钱守业", lines = listOf("最后一句。")))
    val (own, requests) = wire.run(device.beginSync(SyncOptions(patienceMs = 30_000u)))
    equal(Triple(own.ending, own.received, own.waiting.operations), Triple(SyncEnding.DONE, 1uL, 0uL))
    step("a whole sync runs over the host's own socket", "$requests requests")

    // ------------------------------------------------------------------------------------------------ the next visit
    device.closeInspection(inspection)
    equal(detail().stage, InspectionStage.CLOSED)
    step("the inspection is closed")
    val visit = device.begin(NewInspection(enterprise = enterprise, title = "复查", certificates = listOf(FIRST.second, SECOND.second)))
    val order = device.inspection(visit.id).openOrders.single { it.items[0].text == "立即清理安全出口" }
    equal(order.items[0].due, "2027-01-15")
    step("the next visit shows the open order")
    val new = device.enterpriseAdd(NewEnterprise(name = "云岭县新发现加工点二", creditCode = "91530000WRONG0000X"))
    val entry = device.enterprises("新发现加工点二").single()
    equal(Triple(entry.enterprise, entry.creditCode, entry.creditCodeRaw), Triple(new.id, null, "91530000WRONG0000X"))
    step("a wrong credit code is kept as entered")
    val unplanned = device.begin(NewInspection(enterprise = new.id))
    equal(device.inspection(unplanned.id).summary.title, "云岭县新发现加工点二")
    step("an inspection that nobody assigned begins")
    ask("network", "mode" to "down")
    device.check(unplanned.id, "t1", CheckResult.OK, "")
    val stick = device.rescue(target.path)
    ask("network", "mode" to "pass")
    need(stick.operations >= 4u, stick)
    ask("hand_in", "file" to target.path)
    drained()
    step("a rescue file that the office took in leaves nothing to send twice", "${stick.operations} operations")

    // ------------------------------------------------------------------------------------------------ checks
    val checked = device.checkEverything()
    need(checked.clean && checked.files >= 5u && checked.faults.isEmpty(), checked)
    step("everything reads as it was written", "${checked.operations} operations, ${checked.files} files")
    val handed = ask("bundle", "inspection" to inspection)
    val (bundle, trust) = handed.at("bundle") to handed.at("trust")
    step("a check of the bundle is cancelled at once", stoppedBy("check_cancelled") { l, c -> verifyBundle(bundle, trust, null, l, c) })
    val verified = verifyBundle(bundle, trust, issued.words)
    equal(verified.verdict to verified.findings, Verdict.ANCHORED to emptyList<Finding>())
    need(verified.completeByRoll && verified.items.any { it.title == "无人机航拍" }, verified)
    step("the hearing's bundle holds against the agency's trust", "${verified.operations} operations")
    val record = File(bundle, "data/operations").listFiles()!!.first()
    record.writeBytes(record.readBytes().also { it[it.size - 1] = (it.last().toInt() xor 1).toByte() })
    equal(verifyBundle(bundle, trust, null).verdict, Verdict.INVALID)
    File(bundle).deleteRecursively()
    step("one changed byte makes it invalid")
    fails<FieldsealException.Refused>("file_missing") { verifyBundle(bundle, trust, null) }
    step("nothing to judge is an error, not a verdict")
    device.lock(FIRST.second)
    fails<FieldsealException.Refused>("session_ended") {
        device.attest(FIRST.second, listOf(issued.operation), Meaning.MADE, null)
    }
    equal(device.atWork()?.certificate, SECOND.second)
    step("a locked key signs nothing")
    need(catalogueText("acquisition.camera", "zh") != catalogueText("acquisition.camera", "en"), "one language")
    step("words for labels come from the catalogue in both languages")
    step("peak memory of the whole run is noted", "VmHWM ${statusKb("VmHWM") / 1024} MiB")
}
