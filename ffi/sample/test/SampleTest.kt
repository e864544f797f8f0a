// Does an inspection with the sample app as a person would: types, clicks, draws a signature. What the app shows is read from
// its window; what others do (administrator, supervisor) is asked of the driver, see tests/bindings.

import java.awt.Component
import java.awt.Container
import java.awt.Robot
import java.awt.event.InputEvent
import java.awt.event.MouseEvent
import java.awt.image.BufferedImage
import java.io.File
import javax.imageio.ImageIO
import javax.swing.AbstractButton
import javax.swing.JComboBox
import javax.swing.JLabel
import javax.swing.JTextField
import javax.swing.SwingUtilities
import javax.swing.text.JTextComponent
import kotlin.system.exitProcess

private val FOLDER = File(System.getenv("FIELDSEAL_FOLDER"))
private val PICTURES = System.getenv("FIELDSEAL_PICTURES")?.let(::File)
private val FIRST = Triple("周岚", "云应急执20230301", "864209")
private val SECOND = Triple("宋知远", "云应急执20230302", "975310")
private var number = 0
private lateinit var app: App

private fun step(words: String) {
    number += 1
    println("ok $number $words")
    System.out.flush()
    PICTURES?.let { picture(File(it, "%02d.png".format(number))) }
}

private fun quoted(text: String) = "\"" + text.replace("\\", "\\\\").replace("\"", "\\\"") + "\""

private fun ask(what: String, vararg more: Pair<String, Any>): String {
    val fields = listOf("ask" to what, *more).joinToString(",") { (name, value) ->
        val shown = if (value is List<*>) value.joinToString(",", "[", "]") { quoted(it as String) } else quoted(value as String)
        "${quoted(name)}:$shown"
    }
    println("ask {$fields}")
    System.out.flush()
    return readln()
}

private fun String.at(name: String) = Regex("\"$name\":\"([^\"]*)\"").find(this)?.groupValues?.get(1) ?: error("$this has no $name")

private fun <T> onScreen(look: () -> T): T {
    var seen: Result<T>? = null
    SwingUtilities.invokeAndWait { seen = runCatching(look) }
    return seen!!.getOrThrow()
}

private fun all(root: Container): Sequence<Component> = root.components.asSequence().flatMap { sequenceOf(it) + if (it is Container) all(it) else emptySequence() }

private fun find(name: String) = all(app.window.contentPane).firstOrNull { it.name == name && it.isShowing }

/** Waits for the screen to show something; a robot that is idle has let every event of the window pass. */
private fun <T : Any> await(what: String, look: () -> T?): T {
    val robot = Robot()
    val until = System.nanoTime() + 120_000_000_000
    while (System.nanoTime() < until) {
        onScreen(look)?.let { return it }
        robot.delay(30)
    }
    picture(File(FOLDER, "stuck.png"))
    error("the window never showed $what; it says: ${onScreen { (find("notice") as? JLabel)?.text }}; see ${FOLDER}/stuck.png")
}

private fun click(name: String) {
    val button = await("a button $name") { find(name) as? AbstractButton }
    SwingUtilities.invokeLater { button.doClick(20) }
}

private fun type(name: String, text: String) {
    val field = await("a field $name") { find(name) as? JTextComponent }
    onScreen { field.text = text }
}

private fun choose(name: String, index: Int) {
    val box = await("a list $name") { find(name) as? JComboBox<*> }
    onScreen { box.selectedIndex = index }
}

private fun texts() = all(app.window.contentPane).filter { it.isShowing }.mapNotNull {
    when (it) {
        is JLabel -> it.text
        is AbstractButton -> it.text
        is JTextField -> null
        is JTextComponent -> it.text
        else -> null
    }
}

private fun shows(words: String) = await("“$words”") { texts().firstOrNull { words in it } }

private fun picture(file: File) {
    val image = onScreen {
        val window = app.window
        BufferedImage(window.contentPane.width, window.contentPane.height, BufferedImage.TYPE_INT_RGB).also { image ->
            val pen = image.createGraphics()
            window.contentPane.paint(pen)
            pen.dispose()
        }
    }
    ImageIO.write(image, "png", file)
}

/** A signature with the pen on the pad. */
private fun signature() {
    val pad = await("the pad") { find("pad") as? SignaturePad }
    var time = System.currentTimeMillis()
    fun pen(id: Int, x: Double, y: Double) {
        time += 9
        val event = MouseEvent(pad, id, time, InputEvent.BUTTON1_DOWN_MASK, (x * pad.width).toInt(), (y * pad.height).toInt(), 1, false, MouseEvent.BUTTON1)
        onScreen { pad.dispatchEvent(event) }
    }
    for (stroke in 0..3) {
        val x0 = 0.14 + 0.19 * stroke
        pen(MouseEvent.MOUSE_PRESSED, x0, 0.25)
        for (n in 1..24) {
            val t = n / 24.0
            pen(MouseEvent.MOUSE_DRAGGED, x0 + 0.15 * t + 0.03 * Math.sin(9 * t), 0.25 + 0.42 * t * (1 - 0.4 * (stroke % 2)) + 0.08 * Math.cos(7 * t + stroke))
        }
        pen(MouseEvent.MOUSE_RELEASED, x0 + 0.15, 0.6)
    }
}

private fun synced() {
    click("sync")
    await("a sync that is done") { (find("notice") as? JLabel)?.text?.takeIf { it.startsWith("已同步") } }
    onScreen { find("notice")?.parent?.isVisible = false }
}

fun main() {
    try {
        play()
    } catch (error: Throwable) {
        error.printStackTrace()
        exitProcess(1)
    }
    exitProcess(0)
}

private fun play() {
    onScreen { app = App(File(FOLDER, "device").apply { mkdirs() }).apply { begin() } }
    type("enrolment-text", ask("invite", "label" to "平板 D2").at("text"))
    click("read")
    shows("https://")
    step("a pasted enrolment text shows whose server it is")
    click("enrol")
    shows("尚未上报")
    click("sync")
    shows("等待管理员批准")
    step("the device asks for approval")
    ask("approve")
    click("sync")
    shows("已批准")
    for ((name, certificate, pin) in listOf(FIRST, SECOND)) {
        click("add-officer")
        type("officer-name", name)
        type("officer-certificate", certificate)
        type("officer-pin", pin)
        click("add")
        await("the officers") { (find("officers") as? JComboBox<*>)?.takeIf { box -> (0 until box.itemCount).any { certificate in "${box.getItemAt(it)}" } } }
    }
    click("sync")
    shows("已同步")
    ask("approve")
    onScreen { find("notice")?.parent?.isVisible = false }
    step("two officers are added")
    type("pin", "000000")
    click("unlock")
    await("the refusal") { (find("notice") as? JLabel)?.text?.takeIf { "口令" in it || "PIN" in it } }
    step("a wrong PIN is told in the library's sentence")
    type("pin", FIRST.third)
    click("unlock")
    shows("还没有交办的检查")
    val device = app.device!!
    synced()
    ask("assign", "device" to device.identity().device, "certificates" to listOf(FIRST.second, SECOND.second))
    synced()
    shows("已交办")
    step("the assigned inspection appears with its checklist")
    click("credentials")
    shows("检查中")
    click("answer-e1-violation")
    await("the answer") { texts().firstOrNull { it == "检查表 1/${device.rulePack().items.size}" } ?: texts().firstOrNull { it.startsWith("检查表 1/") } }
    for (item in listOf("t1", "t2", "s1", "s2")) {
        val before = texts().first { it.startsWith("检查表 ") }
        click("answer-$item-ok")
        await("the next answer") { texts().firstOrNull { it.startsWith("检查表 ") && it != before } }
    }
    step("items are answered by a click")
    click("tab-findings")
    type("finding-text", "安全出口被纸箱堵塞，疏散通道不足一米")
    type("finding-place", "成品仓库东侧")
    type("order-due", "2027-01-15")
    click("finding-record")
    shows("限 2027-01-15 前整改")
    step("a finding is sealed with the day by which it is put right")
    click("tab-evidence")
    type("evidence-title", "企业提供的现场照片")
    val photo = File(ask("photo").at("path"))
    SwingUtilities.invokeLater { (all(app.window.contentPane).first { it is EvidenceTab } as EvidenceTab).import(photo) }
    shows("导入")
    // The camera of this test is a command, see tests/bindings/run.sh: it gives a picture of its own.
    File(FOLDER, "camera.jpg").writeBytes(photo.readBytes() + 0)
    type("evidence-title", "安全出口现状")
    click("capture")
    await("both items") { texts().filter { it.startsWith("SHA-256  ") }.toList().takeIf { it.size == 2 } }
    shows(uniffi.fieldseal.catalogueText("acquisition.camera", "zh"))
    step("a photograph is imported, another captured from a stream, and each says so")
    click("tab-documents")
    click("issue")
    shows("页")
    type("signer", FIRST.first)
    signature()
    step("the record is printed and shown to be signed")
    click("sign")
    shows("已签名")
    choose("role", await("the roles") { (find("role") as? JComboBox<*>)?.let { box -> (0 until box.itemCount).firstOrNull { "负责人" in "${box.getItemAt(it)}" } } })
    type("signer", "钱守业")
    click("refuse")
    shows("拒绝签名：")
    await("the page as it was signed") { all(app.window.contentPane).firstOrNull { it is Page && it.isDrawn } }
    step("one signs on glass, one refuses, and both stand on the document")
    synced()
    shows("已列入日志")
    click("tab-records")
    shows("在日志中")
    step("after a sync every record is in the log")
    click("tab-documents")
    click("language")
    shows("Documents 1")
    step("the window speaks English at a click")
    click("language")
    shows("文书 1")
    val detail = device.inspection(device.inspections().single().inspection)
    check(detail.findings.size == 1 && detail.evidence.map { it.acquisition } == listOf("imported", "camera")) { "$detail" }
    check(detail.documents.single().signatures.map { it.outcome } == listOf("signed", "refused")) { "${detail.documents}" }
    check(detail.operations.filter { it.mine }.all { it.state == uniffi.fieldseal.ItemState.IN_LOG }) { "${detail.operations}" }
    step("what was clicked is what the library holds")
    click("lock")
    shows("请输入口令")
    step("the device is locked again")
}
