package android.util

object Log {
    /** Every line so far. */
    @JvmField val lines: MutableList<String> = java.util.Collections.synchronizedList(ArrayList())

    @JvmStatic fun v(tag: String, line: String) = 0
    @JvmStatic fun d(tag: String, line: String) = 0
    @JvmStatic fun i(tag: String, line: String) = keep("I/$tag: $line")
    @JvmStatic fun w(tag: String, line: String) = keep("W/$tag: $line")
    @JvmStatic fun e(tag: String, line: String) = keep("E/$tag: $line")
    @JvmStatic fun e(tag: String, line: String, error: Throwable?) = keep("E/$tag: $line: $error")

    private fun keep(line: String): Int {
        lines.add(line)
        return 0
    }
}
