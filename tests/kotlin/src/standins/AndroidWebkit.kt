package android.webkit

class WebView {
    /** The page that is shown. */
    @JvmField var url: String? = null
    @JvmField val loads: MutableList<String> = java.util.Collections.synchronizedList(ArrayList())
    @JvmField var onLoad: (String) -> Unit = {}

    fun loadUrl(url: String) {
        this.url = url
        loads.add(url)
        onLoad(url)
    }
}

class RenderProcessGoneDetail(private val crashed: Boolean) {
    fun didCrash() = crashed
}
