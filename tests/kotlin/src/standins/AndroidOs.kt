package android.os

class Bundle {
    fun putString(key: String, value: String) = Unit
}

class Message

object Build {
    object VERSION {
        @JvmField var SDK_INT = 36
    }
}

object SystemClock {
    @JvmStatic fun elapsedRealtimeNanos(): Long = System.nanoTime()
}
