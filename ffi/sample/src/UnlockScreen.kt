// Who is at work? An officer and a PIN; with nobody on the device yet, the place to add somebody.

import java.awt.GridBagLayout
import javax.swing.BorderFactory
import javax.swing.JPanel
import javax.swing.JPasswordField
import javax.swing.border.EmptyBorder
import uniffi.fieldseal.*

class UnlockScreen(private val app: App, private val identity: Identity) : JPanel(GridBagLayout()) {
    private val officers = choice("officers", emptyList())
    private val pin = JPasswordField(12).named("pin").apply {
        font = Look.font(20, bold = true)
        horizontalAlignment = JPasswordField.CENTER
        border = BorderFactory.createCompoundBorder(BorderFactory.createLineBorder(Look.line, 1, true), EmptyBorder(7, 10, 7, 10))
        addActionListener { unlock() }
    }
    private var known = emptyList<OfficerInfo>()

    init {
        background = Look.night
        app.work("officers", { it!!.officers() }) { found ->
            known = found
            found.forEach { officers.addItem("${it.name}  ${it.certificate}") }
            draw()
        }
    }

    private fun draw() {
        removeAll()
        val state = when (identity.enrolment) {
            EnrolmentStage.APPROVED -> Say("已批准", "approved")
            EnrolmentStage.PENDING -> Say("等待管理员批准", "awaiting approval")
            EnrolmentStage.NEW -> Say("尚未上报", "not sent yet")
        }
        add(column(22,
            row(0, label("Fieldseal", 34, java.awt.Color.WHITE, bold = true)),
            label("${identity.label} · $state", 15, Look.nightMuted).named("state"),
            Card(Look.card, null, 18).apply {
                add(if (known.isEmpty()) nobody() else somebody())
            },
            row(12,
                Button(Say("同步", "Sync"), Look.nightMuted, filled = false) { sync() }.named("sync"),
                Button(Say("添加人员", "Add an officer"), Look.nightMuted, filled = false) { app.show(OfficerScreen(app)) }.named("add-officer"),
                Button(if (Say.language == Language.ZH) "English" else "中文", Look.nightMuted, filled = false) {
                    Say.language = if (Say.language == Language.ZH) Language.EN else Language.ZH
                    draw()
                    revalidate()
                    repaint()
                }.named("language"),
            ),
        ))
        revalidate()
        repaint()
    }

    private fun nobody() = column(10,
        label(Say("本机还没有人员", "Nobody is on this device yet"), 18, bold = true),
        prose(Say("请先同步，再添加执法人员。", "Sync first, then add the officers.")),
    ).padded(14, 14, 14, 14)

    private fun somebody() = column(14,
        label(Say("请输入口令", "Enter your PIN"), 18, bold = true),
        officers,
        pin,
        row(0, Button(Say("开始工作", "Begin")) { unlock() }.named("unlock")),
    ).padded(14, 22, 14, 22)

    private fun unlock() {
        val officer = known.getOrNull(officers.selectedIndex) ?: return
        val typed = String(pin.password)
        pin.text = ""
        app.work("unlock", { it!!.unlock(officer.certificate, typed) }) { app.home() }
    }

    private fun sync() = app.work("sync", { it!!.sync(SyncOptions(patienceMs = 5_000u), null, null) }) { report ->
        app.tell(report.problem?.let { Say(it) } ?: Say("已同步", "Synced"), if (report.problem == null) Look.teal else Look.amber)
        app.home()
    }
}

/** Name, certificate number and a PIN that only the officer knows. */
class OfficerScreen(private val app: App) : JPanel(GridBagLayout()) {
    private val person = field("officer-name")
    private val certificate = field("officer-certificate")
    private val pin = JPasswordField(20).named("officer-pin").apply { font = Look.font(15) }

    init {
        background = Look.paper
        add(Card().apply {
            add(column(12,
                label(Say("添加执法人员", "Add an officer"), 22, bold = true),
                label(Say("姓名", "Name"), 13, Look.muted), person,
                label(Say("执法证号", "Certificate number"), 13, Look.muted), certificate,
                label(Say("口令（至少 6 位）", "PIN (6 digits or more)"), 13, Look.muted), pin,
                row(12,
                    Button(Say("添加", "Add")) { add() }.named("add"),
                    Button(Say("返回", "Back"), filled = false) { app.home() }.named("back"),
                ),
            ).padded(16, 20, 16, 20))
        })
    }

    private fun add() {
        val typed = String(pin.password)
        app.work("officer", { it!!.officerAdd(person.text, certificate.text, "officer", typed) }) { app.home() }
    }
}
