package android.webkit

/** Loads what it is told to; a document stands some time after it was asked for, as in a browser. */
class WebView {
    private val entries = ArrayList<String>()
    private var pending: String? = null

    /** How the bridge hears of a new document. */
    @JvmField @Volatile var onLoad: (String) -> Unit = {}
    /** Where documents come to stand: the bridge's main thread. */
    @JvmField var post: (() -> Unit) -> Unit = {}
    /** Everything that was asked for but empty documents. */
    @JvmField val loads: MutableList<String> = java.util.Collections.synchronizedList(ArrayList())
    /** While it is set, what is asked for is on its way, and no more. */
    @JvmField @Volatile var slow = false

    /** What is on its way, else what stands. */
    @get:Synchronized
    val url: String?
        get() = pending ?: entries.lastOrNull()

    @Synchronized
    fun loadUrl(url: String) {
        pending = url
        if (!url.startsWith("about:")) loads.add(url)
        if (!slow) post { arrive() }
    }

    /** What is on its way stands. */
    fun arrive() {
        val url = synchronized(this) { pending.also { pending = null } } ?: return
        stand(url)
    }

    /** A document stands that nobody native asked for; [ends] what was on its way, as a tap does. */
    fun visit(url: String, ends: Boolean = false) {
        if (ends) synchronized(this) { pending = null }
        stand(url)
    }

    private fun stand(url: String) {
        synchronized(this) { entries.add(url) }
        onLoad(url)
    }

    /** The page changes its own address. */
    @Synchronized
    fun pushState(url: String) {
        entries.add(url)
    }

    @Synchronized
    fun copyBackForwardList() = WebBackForwardList(entries.toList())

    @Synchronized
    fun clearHistory() {
        val last = entries.last()
        entries.clear()
        entries.add(last)
    }
}

class WebBackForwardList(private val entries: List<String>) {
    val size: Int get() = entries.size
    val currentItem: WebHistoryItem? get() = entries.lastOrNull()?.let { WebHistoryItem(it) }

    fun getItemAtIndex(index: Int) = WebHistoryItem(entries[index])
}

class WebHistoryItem(val url: String)

class RenderProcessGoneDetail(private val crashed: Boolean) {
    fun didCrash() = crashed
}
