package android.net

class ConnectivityManager {
    @JvmField var isActiveNetworkMetered = false
}

class Uri
