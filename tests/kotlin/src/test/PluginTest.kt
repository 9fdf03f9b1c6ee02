package dev.farad.tests

import android.app.ApplicationExitInfo
import android.os.Build
import android.util.Log
import com.getcapacitor.NoSuchCall
import com.getcapacitor.plugin.WebView
import dev.farad.capacitor.Farad
import java.io.File
import org.json.JSONObject
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test

/** The Android plugin in Capacitor's own classes, over the real core. */
class PluginTest {
    private lateinit var shop: Shop

    @Before fun open() {
        Build.VERSION.SDK_INT = 36
        shop = Shop()
        shop.release("1.0.0")
    }

    @After fun close() = shop.close()

    private fun settings(vararg more: Pair<String, Any>) = JSONObject().apply {
        put("url", shop.serve())
        put("channel", "production")
        put("autoSync", "off")
        more.forEach { (key, value) -> put(key, value) }
    }

    @Test fun `a release is fetched, shown in place of the page, and confirmed by its own page alone`() {
        val phone = Phone(shop, settings("apply" to "now")).start()
        assertEquals("built in", phone.page)
        phone.ask("attach", "nonce" to "old")
        val told = ArrayList<String>()
        for (event in listOf("updateAvailable", "downloadProgress", "updateStaged", "beforeReload")) {
            phone.bridge.listen("Farad", event) { told.add(event) }
        }
        phone.replaced { assertEquals("staged", phone.ask("sync").getString("status")) }
        assertEquals("1.0.0", phone.page)
        assertTrue(told.toString(), told.containsAll(listOf("updateAvailable", "updateStaged", "beforeReload")))
        assertEquals("stale-token", phone.refusal("ready", "nonce" to "old").code)
        phone.ask("attach", "nonce" to "new")
        val ready = phone.ask("ready", "nonce" to "new")
        assertEquals("1.0.0", ready.getJSONObject("current").getString("version"))
        assertTrue(ready.isNull("rolledBack"))

        // The next process begins on it, by Capacitor's own memory.
        phone.start()
        assertEquals("1.0.0", phone.page)
        assertEquals(1, phone.bridge.webView.loads.size)
    }

    @Test fun `the folder is switched once the old page is gone, whatever it still loads`() {
        val phone = Phone(shop, settings("keepRoute" to true)).start()
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
        phone.ask("attach", "nonce" to "new")
        phone.ask("ready", "nonce" to "new")
        assertEquals(1, phone.bridge.webView.copyBackForwardList().size)
    }

    /** A phone that was told to show the release, and whose old page stands. */
    private fun leaving(): Phone {
        val phone = Phone(shop, settings()).start()
        phone.ask("sync")
        phone.bridge.webView.slow = true
        phone.ask("apply")
        phone.until { it.url.orEmpty().startsWith("about:") }
        return phone
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
        phone.ask("attach", "nonce" to "new")
        phone.ask("ready", "nonce" to "new")
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
        repeat(20) { phone.bridge.onWebView { it.elapse() } }
        assertEquals(blank, phone.bridge.webView.url)
        assertEquals(0, phone.activity.recreated)
        repeat(2) { phone.bridge.onWebView { it.arrive() } }
        assertEquals("1.0.0", phone.page)
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
        val phone = Phone(shop, settings()).start()
        phone.ask("sync")
        phone.bridge.webView.slow = true
        phone.ask("apply")
        phone.until { it.url.orEmpty().startsWith("about:") }
        val first = phone.bridge.webView.url
        phone.ask("reset")
        phone.until { it.url.orEmpty().startsWith("about:") && it.url != first }
        repeat(2) { phone.bridge.onWebView { it.arrive() } }
        assertEquals("built in", phone.page)
        phone.bridge.onWebView { it.arrive() }
        phone.ask("attach", "nonce" to "new")
        val ready = phone.ask("ready", "nonce" to "new")
        assertEquals("builtin", ready.getJSONObject("current").getString("id"))
    }

    @Test fun `a bundle that never comes up is undone, and the reason told`() {
        val phone = Phone(shop, settings()).start()
        phone.ask("sync")
        repeat(2) {
            phone.start()
            assertEquals("1.0.0", phone.page)
        }
        phone.start()
        assertEquals("built in", phone.page)
        val heard = ArrayList<JSONObject>()
        phone.bridge.listen("Farad", "rolledBack") { heard.add(it) }
        assertEquals("not-ready", heard.single().getString("reason"))
        phone.ask("attach", "nonce" to "page")
        val ready = phone.ask("ready", "nonce" to "page")
        assertEquals("1.0.0", ready.getJSONObject("rolledBack").getString("version"))
        assertTrue(phone.ask("ready", "nonce" to "page").isNull("rolledBack"))
        assertEquals("blocked", phone.ask("sync").getString("status"))
    }

    @Test fun `a renderer that crashes ends the launch, and one that made room does not`() {
        val phone = Phone(shop, settings()).start()
        phone.ask("sync")
        phone.start()
        assertTrue(phone.bridge.rendererGone(crashed = true))
        phone.bridge.settle()
        assertEquals(1, phone.activity.recreated)
        phone.screen()
        assertEquals("1.0.0", phone.page)
        assertTrue(phone.bridge.rendererGone(crashed = true))
        phone.screen()
        assertEquals("built in", phone.page)
        phone.ask("attach", "nonce" to "page")
        assertEquals("renderer-gone", phone.ask("ready", "nonce" to "page").getString("reason"))
        assertTrue(phone.bridge.rendererGone(crashed = false))
        phone.screen()
        assertEquals("built in", phone.page)
    }

    @Test fun `the system's word that it ended the process gives a launch back, once`() {
        val phone = Phone(shop, settings()).start()
        phone.ask("sync")
        phone.start()
        val ended = { reason: Int ->
            val note = phone.activity.activities.summary
            phone.activity.activities.ends = listOf(
                ApplicationExitInfo(ApplicationExitInfo.REASON_CRASH, 0, 5, "$APP:other", null),
                ApplicationExitInfo(reason, 0, System.currentTimeMillis(), APP, note),
            )
        }
        repeat(2) {
            ended(ApplicationExitInfo.REASON_LOW_MEMORY)
            phone.start()
            assertEquals("1.0.0", phone.page)
        }
        ended(ApplicationExitInfo.REASON_LOW_MEMORY)
        phone.start()
        assertEquals("built in", phone.page)
    }

    @Test fun `a confirmed bundle that crashes early three times rests`() {
        val phone = Phone(shop, settings()).start()
        phone.ask("sync")
        phone.start().ask("attach", "nonce" to "page")
        phone.ask("ready", "nonce" to "page")
        repeat(3) {
            assertEquals("1.0.0", phone.page)
            val note = phone.activity.activities.summary
            val now = System.currentTimeMillis()
            phone.activity.activities.ends = listOf(
                ApplicationExitInfo(ApplicationExitInfo.REASON_CRASH_NATIVE, 0, now, APP, note),
            )
            phone.start()
        }
        assertEquals("built in", phone.page)
    }

    @Test fun `before Android 11 nothing is asked of the system`() {
        Build.VERSION.SDK_INT = 29
        val phone = Phone(shop, settings()).start()
        assertNull(phone.activity.activities.summary)
        assertEquals("built in", phone.page)
    }

    @Test fun `a folder that a page chose does not survive a start`() {
        val phone = Phone(shop, settings()).start(WebView::class.java)
        val evil = File(shop.home, "evil").apply { mkdirs() }
        File(evil, "index.html").writeText("evil")
        val call = { method: String, options: com.getcapacitor.JSObject ->
            phone.bridge.call("WebView", method, options).get()
        }
        call("setServerBasePath", com.getcapacitor.JSObject().put("path", evil.path))
        phone.bridge.settle()
        assertEquals("evil", phone.page)
        call("persistServerBasePath", com.getcapacitor.JSObject())
        phone.start(WebView::class.java)
        assertEquals("built in", phone.page)
    }

    @Test fun `a bundle is shown although Capacitor lost its memory of the app's version`() {
        val phone = Phone(shop, settings()).start()
        phone.ask("sync")
        phone.activity.getSharedPreferences("CapWebViewSettings", 0).all.clear()
        phone.start()
        assertEquals("1.0.0", phone.page)
    }

    @Test fun `a new native app runs what it brought along`() {
        val phone = Phone(shop, settings()).start()
        phone.ask("sync")
        phone.start().ask("attach", "nonce" to "page")
        phone.ask("ready", "nonce" to "page")
        phone.activity.packageManager.info.longVersionCode = 2
        phone.start()
        assertEquals("built in", phone.page)
    }

    @Test fun `a bundle takes over while nobody looks, at the route of the old page`() {
        val phone = Phone(shop, settings("apply" to "background", "keepRoute" to true)).start()
        phone.ask("sync")
        assertEquals("built in", phone.page)
        phone.bridge.webView.pushState("https://localhost/basket?id=1#top")
        phone.replaced {
            phone.bridge.pause()
            phone.bridge.stop()
        }
        assertEquals("1.0.0", phone.page)
        assertEquals("https://localhost/basket?id=1#top", phone.bridge.webView.loads.last())
    }

    @Test fun `what native code may ask for, no page can`() {
        val phone = Phone(shop, settings()).start()
        phone.ask("sync")
        for (method in listOf("deleteBundle", "clearBlocks")) {
            assertThrows(NoSuchCall::class.java) { phone.ask(method) }
        }
        val next = phone.ask("getState").getJSONObject("next").getString("id")
        assertTrue(Farad.updater!!.deleteBundle(next))
        assertTrue(phone.ask("getState").isNull("next"))
    }

    @Test fun `a configuration that cannot work is told in the log and to every call`() {
        val phone = Phone(shop, JSONObject().put("url", "https://example.com")).start()
        assertEquals("built in", phone.page)
        for (method in listOf("ready", "sync", "getState", "attach")) {
            val refusal = phone.refusal(method)
            assertEquals("config-invalid", refusal.code)
        }
        assertEquals("config", phone.refusal("getState").data.getString("stage"))
        assertFalse(phone.bridge.rendererGone(crashed = true))
        assertTrue(Log.lines.any { it.startsWith("E/Farad") && it.contains("channel is missing") })
    }

    @Test fun `under live reload nothing happens, and nothing fails`() {
        val phone = Phone(shop, settings(), serverUrl = "http://10.0.0.1:5173").start()
        assertEquals("unavailable", phone.ask("sync").getString("status"))
        assertEquals("builtin", phone.ask("getState").getJSONObject("current").getString("id"))
    }

    @Test fun `what other plugins left behind goes, and an app's own folder stays`() {
        val phone = Phone(shop, settings())
        val theirs = File(phone.activity.filesDir, "_capacitor_live_update_bundles/1").apply { mkdirs() }
        val own = File(phone.activity.filesDir, "versions/mine").apply { mkdirs() }
        phone.start().ask("getState")
        assertFalse(theirs.exists())
        assertTrue(own.exists())
    }

    @Test fun `Capgo's bundles go where its records lie beside them`() {
        val phone = Phone(shop, settings())
        val theirs = File(phone.activity.filesDir, "versions/abc").apply { mkdirs() }
        val kept = phone.activity.getSharedPreferences("CapWebViewSettings", 0)
        kept.edit().putString("abc_info", "{}").commit()
        phone.start().ask("getState")
        assertFalse(theirs.exists())
    }

    @Test fun `the store lies where no backup takes it along`() {
        val phone = Phone(shop, settings()).start()
        phone.ask("sync")
        assertTrue(File(phone.activity.noBackupFilesDir, "farad/bundles").isDirectory)
        assertEquals(0, phone.activity.filesDir.list()!!.size)
        val device = phone.ask("getDeviceInfo")
        assertEquals("android" to APP, device.getString("platform") to device.getString("appId"))
        assertNotEquals("", device.getString("installId"))
    }
}
