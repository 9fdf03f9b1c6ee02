// What the core must know of the native app.

package dev.farad.capacitor

import android.content.Context
import android.content.pm.ApplicationInfo
import android.content.pm.PackageInfo
import android.os.Build
import dev.farad.core.Platform
import dev.farad.core.Setup
import dev.farad.core.Source
import java.io.File
import java.io.IOException
import org.json.JSONException
import org.json.JSONObject

internal class App(private val context: Context) {
    private val info: PackageInfo = context.packageManager.getPackageInfo(context.packageName, 0)

    val versionName: String
        get() = info.versionName.orEmpty()

    @Suppress("DEPRECATION")
    val versionCode: Long
        get() = if (Build.VERSION.SDK_INT >= 28) info.longVersionCode else info.versionCode.toLong()

    fun setup(plugin: FaradPlugin): Setup {
        val settings = plugin.config.configJSON
        val bridge = plugin.bridge
        return Setup(
            settings = settings.toString(),
            appId = if (settings.has("appId")) context.packageName else capacitorId(),
            // The bridge serves no folder then, either.
            liveReload = bridge.serverUrl != null || bridge.isDeployDisabled,
            debug = context.applicationInfo.flags and ApplicationInfo.FLAG_DEBUGGABLE != 0,
            platform = Platform.Android(versionCode),
            nativeVersion = versionName,
            built = 0,
            // No backup takes it to another phone.
            home = home(context).path,
            source = Source.Apk(context.applicationInfo.sourceDir),
        )
    }

    /** The app id of the configuration, which a build's variant does not change. */
    private fun capacitorId(): String =
        try {
            val text = context.assets.open("capacitor.config.json").use { it.readBytes() }
            JSONObject(String(text)).optString("appId", context.packageName)
        } catch (_: IOException) {
            context.packageName
        } catch (_: JSONException) {
            context.packageName
        }

    companion object {
        /** Where bundles and their records lie: in the app's own storage. */
        fun home(context: Context) = File(context.noBackupFilesDir, "farad")
    }
}
