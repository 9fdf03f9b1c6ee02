package android.text

object TextUtils {
    @JvmStatic fun join(between: CharSequence, parts: Array<Any>): String = parts.joinToString(between)
}
