package androidx.core.app

import android.app.Activity
import android.content.Context

object ActivityCompat {
    @JvmStatic fun checkSelfPermission(context: Context, permission: String) = 0

    @JvmStatic
    fun requestPermissions(activity: Activity, permissions: Array<String>, code: Int) = Unit

    @JvmStatic
    fun shouldShowRequestPermissionRationale(activity: Activity, permission: String) = false
}
