// Bundles that another update plugin left behind in an app that has changed over to this one. Nobody
// would remove them otherwise, and they are large.

package dev.farad.capacitor

import android.content.Context
import android.util.Log
import java.io.File

internal object Leftovers {
    /** Removes them, once in the life of the installation. Reads little where that was done. */
    fun remove(context: Context) {
        val done = File(context.noBackupFilesDir, "farad/leftovers-removed")
        if (done.exists()) return
        for (folder in found(context)) {
            Log.i("Farad", "removing ${folder.name}, which another update plugin left behind")
            folder.deleteRecursively()
        }
        done.createNewFile()
    }

    private fun found(context: Context): List<File> = buildList {
        // Capawesome's; the name is its own.
        add(File(context.filesDir, "_capacitor_live_update_bundles"))
        // Capgo's. An app may have a folder of that name itself: only with Capgo's records beside it.
        val kept = context.getSharedPreferences("CapWebViewSettings", Context.MODE_PRIVATE)
        if (kept.all.keys.any { it.endsWith("_info") }) add(File(context.filesDir, "versions"))
    }.filter { it.isDirectory }
}
