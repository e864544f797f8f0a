// One inspection: who and where, how far it has come, and five tabs of work.

import java.awt.BorderLayout
import javax.swing.BoxLayout
import javax.swing.JComponent
import javax.swing.JPanel
import uniffi.fieldseal.*

class InspectionScreen(
    private val work: WorkScreen,
    private val detail: InspectionDetail,
    private val pack: RulePackInfo,
    private var tab: String,
    private val chosen: (String) -> Unit,
) : JPanel(BorderLayout()) {
    private val place = JPanel(BorderLayout()).apply { isOpaque = false }
    private val tabs = JPanel().apply { isOpaque = false; layout = BoxLayout(this, BoxLayout.X_AXIS) }

    init {
        isOpaque = false
        add(column(18, head(), tabs).padded(26, 32, 10, 32), BorderLayout.NORTH)
        add(place, BorderLayout.CENTER)
        draw()
    }

    private fun head(): JComponent {
        val (stage, colour) = when (detail.stage) {
            InspectionStage.PLANNED -> Say("已交办", "Assigned") to Look.blue
            InspectionStage.IN_PROGRESS -> Say("检查中", "In progress") to Look.teal
            InspectionStage.CLOSED -> Say("已结束", "Closed") to Look.muted
            InspectionStage.RETURNED -> Say("已退回", "Returned") to Look.red
        }
        val facts = listOfNotNull(
            detail.address, detail.head?.let { Say("负责人 $it", "Head: $it") }, detail.summary.planned, detail.place,
        ).joinToString("   ·   ")
        val todo = when {
            detail.summary.conflicts > 0u -> label(Say("有 ${detail.summary.conflicts} 处与另一台平板不一致，两个答案都已保留，等待主管决定。", "${detail.summary.conflicts} answers differ from another tablet; both are kept for the supervisor."), 14, Look.red)
            detail.returns.isNotEmpty() -> label(Say("退回原因：", "Returned: ") + detail.returns.last(), 14, Look.red)
            detail.openOrders.isNotEmpty() -> label(Say("上次未办结：", "Open since the last visit: ") + detail.openOrders.last().items.first().text, 14, Look.amber)
            !detail.credentialsShown -> label(Say("请先出示执法证件并告知。", "Show your credentials first."), 14, Look.amber)
            else -> label(" ", 14)
        }
        val act = if (detail.credentialsShown) {
            Button(Say("结束检查", "Close"), Look.ink, filled = false) {
                act("close") { it.closeInspection(detail.summary.inspection) }
            }.named("close")
        } else {
            Button(Say("出示证件", "Show credentials")) {
                act("credentials") { it.showCredentials(detail.summary.inspection, detail.head ?: "负责人", null, emptyList()) }
            }.named("credentials")
        }
        return column(8,
            row(14, label(detail.summary.party.ifEmpty { detail.summary.title }, 24, bold = true), Chip(stage, colour), null, act),
            label(facts, 14, Look.muted),
            todo,
        )
    }

    private fun draw() {
        tabs.removeAll()
        val open = detail.checks.count { it.result == null }
        val all = listOf(
            "checks" to Say("检查表", "Checklist") + " ${detail.checks.size - open}/${detail.checks.size}",
            "findings" to Say("问题", "Findings") + " ${detail.findings.size}",
            "evidence" to Say("证据", "Evidence") + " ${detail.evidence.size}",
            "documents" to Say("文书", "Documents") + " ${detail.documents.size}",
            "records" to Say("记录", "Records") + " ${detail.operations.size}",
        )
        for ((id, words) in all) {
            tabs.add(Button(words, if (id == tab) Look.ink else Look.muted, filled = id == tab) {
                tab = id
                chosen(id)
                draw()
            }.named("tab-$id"))
            tabs.add(javax.swing.Box.createHorizontalStrut(8))
        }
        place.removeAll()
        val content = when (tab) {
            "findings" -> FindingsTab(this, detail, pack)
            "evidence" -> EvidenceTab(this, detail)
            "documents" -> DocumentsTab(this, detail, pack)
            "records" -> RecordsTab(detail)
            else -> ChecklistTab(this, detail, pack)
        }
        place.add(content.padded(8, 32, 20, 26), BorderLayout.CENTER)
        revalidate()
        repaint()
    }

    /** Does something to the inspection and shows it anew. */
    fun <T> act(what: String, then: (T) -> Unit = {}, call: (Device) -> T) = work.app.work(what, { call(it!!) }) {
        then(it)
        work.refresh()
    }

    /** Reads something without changing anything. */
    fun <T> read(what: String, call: (Device) -> T, then: (T) -> Unit) = work.app.work(what, { call(it!!) }, then)

    fun tell(text: String) = work.app.tell(text)

    val inspection get() = detail.summary.inspection
    val folder get() = work.app.folder
}
