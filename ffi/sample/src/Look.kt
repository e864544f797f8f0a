// How it looks: colours, fonts, cards, buttons, chips. Words carry the meaning; colour only repeats it.

import java.awt.BorderLayout
import java.awt.Color
import java.awt.Component
import java.awt.Cursor
import java.awt.Dimension
import java.awt.Font
import java.awt.Graphics
import java.awt.Graphics2D
import java.awt.GraphicsEnvironment
import java.awt.Rectangle
import java.awt.RenderingHints
import java.awt.event.MouseAdapter
import java.awt.event.MouseEvent
import javax.swing.BorderFactory
import javax.swing.Box
import javax.swing.BoxLayout
import javax.swing.DefaultListCellRenderer
import javax.swing.JButton
import javax.swing.JComboBox
import javax.swing.JComponent
import javax.swing.JLabel
import javax.swing.JList
import javax.swing.JPanel
import javax.swing.JScrollPane
import javax.swing.JTextArea
import javax.swing.JTextField
import javax.swing.Scrollable
import javax.swing.border.EmptyBorder
import javax.swing.plaf.basic.BasicComboBoxUI
import javax.swing.plaf.basic.BasicScrollBarUI

object Look {
    val ink = Color(0x1B, 0x2A, 0x33)
    val muted = Color(0x6A, 0x78, 0x80)
    val paper = Color(0xF5, 0xF3, 0xEE)
    val card: Color = Color.WHITE
    val line = Color(0xE3, 0xDF, 0xD6)
    val night = Color(0x16, 0x2B, 0x33)
    val nightCard = Color(0x21, 0x3B, 0x45)
    val nightMuted = Color(0x9D, 0xB4, 0xBC)
    val teal = Color(0x0E, 0x6E, 0x66)
    val red = Color(0xB0, 0x3A, 0x2E)
    val amber = Color(0xA8, 0x6B, 0x12)
    val blue = Color(0x2B, 0x5C, 0x8A)

    private val family = GraphicsEnvironment.getLocalGraphicsEnvironment().availableFontFamilyNames.toSet().let { held ->
        listOf("Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", "Source Han Sans SC").firstOrNull { it in held } ?: Font.SANS_SERIF
    }

    fun font(size: Int, bold: Boolean = false) = Font(family, if (bold) Font.BOLD else Font.PLAIN, size)
}

fun Graphics.smooth() = (this as Graphics2D).apply {
    setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON)
    setRenderingHint(RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON)
    setRenderingHint(RenderingHints.KEY_INTERPOLATION, RenderingHints.VALUE_INTERPOLATION_BICUBIC)
}

/** A panel with round corners and a thin edge. */
open class Card(var fill: Color = Look.card, private val edge: Color? = Look.line, private val radius: Int = 14) : JPanel(BorderLayout()) {
    init {
        isOpaque = false
        border = EmptyBorder(16, 18, 16, 18)
    }

    override fun paintComponent(graphics: Graphics) {
        val pen = graphics.create().smooth()
        pen.color = fill
        pen.fillRoundRect(0, 0, width - 1, height - 1, radius, radius)
        if (edge != null) {
            pen.color = edge
            pen.drawRoundRect(0, 0, width - 1, height - 1, radius, radius)
        }
        pen.dispose()
        super.paintComponent(graphics)
    }

    // A card in a column keeps its height and takes the whole width.
    override fun getMaximumSize() = Dimension(Int.MAX_VALUE, preferredSize.height)
}

/** A word on a coloured ground: a state, an origin. */
class Chip(text: String, private val colour: Color) : JLabel(text) {
    init {
        font = Look.font(12, bold = true)
        foreground = colour
        border = EmptyBorder(3, 10, 4, 10)
    }

    override fun paintComponent(graphics: Graphics) {
        val pen = graphics.create().smooth()
        pen.color = Color(colour.red, colour.green, colour.blue, 28)
        pen.fillRoundRect(0, 0, width, height, height, height)
        pen.dispose()
        super.paintComponent(graphics)
    }
}

/** A flat button; the filled one is the one thing to do next. */
class Button(text: String, private val colour: Color = Look.teal, private val filled: Boolean = true, act: () -> Unit) : JButton(text) {
    private var over = false

    init {
        font = Look.font(14, bold = true)
        isContentAreaFilled = false
        isBorderPainted = false
        isFocusPainted = false
        border = EmptyBorder(9, 18, 10, 18)
        cursor = Cursor.getPredefinedCursor(Cursor.HAND_CURSOR)
        addActionListener { act() }
        addMouseListener(object : MouseAdapter() {
            override fun mouseEntered(event: MouseEvent) { over = true; repaint() }
            override fun mouseExited(event: MouseEvent) { over = false; repaint() }
        })
    }

    override fun paintComponent(graphics: Graphics) {
        val pen = graphics.create().smooth()
        val base = if (isEnabled) colour else Look.muted
        pen.color = when {
            filled -> if (over) base.darker() else base
            else -> Color(base.red, base.green, base.blue, if (over) 40 else 18)
        }
        pen.fillRoundRect(0, 0, width, height, 12, 12)
        if (isFocusOwner) {
            pen.color = if (filled) Color.WHITE else base
            pen.drawRoundRect(3, 3, width - 7, height - 7, 9, 9)
        }
        pen.dispose()
        foreground = if (filled) Color.WHITE else base
        super.paintComponent(graphics)
    }

    override fun getMaximumSize(): Dimension = preferredSize
}

fun label(text: String, size: Int = 14, colour: Color = Look.ink, bold: Boolean = false) =
    JLabel(text).apply { font = Look.font(size, bold); foreground = colour }

/** Text that breaks into lines. */
fun prose(text: String, size: Int = 14, colour: Color = Look.ink) = JTextArea(text).apply {
    font = Look.font(size)
    foreground = colour
    isEditable = false
    isFocusable = false
    isOpaque = false
    lineWrap = true
    border = null
}

fun field(label: String, width: Int = 20) = JTextField(width).apply {
    name = label
    font = Look.font(15)
    border = BorderFactory.createCompoundBorder(BorderFactory.createLineBorder(Look.line, 1, true), EmptyBorder(7, 10, 7, 10))
}

/** Things below each other, with room between them. */
fun column(gap: Int, vararg parts: Component) = JPanel().apply {
    layout = BoxLayout(this, BoxLayout.Y_AXIS)
    isOpaque = false
    parts.forEachIndexed { n, part ->
        if (n > 0) add(Box.createVerticalStrut(gap))
        (part as? JComponent)?.alignmentX = Component.LEFT_ALIGNMENT
        add(part)
    }
}

/** Things beside each other. `null` pushes what follows to the right. */
fun row(gap: Int, vararg parts: Component?) = JPanel().apply {
    layout = BoxLayout(this, BoxLayout.X_AXIS)
    isOpaque = false
    parts.forEachIndexed { n, part ->
        if (n > 0) add(Box.createHorizontalStrut(gap))
        if (part == null) add(Box.createHorizontalGlue()) else add(part)
    }
}

/** A column that scrolls. */
fun scrolled(content: JComponent) = JScrollPane(AsWide(content)).apply {
    border = null
    isOpaque = false
    viewport.isOpaque = false
    verticalScrollBar.unitIncrement = 24
    verticalScrollBar.preferredSize = Dimension(10, 0)
    verticalScrollBar.isOpaque = false
    verticalScrollBar.setUI(ThinScroll())
    horizontalScrollBarPolicy = JScrollPane.HORIZONTAL_SCROLLBAR_NEVER
}

/** As wide as the window lets it be; only its height scrolls. */
private class AsWide(content: JComponent) : JPanel(BorderLayout()), Scrollable {
    init {
        isOpaque = false
        add(content, BorderLayout.NORTH)
    }

    override fun getPreferredScrollableViewportSize(): Dimension = preferredSize

    override fun getScrollableUnitIncrement(visible: Rectangle, orientation: Int, direction: Int) = 24

    override fun getScrollableBlockIncrement(visible: Rectangle, orientation: Int, direction: Int) = visible.height - 40

    override fun getScrollableTracksViewportWidth() = true

    override fun getScrollableTracksViewportHeight() = false
}

/** A scroll bar that is only there when it is needed, and then thin. */
private class ThinScroll : BasicScrollBarUI() {
    private fun nothing() = JButton().apply { preferredSize = Dimension(0, 0) }

    override fun createDecreaseButton(orientation: Int) = nothing()

    override fun createIncreaseButton(orientation: Int) = nothing()

    override fun paintTrack(graphics: Graphics, bar: JComponent, bounds: Rectangle) = Unit

    override fun paintThumb(graphics: Graphics, bar: JComponent, bounds: Rectangle) {
        val pen = graphics.create().smooth()
        pen.color = Color(0x8A, 0x95, 0x99, 110)
        pen.fillRoundRect(bounds.x + 3, bounds.y + 2, 6, bounds.height - 4, 6, 6)
        pen.dispose()
    }
}

/** A list to choose from, flat like the fields beside it. */
fun choice(name: String, words: List<String>) = JComboBox(words.toTypedArray()).apply {
    this.name = name
    font = Look.font(14)
    background = Look.card
    border = BorderFactory.createLineBorder(Look.line, 1, true)
    maximumSize = Dimension(Int.MAX_VALUE, 38)
    preferredSize = Dimension(preferredSize.width + 20, 38)
    minimumSize = Dimension(80, 38)
    setUI(object : BasicComboBoxUI() {
        override fun createArrowButton() = object : JButton() {
            init {
                border = null
                isContentAreaFilled = false
            }

            override fun paintComponent(graphics: Graphics) {
                val pen = graphics.create().smooth()
                pen.color = Look.muted
                val (x, y) = width / 2 to height / 2
                pen.fillPolygon(intArrayOf(x - 5, x + 5, x), intArrayOf(y - 3, y - 3, y + 4), 3)
                pen.dispose()
            }
        }

        override fun paintCurrentValueBackground(graphics: Graphics, bounds: Rectangle, focus: Boolean) = Unit
    })
    setRenderer(object : DefaultListCellRenderer() {
        override fun getListCellRendererComponent(list: JList<*>?, value: Any?, index: Int, chosen: Boolean, focus: Boolean) =
            super.getListCellRendererComponent(list, value, index, chosen, focus).also {
                (it as JComponent).border = EmptyBorder(6, 10, 6, 10)
                it.background = if (chosen && index >= 0) Look.paper else Look.card
                it.foreground = Look.ink
            }
    })
}

fun <T : JComponent> T.padded(top: Int, left: Int, bottom: Int, right: Int): T = apply { border = EmptyBorder(top, left, bottom, right) }

fun <T : JComponent> T.named(name: String): T = apply { this.name = name }
