// How the last process ended. Android tells from API 30 on, and keeps a note for each process.

package dev.farad.capacitor

import android.app.ActivityManager
import android.app.ApplicationExitInfo
import android.content.Context
import android.os.Build
import android.util.Log
import dev.farad.core.Exit
import dev.farad.core.ExitReason

internal object Exits {
    private const val SIGKILL = 9
    /** The app may have other processes, whose ends come in between; the system remembers no more. */
    private const val LOOK_BACK = 16
    /** How the core's notes begin: their version. */
    private const val OURS = "1 "

    /**
     * The end of the app's last main process that had a web view, where the system tells. Others (begun by
     * a message or for a job) leave no note.
     */
    fun last(context: Context): Exit? {
        if (Build.VERSION.SDK_INT < 30) return null
        return try {
            val ends = manager(context).getHistoricalProcessExitReasons(null, 0, LOOK_BACK)
            val main = context.applicationInfo.processName
            ends.firstOrNull { it.processName == main && note(it).startsWith(OURS) }?.let {
                Exit(reason(it.reason, it.status), it.timestamp, note(it))
            }
        } catch (error: RuntimeException) {
            // Some vendors' systems refuse; nothing depends on it.
            Log.w("Farad", "exit reasons are not to be had: $error")
            null
        }
    }

    /** Has the system keep [note] until this process is gone. */
    fun keep(context: Context, note: String) {
        if (Build.VERSION.SDK_INT >= 30) manager(context).setProcessStateSummary(note.toByteArray())
    }

    internal fun reason(reason: Int, status: Int): ExitReason = when (reason) {
        ApplicationExitInfo.REASON_CRASH,
        ApplicationExitInfo.REASON_CRASH_NATIVE,
        ApplicationExitInfo.REASON_ANR,
        ApplicationExitInfo.REASON_INITIALIZATION_FAILURE -> ExitReason.CRASH
        // Where the system cannot tell that it needed the memory, it says that it killed.
        ApplicationExitInfo.REASON_SIGNALED ->
            if (status == SIGKILL) ExitReason.OUTSIDE else ExitReason.CRASH
        ApplicationExitInfo.REASON_UNKNOWN,
        ApplicationExitInfo.REASON_EXIT_SELF -> ExitReason.UNKNOWN
        // Memory, the user, a permission that was taken, an update, the freezer.
        else -> ExitReason.OUTSIDE
    }

    private fun note(end: ApplicationExitInfo): String =
        end.processStateSummary?.let { String(it) }.orEmpty()

    private fun manager(context: Context): ActivityManager =
        context.getSystemService(Context.ACTIVITY_SERVICE) as ActivityManager
}
