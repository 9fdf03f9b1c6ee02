package android.content

import android.app.ActivityManager
import android.content.pm.ApplicationInfo
import android.content.pm.PackageManager
import android.content.res.AssetManager
import android.net.ConnectivityManager
import java.io.File

/** An app's surroundings below one folder, as far as the plugin looks. */
open class Context(private val home: File) {
    val applicationInfo = ApplicationInfo()
    val packageManager = PackageManager()
    val packageName = "com.example.shop"
    val filesDir = File(home, "files").apply { mkdirs() }
    val noBackupFilesDir = File(home, "no_backup").apply { mkdirs() }
    val activities = ActivityManager()
    val connectivity = ConnectivityManager()
    private val preferences = HashMap<String, SharedPreferences>()

    val applicationContext: Context
        get() = this
    val assets: AssetManager
        get() = AssetManager(File(home, "assets"))

    fun getSharedPreferences(name: String, mode: Int): SharedPreferences =
        preferences.getOrPut(name) { SharedPreferences() }

    fun getSystemService(name: String): Any? = when (name) {
        ACTIVITY_SERVICE -> activities
        CONNECTIVITY_SERVICE -> connectivity
        else -> null
    }

    companion object {
        const val MODE_PRIVATE = 0
        const val ACTIVITY_SERVICE = "activity"
        const val CONNECTIVITY_SERVICE = "connectivity"
    }
}

class SharedPreferences {
    val all = HashMap<String, Any?>()

    fun getString(key: String, otherwise: String?): String? = all[key] as String? ?: otherwise

    fun edit() = Editor()

    inner class Editor {
        private val changes = HashMap<String, Any?>()

        fun putString(key: String, value: String?) = apply { changes[key] = value }

        fun commit(): Boolean {
            all.putAll(changes)
            return true
        }

        fun apply() {
            all.putAll(changes)
        }
    }
}

class Intent
