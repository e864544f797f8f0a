// Documents: printed, shown, signed on glass or refused; and the plain list of what was recorded.

import java.awt.BorderLayout
import java.awt.Desktop
import java.awt.Dimension
import java.awt.Graphics
import java.awt.image.BufferedImage
import java.io.ByteArrayInputStream
import java.io.File
import javax.imageio.ImageIO
import javax.swing.JComponent
import javax.swing.JPanel
import uniffi.fieldseal.*

class DocumentsTab(private val screen: InspectionScreen, private val detail: InspectionDetail, private val pack: RulePackInfo) : JPanel(BorderLayout()) {
    private val page = Page()
    private val side = JPanel(BorderLayout()).apply { isOpaque = false }
    private val pad = SignaturePad()
    private val signer = field("signer", 12)

    init {
        isOpaque = false
        add(side, BorderLayout.CENTER)
        add(page, BorderLayout.EAST)
        val document = detail.documents.lastOrNull()
        side.add(scrolled(column(12, print(), *listOfNotNull(document?.let(::sign)).toTypedArray())), BorderLayout.CENTER)
        document?.let { shown ->
            val hash = shown.signatures.lastOrNull { it.signedPdfSha256 != null }?.signedPdfSha256 ?: shown.pdfSha256
            if (hash != null) screen.read("pdf", { it.whole(hash, ULong.MAX_VALUE) }) { page.show(it) }
        }
    }

    private fun print(): Card {
        val kinds = choice("document-kind", pack.documents.map { Say(it.name) })
        return Card().apply {
            add(row(10, kinds, null, Button(Say("生成并制发", "Print and issue")) {
                val kind = pack.documents[kinds.selectedIndex].id
                screen.act("issue") { it.issueDocument(screen.inspection, kind) }
            }.named("issue")))
        }
    }

    private fun sign(document: DocumentInfo): Card {
        val roles = choice("role", document.unsigned.map(Say::role))
        val done = document.signatures.map {
            val words = if (it.outcome == "signed") Say("已签名", "signed") else Say("拒绝签名：${it.reason}", "refused: ${it.reason}")
            row(10, Chip(Say.role(it.role), if (it.outcome == "signed") Look.teal else Look.red), label("${it.name}  $words", 14), null)
        }
        val name = pack.documents.find { it.id == document.kind }?.let { Say(it.name) } ?: document.kind
        val head = arrayOf<JComponent>(
            label(name, 17, bold = true),
            label(listOfNotNull(document.number, Say("${document.pages} 页", if (document.pages == 1uL) "1 page" else "${document.pages} pages"), "SHA-256 " + document.pdfSha256?.take(16) + "…").joinToString("  ·  "), 12, Look.muted),
            *done.toTypedArray(),
        )
        if (document.unsigned.isEmpty()) return Card().apply { add(column(10, *head)) }
        return Card().apply {
            add(column(10, *head, row(10, roles, signer), pad, row(10,
                Button(Say("签名", "Sign")) {
                    val (role, who, strokes) = Triple(document.unsigned[roles.selectedIndex], signer.text, pad.strokes())
                    screen.act("sign") { it.signDocument(document.document, role, who, document.pdfSha256!!, strokes) }
                }.named("sign"),
                Button(Say("重写", "Clear"), Look.muted, filled = false) { pad.clear() }.named("clear"),
                Button(Say("拒绝签名", "Refuses"), Look.red, filled = false) {
                    val (role, who) = document.unsigned[roles.selectedIndex] to signer.text
                    val reason = Say(pack.refusalReasons.first())
                    screen.act("refuse") { it.refuseDocument(document.document, role, who, reason, detail.head ?: who, null) }
                }.named("refuse"),
                null,
                Button(Say("打开", "Open"), Look.ink, filled = false) { open(document) }.named("open"),
            )))
        }
    }

    private fun open(document: DocumentInfo) = screen.read("open", { it.whole(document.pdfSha256!!, ULong.MAX_VALUE) }) { bytes ->
        val file = File.createTempFile("fieldseal-", ".pdf").apply { deleteOnExit(); writeBytes(bytes) }
        if (Desktop.isDesktopSupported()) Desktop.getDesktop().open(file) else screen.tell(file.path)
    }
}

/** How wide a page is drawn, in pixels. */
private const val PAGE_WIDTH = 412

/** The first page, as the signer is shown it. The JDK draws no PDF, so poppler does where it is installed. */
class Page : JComponent() {
    private var image: BufferedImage? = null

    /** Whether there is something to see. */
    val isDrawn get() = image != null

    init {
        preferredSize = Dimension(PAGE_WIDTH + 26, 0)
    }

    fun show(pdf: ByteArray) = Thread {
        val drawn = runCatching {
            val file = File.createTempFile("fieldseal-", ".pdf").apply { writeBytes(pdf) }
            val poppler = ProcessBuilder("pdftoppm", "-png", "-scale-to-x", "$PAGE_WIDTH", "-scale-to-y", "-1", "-f", "1", "-singlefile", file.path).start()
            val png = poppler.inputStream.readBytes()
            file.delete()
            ImageIO.read(ByteArrayInputStream(png))
        }
        javax.swing.SwingUtilities.invokeLater {
            image = drawn.getOrNull()
            repaint()
        }
    }.start()

    override fun paintComponent(graphics: Graphics) {
        val drawn = image ?: return
        val pen = graphics.create().smooth()
        val w = minOf(drawn.width, width - 26, height * drawn.width / drawn.height)
        val h = w * drawn.height / drawn.width
        pen.color = Look.line
        pen.fillRect(20, 3, w + 2, h + 2)
        pen.drawImage(drawn, 18, 1, w, h, null)
        pen.dispose()
    }
}

/** Every operation, with how far it has come. */
class RecordsTab(detail: InspectionDetail) : JPanel(BorderLayout()) {
    init {
        isOpaque = false
        val rows = detail.operations.reversed().map { one ->
            val (state, colour) = when (one.state) {
                ItemState.SEALED -> Say("本机", "here") to Look.amber
                ItemState.RECEIVED -> Say("已接收", "received") to Look.blue
                ItemState.IN_LOG -> Say("在日志中", "in the log") to Look.teal
            }
            val time = java.time.Instant.ofEpochMilli(one.wallMs.toLong()).atZone(java.time.ZoneId.systemDefault()).toLocalTime()
            row(12,
                label("%tT".format(time), 13, Look.muted), label(one.kind, 14, bold = true),
                label(one.operation.take(12), 12, Look.muted), null,
                label(one.logIndex?.let { "№ $it" } ?: "", 12, Look.muted), Chip(state, colour),
            )
        }
        add(scrolled(Card().apply { add(column(9, *rows.toTypedArray())) }), BorderLayout.CENTER)
    }
}
