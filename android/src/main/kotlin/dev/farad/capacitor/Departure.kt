// How a web view leaves a page, before another folder is served under it.
//
// What the old page had begun to load may come up after the switch, read from the old folder, and be
// taken for the new page. So empty documents are loaded first. The first one ends the page, but not a
// navigation that the page began while it was being replaced. Loading a second one ends that, or finds
// that it came up in between. Once two stand one after the other, nothing of the old page's is left.

package dev.farad.capacitor

import android.os.Build
import android.util.Log
import android.webkit.WebBackForwardList
import android.webkit.WebChromeClient
import android.webkit.WebView

/**
 * Of the main thread alone. [stuck] is for a page that cannot be left: only a new web view helps. It is told
 * whether the page hangs.
 */
internal class Departure(private val webView: WebView, private val stuck: (hangs: Boolean) -> Unit) {
    /** One page that is being left, for [address] to come. */
    private class Leaving(val launch: Long, val address: String, val then: (String) -> Unit) {
        /** Empty documents that were asked for. */
        var asked = 0
        /** Looks in a row that found the page where it was. */
        var still = 0

        /** Never the address of another: one that stands already must not be taken for it. */
        fun blank(number: Int = asked) = "$BLANK$launch-$number"
    }

    private var leaving: Leaving? = null

    val isUnderWay: Boolean
        get() = leaving != null

    /**
     * Leaves the page, then does [then] with the address that comes next. One that is under way
     * already is forgotten, but for the route that it had noted.
     */
    fun leave(launch: Long, address: String, keepRoute: Boolean, then: (String) -> Unit) {
        val noted = leaving?.takeIf { keepRoute }?.address
        silence()
        again(Leaving(launch, noted ?: address, then).also { leaving = it })
    }

    /** To be called whenever another document may stand. */
    fun look() = look(patient = true)

    /** The web view is dead, or about to be. */
    fun cancel() = end()

    private fun end() {
        leaving = null
        speak()
    }

    /**
     * A page's `beforeunload` would have the user asked whether to stay, once for each empty document, and
     * the page's end be taken for a hang meanwhile. What goes with the page is for `beforeReload`.
     */
    private fun silence() {
        if (Build.VERSION.SDK_INT < 26) return webView.evaluateJavascript(SILENCE, null)
        val client = webView.webChromeClient
        if (client !is Unasked) webView.webChromeClient = Unasked(client ?: WebChromeClient())
    }

    private fun speak() {
        if (Build.VERSION.SDK_INT < 26) return
        (webView.webChromeClient as? Unasked)?.let { webView.webChromeClient = it.next }
    }

    /**
     * The system's words are posted, and name no document: the list of pages to go back to says what
     * stands, and what stood before it. `url` is what is on its way, else what stands.
     */
    private fun look(patient: Boolean) {
        val leaving = leaving ?: return
        val pages = webView.copyBackForwardList()
        val standing = pages.currentItem?.url
        when {
            standing == leaving.blank() && before(pages) == leaving.blank(leaving.asked - 1) -> {
                end()
                leaving.then(leaving.address)
            }
            standing != leaving.blank() && webView.url == leaving.blank() && patient -> Unit
            leaving.asked < TRIES -> again(leaving)
            else -> giveUp(hangs = false)
        }
    }

    private fun giveUp(hangs: Boolean) {
        end()
        Log.w("Farad", "the old page cannot be left: the web view is made anew")
        stuck(hangs)
    }

    private fun before(pages: WebBackForwardList): String? =
        pages.currentIndex.takeIf { it > 0 }?.let { pages.getItemAtIndex(it - 1)?.url }

    private fun again(leaving: Leaving) {
        leaving.asked += 1
        leaving.still = 0
        webView.loadUrl(leaving.blank())
        lookLater(leaving, leaving.asked)
    }

    /**
     * Nothing depends on a word that never comes. An old page may take some time to go, since it is
     * there meanwhile; nobody is to look at an empty one. One whose script never returns hangs.
     */
    private fun lookLater(leaving: Leaving, asked: Int) {
        webView.postDelayed({
            val waits = { this.leaving === leaving && leaving.asked == asked }
            if (waits()) look(patient = !isBlank(webView.copyBackForwardList().currentItem?.url))
            if (waits()) {
                leaving.still += 1
                if (leaving.still < LOOKS) lookLater(leaving, asked) else giveUp(hangs = true)
            }
        }, PATIENCE)
    }

    companion object {
        /** Empty documents. Neither Capacitor's bridge nor any page's script is in them. */
        private const val BLANK = "about:blank?farad-"
        /** For systems that do not tell a web view's client. What a page added as this does, and before it, still asks. */
        private const val SILENCE =
            "onbeforeunload=null;addEventListener('beforeunload',e=>e.stopImmediatePropagation(),true)"
        /** Two are needed; a page that keeps loading itself spoils each. */
        private const val TRIES = 8
        /** A page that has not gone after so many is not busy but stuck. */
        private const val LOOKS = 10
        /** Milliseconds. An empty document takes some. */
        private const val PATIENCE = 1000L

        fun isBlank(url: String?): Boolean = url != null && url.startsWith(BLANK)
    }
}
