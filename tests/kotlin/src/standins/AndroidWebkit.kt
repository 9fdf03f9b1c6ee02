package android.webkit

/** Loads what it is told to; a document stands some time after it was asked for, as in a browser. */
class WebView {
    private val entries = ArrayList<String>()
    private var pending: String? = null
    private var later = ArrayList<Runnable>()

    /** How the bridge hears of a new document. */
    @JvmField @Volatile var onLoad: (String) -> Unit = {}
    /** Where documents come to stand: the bridge's main thread. */
    @JvmField var post: (() -> Unit) -> Unit = {}
    /** Everything that was asked for but empty documents. */
    @JvmField val loads: MutableList<String> = java.util.Collections.synchronizedList(ArrayList())
    /** While it is set, what is asked for is on its way, and no more. */
    @JvmField @Volatile var slow = false

    /** The page asks the user before it is left, by a `beforeunload` of its own. */
    @JvmField @Volatile var asksFirst = false
    /** How often the user was asked: a question nobody answers. */
    @JvmField @Volatile var asked = 0
    @Volatile var webChromeClient: WebChromeClient? = null

    /** Its renderer, on systems that have a name for it. */
    @JvmField var webViewRenderProcess: WebViewRenderProcess? = WebViewRenderProcess()

    /** What is on its way, else what stands. */
    @get:Synchronized
    val url: String?
        get() = pending ?: entries.lastOrNull()

    @Synchronized
    fun reload() = load(entries.last())

    @Synchronized
    fun loadUrl(url: String) {
        // Within the document that stands, a fragment loads nothing.
        val here = '#' in url && url.substringBefore('#') == entries.lastOrNull()?.substringBefore('#')
        if (here && pending == null) entries.add(url) else load(url)
    }

    private fun load(url: String) {
        if (asksFirst && !mayLeave()) return
        pending = url
        if (!url.startsWith("about:")) loads.add(url)
        if (!slow) post { arrive() }
    }

    /** Whether the page lets itself be left. A client that does not see to the question has the user asked. */
    private fun mayLeave(): Boolean {
        val result = JsResult()
        val answered = webChromeClient?.onJsBeforeUnload(this, entries.last(), "", result) == true
        if (!answered) asked++
        return answered && result.confirmed
    }

    @Synchronized
    fun evaluateJavascript(script: String, @Suppress("UNUSED_PARAMETER") then: ValueCallback<String>?) {
        // There is no JavaScript here: taken at its word.
        if ("beforeunload" in script) asksFirst = false
    }

    /** What is on its way stands. */
    fun arrive(told: Boolean = true) {
        val url = synchronized(this) { pending.also { pending = null } } ?: return
        stand(url, told)
    }

    /**
     * A document stands that nobody native asked for; [ends] what was on its way, as a tap does. It is
     * not [told] where the word is late.
     */
    fun visit(url: String, ends: Boolean = false, told: Boolean = true) {
        if (ends) synchronized(this) { pending = null }
        stand(url, told)
    }

    private fun stand(url: String, told: Boolean) {
        synchronized(this) { entries.add(url) }
        asksFirst = false
        if (told) onLoad(url)
    }

    @Synchronized
    fun postDelayed(what: Runnable, @Suppress("UNUSED_PARAMETER") after: Long): Boolean = later.add(what)

    /** What was to be done later is due. */
    fun elapse() {
        val due = synchronized(this) { later.also { later = ArrayList() } }
        due.forEach(Runnable::run)
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
    val currentIndex: Int get() = entries.lastIndex
    val currentItem: WebHistoryItem? get() = entries.lastOrNull()?.let { WebHistoryItem(it) }

    fun getItemAtIndex(index: Int): WebHistoryItem = WebHistoryItem(entries[index])
}

class WebHistoryItem(val url: String)

class WebViewRenderProcess {
    @JvmField @Volatile var terminated = 0

    fun terminate(): Boolean {
        terminated++
        return true
    }
}

class RenderProcessGoneDetail(private val crashed: Boolean) {
    fun didCrash() = crashed
}
