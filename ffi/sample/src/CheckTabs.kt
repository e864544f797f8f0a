// The checklist with its three answers, and the findings that follow from it.

import java.awt.BorderLayout
import java.awt.Dimension
import javax.swing.JPanel
import uniffi.fieldseal.*

class ChecklistTab(screen: InspectionScreen, detail: InspectionDetail, pack: RulePackInfo) : JPanel(BorderLayout()) {
    init {
        isOpaque = false
        val items = pack.items.associateBy { it.id }
        val cards = detail.checks.map { check -> card(screen, check, items[check.item]) }
        add(scrolled(column(10, *cards.toTypedArray())), BorderLayout.CENTER)
    }

    private fun card(screen: InspectionScreen, check: CheckInfo, item: PackItem?): Card {
        val colour = when (check.result) {
            "ok" -> Look.teal
            "violation" -> Look.red
            "not_applicable" -> Look.muted
            else -> Look.amber
        }
        val answers = listOf(CheckResult.OK to "ok", CheckResult.VIOLATION to "violation", CheckResult.NOT_APPLICABLE to "not_applicable")
        val buttons = answers.map { (result, word) ->
            Button(Say.answer(word), if (word == "violation") Look.red else Look.teal, filled = check.result == word) {
                screen.act("check") { it.check(screen.inspection, check.item, result, check.note ?: "") }
            }.named("answer-${check.item}-$word")
        }
        return Card().apply {
            add(row(16,
                column(4,
                    label(item?.let { Say(it.text) } ?: check.item, 15, bold = true),
                    label(listOfNotNull(item?.let { Say(it.checklist) }, item?.let { Say(it.duty) }).joinToString("  ·  "), 12, Look.muted),
                ).apply { minimumSize = Dimension(0, 0) },
                null,
                Chip(Say.answer(check.result), colour),
                row(6, *buttons.toTypedArray()),
            ))
        }
    }
}

class FindingsTab(private val screen: InspectionScreen, private val detail: InspectionDetail, private val pack: RulePackInfo) : JPanel(BorderLayout()) {
    private val text = field("finding-text", 30)
    private val place = field("finding-place", 14)
    private val due = field("order-due", 10)
    private val broken = detail.checks.filter { it.result == "violation" }.mapNotNull { check -> pack.items.find { it.id == check.item } }
    private val item = choice("finding-item", broken.map { Say(it.text) })
    private val grade = choice("finding-grade", pack.grades.map { Say(it.name) })

    init {
        isOpaque = false
        text.maximumSize = Dimension(Int.MAX_VALUE, text.preferredSize.height)
        val cards = detail.findings.map(::card)
        add(scrolled(column(12, entry(), *cards.toTypedArray())), BorderLayout.CENTER)
    }

    private fun entry() = Card().apply {
        add(column(10,
            label(Say("记录问题", "Record a finding"), 16, bold = true),
            row(10, item, grade),
            row(10, label(Say("现场情况", "What was found"), 13, Look.muted), text),
            row(10, label(Say("部位", "Where"), 13, Look.muted), place, label(Say("整改期限", "Put right by"), 13, Look.muted), due, null,
                Button(Say("固化", "Seal")) { record() }.named("finding-record")),
        ))
    }

    /** A finding, and the order to put it right where a day is given. */
    private fun record() {
        val (chosenItem, chosenGrade) = broken.getOrNull(item.selectedIndex) to pack.grades[grade.selectedIndex]
        val (said, where, day) = Triple(text.text, place.text, due.text.trim())
        screen.act("finding") {
            val made = it.finding(screen.inspection, NewFinding(text = said, grade = chosenGrade.id, item = chosenItem?.id, place = where))
            if (day.isNotEmpty()) it.order(screen.inspection, NewOrderItem(text = Say("整改：", "Put right: ") + said, due = day, finding = made.id))
        }
    }

    private fun card(finding: FindingInfo): Card {
        val order = detail.orders.find { finding.text in it.text }
        val name = pack.grades.find { it.id == finding.grade }
        return Card().apply {
            add(column(6,
                row(10, name?.let { Chip(Say(it.name), if (it.rank > 1u) Look.red else Look.amber) } ?: Chip("?", Look.muted), null,
                    label(order?.due?.let { Say("限 $it 前整改", "due $it") } ?: "", 13, Look.amber)),
                label(finding.text, 15),
                label(listOfNotNull(finding.place, finding.clause, Say("${finding.evidence.size} 件证据", "${finding.evidence.size} items of evidence")).joinToString("  ·  "), 12, Look.muted),
            ))
        }
    }
}
