// The first screen of a new device: the enrolment text, as the administrator handed it over.

import java.awt.GridBagLayout
import javax.swing.BorderFactory
import javax.swing.JPanel
import javax.swing.JScrollPane
import javax.swing.JTextArea
import uniffi.fieldseal.*

class EnrolScreen(private val app: App) : JPanel(GridBagLayout()) {
    private val text = JTextArea(6, 44).named("enrolment-text").apply {
        font = Look.font(13)
        lineWrap = true
    }
    private val said = prose(" ", 14, Look.muted).named("card")

    init {
        background = Look.paper
        add(Card().apply {
            add(column(14,
                label(Say("登记本机", "Enrol this device"), 24, bold = true),
                prose(Say("请粘贴管理员给的登记文本，或扫描二维码。", "Paste the administrator's enrolment text, or scan the code.")),
                JScrollPane(text).apply { border = BorderFactory.createLineBorder(Look.line) },
                said,
                row(12,
                    Button(Say("读取", "Read"), filled = false) { read() }.named("read"),
                    Button(Say("登记", "Enrol")) { enrol() }.named("enrol"),
                ),
            ).padded(20, 24, 20, 24))
        })
    }

    /** Says whose server it is, before anything is made. */
    private fun read() = app.work("read", { readEnrolmentText(text.text.trim()) }) { card ->
        said.text = "${card.label}\n${card.url}\n${card.log}\n${card.rootFingerprint}"
    }

    private fun enrol() = app.work("enrol", {
        Device.enrol(app.folder.path, text.text.trim(), null, null, DeviceOptions())
    }) { app.hold(it) }
}
