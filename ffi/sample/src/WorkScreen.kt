// The work: inspections at the left with their states, the chosen one at the right, sync at the foot.

import java.awt.BorderLayout
import java.awt.Color
import java.awt.Cursor
import java.awt.Dimension
import java.awt.event.MouseAdapter
import java.awt.event.MouseEvent
import javax.swing.JPanel
import javax.swing.SwingUtilities
import uniffi.fieldseal.*

class WorkScreen(val app: App, private val officer: OfficerInfo) : JPanel(BorderLayout()) {
    private val list = JPanel(BorderLayout()).apply { background = Look.night; preferredSize = Dimension(330, 0) }
    private val place = JPanel(BorderLayout()).apply { background = Look.paper }
    private val progress = label(" ", 13, Look.nightMuted).named("progress")
    private var chosen: String? = null
    private var tab = "checks"
    private var cancel: Cancel? = null

    init {
        add(list, BorderLayout.WEST)
        add(place, BorderLayout.CENTER)
        refresh()
    }

    /** Reads everything anew and draws it. */
    fun refresh() = app.work("read", { device ->
        val rows = device!!.inspections().sortedBy { it.closed }
        val open = chosen?.takeIf { id -> rows.any { it.inspection == id } } ?: rows.firstOrNull()?.inspection
        val pack = runCatching { device.rulePack() }.getOrNull()
        Read(rows, device.status(), open?.let { device.inspection(it) }, pack)
    }) { read ->
        chosen = read.detail?.summary?.inspection
        drawList(read)
        place.removeAll()
        if (read.detail != null && read.pack != null) {
            place.add(InspectionScreen(this, read.detail, read.pack, tab) { tab = it })
        } else {
            val words = Say("还没有交办的检查。请同步。", "No inspection is assigned yet. Sync.")
            place.add(label(words, 16, Look.muted).padded(0, 40, 0, 40))
        }
        place.revalidate()
        place.repaint()
    }

    private class Read(val rows: List<InspectionSummary>, val status: Status, val detail: InspectionDetail?, val pack: RulePackInfo?)

    private fun drawList(read: Read) {
        val cards = read.rows.map(::line)
        list.removeAll()
        list.add(column(6,
            label("Fieldseal", 22, Color.WHITE, bold = true),
            label("${officer.name} · ${officer.certificate}", 13, Look.nightMuted),
        ).padded(24, 22, 16, 22), BorderLayout.NORTH)
        list.add(scrolled(column(10, *cards.toTypedArray()).padded(0, 14, 0, 14)), BorderLayout.CENTER)
        list.add(foot(read.status), BorderLayout.SOUTH)
        list.revalidate()
        list.repaint()
    }

    private fun line(row: InspectionSummary): Card {
        val (state, colour) = when {
            row.returned -> Say("退回", "Returned") to Color(0xF2, 0xA6, 0x9B)
            row.closed -> Say("已结束", "Closed") to Look.nightMuted
            else -> Say("进行中", "Open") to Color(0x7F, 0xD6, 0xC6)
        }
        val here = row.inspection == chosen
        return Card(if (here) Look.nightCard else Look.night, if (here) null else Look.nightCard).apply {
            name = "inspection"
            cursor = Cursor.getPredefinedCursor(Cursor.HAND_CURSOR)
            add(column(6,
                label(row.party.ifEmpty { row.title }, 15, Color.WHITE, bold = true),
                row(8, label(row.planned ?: "", 12, Look.nightMuted), null, label(state, 12, colour, bold = true)),
                label(counts(row.progress), 12, Look.nightMuted),
            ))
            addMouseListener(object : MouseAdapter() {
                override fun mousePressed(event: MouseEvent) {
                    chosen = row.inspection
                    refresh()
                }
            })
        }
    }

    private fun counts(progress: StateCounts) = Say(
        "本机 ${progress.sealed} · 已接收 ${progress.received} · 在日志 ${progress.inLog}",
        "here ${progress.sealed} · received ${progress.received} · in log ${progress.inLog}",
    )

    private fun foot(status: Status): JPanel {
        val waiting = status.waiting + status.filesWaiting
        val words = when {
            waiting > 0u -> Say("${status.waiting} 项、${status.filesWaiting} 个文件只在本机", "${status.waiting} items, ${status.filesWaiting} files only here")
            status.received > 0u -> Say("服务器已接收 ${status.received} 项", "${status.received} items received")
            else -> Say("全部 ${status.inLog} 项已列入日志", "All ${status.inLog} items are in the log")
        }
        progress.text = words
        return column(12,
            progress,
            row(8,
                Button(Say("同步", "Sync")) { sync() }.named("sync"),
                Button(Say("停止", "Stop"), Look.nightMuted, filled = false) { cancel?.cancel() }.named("stop"),
                null,
                Button(if (Say.language == Language.ZH) "EN" else "中", Look.nightMuted, filled = false) {
                    Say.language = if (Say.language == Language.ZH) Language.EN else Language.ZH
                    refresh()
                }.named("language"),
                Button(Say("锁", "Lock"), Look.nightMuted, filled = false) { lock() }.named("lock"),
            ),
        ).padded(16, 22, 22, 12)
    }

    private fun sync() {
        val stop = Cancel().also { cancel = it }
        val listener = object : ProgressListener {
            override fun moved(progress: Progress) = SwingUtilities.invokeLater {
                val bytes = if (progress.totalBytes > 0u) "  ${Say.bytes(progress.bytes)} / ${Say.bytes(progress.totalBytes)}" else ""
                this@WorkScreen.progress.text = Say("同步中…", "Syncing …") + bytes
            }
        }
        app.work("sync", { it!!.sync(SyncOptions(patienceMs = 20_000u), listener, stop) }) { report ->
            val problem = report.problem
            app.tell(
                if (problem != null) Say(problem) else Say("已同步：收到回执 ${report.received} 项，新到 ${report.fetched} 项", "Synced: ${report.received} receipts, ${report.fetched} arrived"),
                if (problem == null) Look.teal else Look.amber,
            )
            refresh()
        }
    }

    private fun lock() = app.work("lock", { device -> device!!.officers().forEach { runCatching { device.lock(it.certificate) } } }) { app.home() }
}
