package android.app

import android.content.Context
import java.io.File

open class Activity(home: File) : Context(home) {
    @JvmField var recreated = 0
    var isChangingConfigurations = false

    open fun recreate() {
        recreated++
    }

    companion object {
        const val MODE_PRIVATE = 0
    }
}

class ActivityManager {
    /** What the system kept of this process, and what it tells of the last ones. */
    @JvmField var summary: ByteArray? = null
    @JvmField var ends: List<ApplicationExitInfo> = emptyList()

    fun setProcessStateSummary(note: ByteArray?) {
        require(note == null || note.size <= 128)
        summary = note
    }

    fun getHistoricalProcessExitReasons(name: String?, pid: Int, most: Int): List<ApplicationExitInfo> =
        ends.take(most)
}

class ApplicationExitInfo(
    val reason: Int,
    val status: Int,
    val timestamp: Long,
    val processName: String,
    val processStateSummary: ByteArray?,
) {
    companion object {
        const val REASON_UNKNOWN = 0
        const val REASON_EXIT_SELF = 1
        const val REASON_SIGNALED = 2
        const val REASON_LOW_MEMORY = 3
        const val REASON_CRASH = 4
        const val REASON_CRASH_NATIVE = 5
        const val REASON_ANR = 6
        const val REASON_INITIALIZATION_FAILURE = 7
        const val REASON_USER_REQUESTED = 10
    }
}
