package dev.farad.tests

import android.os.Build
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertSame
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test

/** How the Android plugin leaves a page before it serves another folder (ADR 8). */
class DepartureTest {
    private lateinit var shop: Shop

    @Before fun open() {
        Build.VERSION.SDK_INT = 36
        shop = Shop()
        shop.release("1.0.0")
    }

    @After fun close() = shop.close()

    /** A phone that was told to show the release, and whose old page stands. */
    private fun leaving(): Phone {
        val phone = Phone(shop, shop.settings()).start()
        phone.ask("sync")
        phone.bridge.webView.slow = true
        phone.ask("apply")
        phone.until { it.url.orEmpty().startsWith("about:") }
        return phone
    }

    @Test fun `the folder is switched once the old page is gone, whatever it still loads`() {
        val phone = Phone(shop, shop.settings("keepRoute" to true)).start()
        phone.ask("sync")
        phone.bridge.webView.pushState("https://localhost/basket")
        phone.bridge.webView.slow = true
        assertTrue(phone.ask("apply").getBoolean("applying"))
        val blank = "about:blank?farad-"
        phone.until { it.url.orEmpty().startsWith(blank) }
        assertEquals("built in", phone.page)
        // It began to load itself anew before, and comes up again.
        phone.bridge.onWebView { it.visit("https://localhost/") }
        assertEquals("stale-token", phone.refusal("attach", "nonce" to "reloaded").code)
        // A tap of the user's ends what is on its way.
        phone.bridge.onWebView { it.visit("https://localhost/tapped", ends = true) }
        assertEquals("stale-token", phone.refusal("attach", "nonce" to "tapped").code)
        assertEquals("built in", phone.page)
        phone.until { it.url.orEmpty().startsWith(blank) }
        phone.bridge.onWebView { it.arrive() }
        assertEquals("built in", phone.page)
        phone.bridge.onWebView { it.arrive() }
        assertEquals("1.0.0", phone.page)
        assertEquals("stale-token", phone.refusal("ready", "nonce" to "reloaded").code)
        assertEquals("https://localhost/basket", phone.bridge.webView.url)
        phone.bridge.onWebView { it.arrive() }
        assertEquals("stale-token", phone.refusal("ready", "nonce" to "tapped").code)
        phone.ready("new")
        assertEquals(1, phone.bridge.webView.copyBackForwardList().size)
    }

    @Test fun `a reload that comes up after an empty document is the old page's, however late the word`() {
        val phone = leaving()
        // It began while that one was being committed, which ends nothing any more.
        phone.bridge.onWebView { it.arrive() }
        phone.bridge.onWebView {
            it.visit("https://localhost/", told = false)
            it.arrive()
        }
        assertEquals("built in", phone.page)
        assertEquals("stale-token", phone.refusal("attach", "nonce" to "reloaded").code)
        phone.bridge.onWebView { it.arrive() }
        assertEquals("1.0.0", phone.page)
        phone.bridge.onWebView { it.arrive() }
        assertEquals("stale-token", phone.refusal("ready", "nonce" to "reloaded").code)
        phone.ready("new")
        assertEquals(0, phone.activity.recreated)
    }

    @Test fun `a page that cannot be left goes with its web view, and costs the new bundle nothing`() {
        val phone = leaving()
        repeat(8) { phone.bridge.onWebView { it.visit("https://localhost/again", ends = true) } }
        phone.bridge.settle()
        assertEquals("built in", phone.page)
        assertEquals(1, phone.activity.recreated)
        val dead = phone.bridge.webView
        phone.screen()
        dead.elapse()
        assertEquals(1, phone.activity.recreated)
        // One launch was for nothing; it has its two.
        repeat(2) {
            assertEquals("1.0.0", phone.page)
            phone.start()
        }
        assertEquals("built in", phone.page)
    }

    @Test fun `an old page may take its time to go`() {
        val phone = leaving()
        val blank = phone.bridge.webView.url
        repeat(9) { phone.bridge.onWebView { it.elapse() } }
        assertEquals(blank, phone.bridge.webView.url)
        assertEquals(0, phone.activity.recreated)
        repeat(2) { phone.bridge.onWebView { it.arrive() } }
        assertEquals("1.0.0", phone.page)
    }

    @Test fun `a page whose script never returns goes with its renderer`() {
        val phone = leaving()
        val dead = phone.bridge.webView
        repeat(10) { phone.bridge.onWebView { it.elapse() } }
        phone.bridge.settle()
        assertEquals(1, dead.webViewRenderProcess!!.terminated)
        assertEquals("not before the renderer is gone, which the next one would share", 0, phone.activity.recreated)
        assertTrue(phone.bridge.rendererGone(crashed = true))
        phone.bridge.settle()
        assertEquals(1, phone.activity.recreated)
        phone.screen()
        assertEquals("1.0.0", phone.page)
        phone.ready("new")
        dead.elapse()
        phone.bridge.settle()
        assertEquals(1, phone.activity.recreated)
    }

    @Test fun `before Android 10 a page that hangs goes with its web view`() {
        Build.VERSION.SDK_INT = 28
        val phone = leaving()
        repeat(10) { phone.bridge.onWebView { it.elapse() } }
        phone.bridge.settle()
        assertEquals(0, phone.bridge.webView.webViewRenderProcess!!.terminated)
        assertEquals(1, phone.activity.recreated)
    }

    @Test fun `a page that asks before it is left is left without asking`() {
        val phone = Phone(shop, shop.settings()).start()
        phone.ask("sync")
        val webView = phone.bridge.webView
        val own = webView.webChromeClient
        webView.asksFirst = true
        phone.replaced { phone.ask("apply") }
        assertEquals(0, webView.asked)
        assertEquals("1.0.0", phone.page)
        assertSame("Capacitor's is there again", own, webView.webChromeClient)
    }

    @Test fun `before Android 8, too, a page that asks before it is left is left without asking`() {
        Build.VERSION.SDK_INT = 25
        val phone = Phone(shop, shop.settings()).start()
        phone.ask("sync")
        phone.bridge.webView.asksFirst = true
        phone.replaced { phone.ask("apply") }
        assertEquals(0, phone.bridge.webView.asked)
        assertEquals("1.0.0", phone.page)
    }

    @Test fun `a page may attach before the web view's word that it began`() {
        val phone = leaving()
        repeat(2) { phone.bridge.onWebView { it.arrive() } }
        assertEquals("1.0.0", phone.page)
        phone.bridge.onWebView { it.arrive(told = false) }
        phone.ready("new")
    }

    @Test fun `nobody is left at an empty page by a word that never comes`() {
        val phone = leaving()
        repeat(2) {
            assertEquals("built in", phone.page)
            phone.bridge.onWebView { it.arrive(told = false) }
            phone.bridge.onWebView { it.elapse() }
        }
        assertEquals("1.0.0", phone.page)
    }

    @Test fun `nobody is left at an empty page by a document that never comes`() {
        val phone = leaving()
        phone.bridge.onWebView { it.arrive() }
        repeat(8) { phone.bridge.onWebView { it.elapse() } }
        phone.bridge.settle()
        assertEquals(1, phone.activity.recreated)
        phone.screen()
        assertEquals("1.0.0", phone.page)
    }

    @Test fun `of two bundles that wait for the old page the last one is shown`() {
        val phone = leaving()
        val first = phone.bridge.webView.url
        phone.ask("reset")
        phone.until { it.url.orEmpty().startsWith("about:") && it.url != first }
        repeat(2) { phone.bridge.onWebView { it.arrive() } }
        assertEquals("built in", phone.page)
        phone.bridge.onWebView { it.arrive() }
        val ready = phone.ready("new")
        assertEquals("builtin", ready.getJSONObject("current").getString("id"))
    }
}
