// The app's own words in both languages. Sentences about what happened come from the library, already in both.

import uniffi.fieldseal.FieldsealException
import uniffi.fieldseal.Problem
import uniffi.fieldseal.Words
import uniffi.fieldseal.catalogueText

/** The language on the screen. */
enum class Language(val tag: String) { ZH("zh"), EN("en") }

object Say {
    var language = Language.ZH

    operator fun invoke(zh: String, en: String) = if (language == Language.ZH) zh else en

    operator fun invoke(words: Words) = when {
        words.en.isEmpty() || (language == Language.ZH && words.zh.isNotEmpty()) -> words.zh
        else -> words.en
    }

    operator fun invoke(problem: Problem) = if (language == Language.ZH) problem.zh else problem.en

    /** A label of the library's catalogue. */
    fun label(code: String) = catalogueText(code, language.tag)

    fun bytes(count: ULong): String {
        val units = listOf("B", "kB", "MB", "GB")
        var value = count.toDouble()
        var unit = 0
        while (value >= 1000 && unit < units.lastIndex) {
            value /= 1000
            unit += 1
        }
        return if (unit == 0) "$count B" else "%.1f %s".format(value, units[unit])
    }

    fun answer(result: String?) = when (result) {
        "ok" -> this("符合", "In order")
        "violation" -> this("不符合", "Not in order")
        "not_applicable" -> this("不涉及", "Not applicable")
        else -> this("未检查", "Open")
    }

    /** Who signs, by the role of the rule pack. */
    fun role(role: String) = when (role) {
        "officer" -> this("执法人员（一）", "Officer")
        "second_officer" -> this("执法人员（二）", "Second officer")
        "responsible" -> this("被检查单位负责人", "Person in charge")
        "holder" -> this("电子数据持有人", "Holder of the data")
        else -> role
    }
}

/** What there is to say, whatever kind of error it is. */
val FieldsealException.problem: Problem
    get() = when (this) {
        is FieldsealException.Refused -> problem
        is FieldsealException.Later -> problem
        is FieldsealException.Storage -> problem
        is FieldsealException.Stopped -> problem
        is FieldsealException.Failed -> problem
    }
