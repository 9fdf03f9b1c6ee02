package com.getcapacitor.util

import android.content.pm.PackageManager

object InternalUtils {
    @JvmStatic fun getPackageInfo(packages: PackageManager, name: String, flags: Long) =
        packages.getPackageInfo(name, flags.toInt())
}
