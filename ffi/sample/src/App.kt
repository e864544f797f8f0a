// Fieldseal's sample app: one window, one device, nothing but the bindings.
//
//     sample FOLDER [zh|en]
//
// FOLDER is the device's; without a device in it the app asks for an enrolment text. Every call of the library blocks, so each
// runs on one worker thread, and the window is drawn anew from what it says.

import java.awt.BorderLayout
import java.awt.Dimension
import java.io.File
import java.util.concurrent.Executors
import javax.swing.JComponent
import javax.swing.JFrame
import javax.swing.JLabel
import javax.swing.JPanel
import javax.swing.SwingUtilities
import javax.swing.Timer
import kotlin.system.exitProcess
import uniffi.fieldseal.*

class App(val folder: File) {
    val window = JFrame("Fieldseal")
    var device: Device? = null
        private set
    private val worker = Executors.newSingleThreadExecutor { Thread(it, "fieldseal").apply { isDaemon = true } }
    private val stage = JPanel(BorderLayout()).apply { background = Look.paper }
    private val notice = Notice()

    init {
        window.defaultCloseOperation = JFrame.EXIT_ON_CLOSE
        window.minimumSize = Dimension(1080, 720)
        window.contentPane = JPanel(BorderLayout()).apply {
            add(stage, BorderLayout.CENTER)
            add(notice, BorderLayout.SOUTH)
        }
        window.size = Dimension(1240, 820)
    }

    fun begin() {
        window.isVisible = true
        show(JPanel().apply { background = Look.paper })
        work("open", { if (folder.list().isNullOrEmpty()) null else Device.open(folder.path, DeviceOptions()) }) { opened ->
            opened?.started()?.remarks?.firstOrNull()?.let { tell(Say(it), Look.amber) }
            if (opened == null) show(EnrolScreen(this)) else hold(opened)
        }
    }

    /** From now on this is the device. */
    fun hold(opened: Device) {
        device = opened
        home()
    }

    /** Whoever is at work sees the work; nobody sees the way in. */
    fun home() = work("home", { it!!.identity() to it.atWork() }) { (identity, officer) ->
        when {
            officer != null -> show(WorkScreen(this, officer))
            else -> show(UnlockScreen(this, identity))
        }
    }

    fun show(screen: JComponent) {
        stage.removeAll()
        stage.add(screen, BorderLayout.CENTER)
        stage.revalidate()
        stage.repaint()
    }

    /** Runs a call of the library off the screen's thread; an error is told in its own sentence. */
    fun <T> work(what: String, call: (Device?) -> T, then: (T) -> Unit = {}) {
        worker.execute {
            val result = runCatching { call(device) }
            SwingUtilities.invokeLater {
                result.onSuccess(then).onFailure { error ->
                    val colour = if (error is FieldsealException.Later) Look.amber else Look.red
                    tell((error as? FieldsealException)?.let { Say(it.problem) } ?: "$what: $error", colour)
                }
            }
        }
    }

    fun tell(text: String, colour: java.awt.Color = Look.teal) = notice.tell(text, colour)
}

/** One sentence at the bottom edge; it goes away by itself. */
private class Notice : JPanel(BorderLayout()) {
    private val words = JLabel().named("notice")
    private val away = Timer(9_000) { isVisible = false }.apply { isRepeats = false }

    init {
        isVisible = false
        words.font = Look.font(14, bold = true)
        words.foreground = java.awt.Color.WHITE
        add(words.padded(10, 24, 11, 24), BorderLayout.CENTER)
    }

    fun tell(text: String, colour: java.awt.Color) {
        words.text = text
        background = colour
        isVisible = true
        away.restart()
    }
}

fun main(arguments: Array<String>) {
    val folder = arguments.firstOrNull() ?: run {
        System.err.println("usage: sample FOLDER [zh|en]")
        exitProcess(64)
    }
    if (arguments.getOrNull(1) == "en") Say.language = Language.EN
    File(folder).mkdirs()
    SwingUtilities.invokeLater { App(File(folder)).begin() }
}
