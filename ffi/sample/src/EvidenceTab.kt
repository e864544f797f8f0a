// Evidence: imported from a file, or captured from a stream. How it came here stands on it and never changes.

import java.awt.BorderLayout
import java.awt.Dimension
import java.awt.Graphics
import java.awt.image.BufferedImage
import java.io.ByteArrayInputStream
import java.io.File
import java.io.InputStream
import javax.imageio.ImageIO
import javax.swing.JComponent
import javax.swing.JFileChooser
import javax.swing.JPanel
import uniffi.fieldseal.*

/** Where the sample's camera is: a command that writes a picture to its standard output. */
private val CAMERA: String? = System.getenv("FIELDSEAL_CAMERA")

class EvidenceTab(private val screen: InspectionScreen, detail: InspectionDetail) : JPanel(BorderLayout()) {
    private val title = field("evidence-title", 24)

    init {
        isOpaque = false
        title.maximumSize = Dimension(Int.MAX_VALUE, title.preferredSize.height)
        val cards = detail.evidence.map(::card)
        add(scrolled(column(12, entry(), *cards.toTypedArray())), BorderLayout.CENTER)
    }

    private fun entry() = Card().apply {
        add(row(10,
            label(Say("名称", "Title"), 13, Look.muted), title,
            Button(Say("拍摄", "Capture")) { capture() }.named("capture").apply { isEnabled = CAMERA != null },
            Button(Say("导入文件", "Import a file"), filled = false) { choose() }.named("import"),
        ))
    }

    /** Straight from the camera's stream into the vault: no file is written in between. */
    private fun capture() {
        val about = EvidenceAbout(Acquisition.CAMERA, "audio_visual", title.text, proves = Say("现场状况", "the scene"))
        screen.act("capture") { device ->
            val camera = ProcessBuilder("sh", "-c", CAMERA!!).redirectError(ProcessBuilder.Redirect.DISCARD).start()
            camera.inputStream.use { device.capture(screen.inspection, about, StreamSource(it), null, null) }
        }
    }

    private fun choose() {
        val chooser = JFileChooser()
        if (chooser.showOpenDialog(this) == JFileChooser.APPROVE_OPTION) import(chooser.selectedFile)
    }

    /** A file that was there before: it stays imported, whatever it shows. */
    fun import(file: File) {
        val about = EvidenceAbout(Acquisition.IMPORTED, "electronic_data", title.text.ifEmpty { file.nameWithoutExtension }, proves = Say("现场状况", "the scene"))
        screen.act("import") { it.importFile(screen.inspection, about, file.path, null, null) }
    }

    private fun card(item: EvidenceInfo): Card {
        val picture = Picture()
        if (item.mediaType?.startsWith("image/") == true && item.bytesHere) {
            screen.read("picture", { it.whole(item.sha256!!, item.size) }) { picture.show(it) }
        }
        val (state, colour) = when {
            item.bytesReceived && item.state == ItemState.IN_LOG -> Say("服务器已接收，已列入日志", "received, in the log") to Look.teal
            item.state != ItemState.SEALED -> Say("记录已接收，文件待上传", "record received, file waits") to Look.amber
            else -> Say("只在本机", "only on this device") to Look.amber
        }
        val origin = if (item.acquisition == "imported") Look.blue else Look.ink
        return Card().apply {
            add(row(18,
                picture,
                column(6,
                    row(10, Chip(Say.label("acquisition.${item.acquisition}"), origin), Chip(state, colour)),
                    label(item.title, 16, bold = true),
                    label("${item.mediaType ?: ""}  ·  ${Say.bytes(item.size)}", 13, Look.muted),
                    label("SHA-256  ${item.sha256?.chunked(8)?.take(4)?.joinToString(" ")} …", 12, Look.muted),
                ),
                null,
            ))
        }
    }
}

/** Bytes of a stream, for the library to pull. */
class StreamSource(private val stream: InputStream) : ByteSource {
    override fun read(most: UInt): ByteArray = stream.readNBytes(most.toInt())
}

/** A small file, whole. */
fun Device.whole(sha256: String, size: ULong): ByteArray {
    val pieces = mutableListOf<ByteArray>()
    var at = 0uL
    while (at < size) {
        val piece = readBlob(sha256, at, 4u shl 20)
        if (piece.isEmpty()) break
        pieces.add(piece)
        at += piece.size.toULong()
    }
    return pieces.fold(ByteArray(0)) { all, piece -> all + piece }
}

/** A thumbnail; made for the eye, never kept. */
class Picture : JComponent() {
    private var image: BufferedImage? = null

    init {
        preferredSize = Dimension(150, 104)
        minimumSize = preferredSize
        maximumSize = preferredSize
    }

    fun show(bytes: ByteArray) {
        image = ImageIO.read(ByteArrayInputStream(bytes))
        repaint()
    }

    override fun paintComponent(graphics: Graphics) {
        val pen = graphics.create().smooth()
        pen.color = Look.paper
        pen.fillRoundRect(0, 0, width, height, 10, 10)
        image?.let {
            val scale = maxOf(width.toDouble() / it.width, height.toDouble() / it.height)
            val (w, h) = (it.width * scale).toInt() to (it.height * scale).toInt()
            pen.clip = java.awt.geom.RoundRectangle2D.Float(0f, 0f, width.toFloat(), height.toFloat(), 10f, 10f)
            pen.drawImage(it, (width - w) / 2, (height - h) / 2, w, h, null)
        }
        pen.dispose()
    }
}
