// A field to sign in. It keeps what the pen did, with times; what is drawn is only for the eye.

import java.awt.BasicStroke
import java.awt.Dimension
import java.awt.Graphics
import java.awt.event.MouseAdapter
import java.awt.event.MouseEvent
import javax.swing.JComponent
import uniffi.fieldseal.Stroke
import uniffi.fieldseal.StrokePoint

class SignaturePad : JComponent() {
    private val strokes = mutableListOf<MutableList<StrokePoint>>()
    private var began = 0L

    init {
        name = "pad"
        preferredSize = Dimension(400, 170)
        maximumSize = Dimension(Int.MAX_VALUE, 170)
        val pen = object : MouseAdapter() {
            override fun mousePressed(event: MouseEvent) {
                if (strokes.isEmpty()) began = event.`when`
                strokes.add(mutableListOf(point(event)))
                repaint()
            }

            override fun mouseDragged(event: MouseEvent) {
                strokes.lastOrNull()?.add(point(event))
                repaint()
            }
        }
        addMouseListener(pen)
        addMouseMotionListener(pen)
    }

    /** The strokes, in the library's units: 1/10,000 of the field, milliseconds since the first touch. */
    fun strokes() = strokes.map { Stroke(it.toList()) }

    fun clear() {
        strokes.clear()
        repaint()
    }

    private fun point(event: MouseEvent): StrokePoint {
        fun part(at: Int, of: Int) = (at.coerceIn(0, of) * 10_000L / of).toUInt()
        return StrokePoint(part(event.x, width), part(event.y, height), (event.`when` - began).coerceAtLeast(0).toUInt())
    }

    override fun paintComponent(graphics: Graphics) {
        val pen = graphics.create().smooth()
        pen.color = Look.card
        pen.fillRoundRect(0, 0, width - 1, height - 1, 14, 14)
        pen.color = Look.line
        pen.drawRoundRect(0, 0, width - 1, height - 1, 14, 14)
        pen.drawLine(30, height - 46, width - 30, height - 46)
        pen.color = Look.muted
        pen.font = Look.font(13)
        if (strokes.isEmpty()) pen.drawString(Say("请在此处签名", "Sign here"), 34, height - 22)
        pen.color = Look.ink
        pen.stroke = BasicStroke(2.6f, BasicStroke.CAP_ROUND, BasicStroke.JOIN_ROUND)
        fun at(part: UInt, of: Int) = (part.toLong() * of / 10_000).toInt()
        for (stroke in strokes) {
            for ((from, to) in stroke.zipWithNext()) {
                pen.drawLine(at(from.x, width), at(from.y, height), at(to.x, width), at(to.y, height))
            }
        }
        pen.dispose()
    }
}
