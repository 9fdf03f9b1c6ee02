@file:Suppress("unused")

package android.content.pm

class ApplicationInfo {
    @JvmField var flags = FLAG_DEBUGGABLE
    @JvmField var sourceDir = ""
    @JvmField var processName = "com.example.shop"

    companion object {
        const val FLAG_DEBUGGABLE = 2
    }
}

class PackageInfo {
    @JvmField var versionName: String? = "1.0"
    @JvmField var versionCode = 1
    @JvmField var longVersionCode = 1L
    @JvmField var requestedPermissions: Array<String>? = null
}

class PackageManager {
    @JvmField val info = PackageInfo()

    fun getPackageInfo(name: String, flags: Int) = info

    companion object {
        const val PERMISSION_GRANTED = 0
        const val GET_PERMISSIONS = 4096
    }
}
