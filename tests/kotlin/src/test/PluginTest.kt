package dev.farad.tests

import android.app.ApplicationExitInfo
import android.os.Build
import android.util.Log
import com.getcapacitor.NoSuchCall
import com.getcapacitor.plugin.WebView
import dev.farad.capacitor.Core
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

    @Test fun `a release is fetched, shown in place of the page, and confirmed by its own page alone`() {
        val phone = Phone(shop, shop.settings("apply" to "now")).start()
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
        val ready = phone.ready("new")
        assertEquals("1.0.0", ready.getJSONObject("current").getString("version"))
        assertTrue(ready.isNull("rolledBack"))

        // The next process begins on it, by Capacitor's own memory.
        phone.start()
        assertEquals("1.0.0", phone.page)
        assertEquals(1, phone.bridge.webView.loads.size)
    }

    @Test fun `a bundle that never comes up is undone, and the reason told`() {
        val phone = Phone(shop, shop.settings()).start()
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
        val ready = phone.ready("page")
        assertEquals("1.0.0", ready.getJSONObject("rolledBack").getString("version"))
        assertTrue(phone.ask("ready", "nonce" to "page").isNull("rolledBack"))
        assertEquals("blocked", phone.ask("sync").getString("status"))
    }

    @Test fun `a renderer that crashes ends the launch, and one that made room does not`() {
        val phone = Phone(shop, shop.settings()).start()
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
        assertEquals("renderer-gone", phone.ready("page").getString("reason"))
        assertTrue(phone.bridge.rendererGone(crashed = false))
        phone.screen()
        assertEquals("built in", phone.page)
    }

    @Test fun `a renderer whose memory was needed while nobody looked comes back when somebody does`() {
        val phone = Phone(shop, shop.settings()).start()
        phone.ask("sync")
        phone.start()
        phone.bridge.pause()
        phone.bridge.stop()
        assertTrue(phone.bridge.rendererGone(crashed = false))
        phone.bridge.settle()
        assertEquals("it would be taken again", 0, phone.activity.recreated)
        phone.bridge.start()
        phone.bridge.settle()
        assertEquals(1, phone.activity.recreated)
        phone.screen()
        assertEquals("1.0.0", phone.page)
        phone.bridge.rendererGone(crashed = false)
        phone.screen()
        assertEquals("one launch was given back", "1.0.0", phone.page)
    }

    @Test fun `a screen that is turned is not out of sight`() {
        val phone = Phone(shop, shop.settings("apply" to "background")).start()
        phone.ask("sync")
        phone.activity.isChangingConfigurations = true
        phone.bridge.pause()
        phone.bridge.stop()
        val waits = phone.ask("getState")
        assertEquals("1.0.0", waits.getJSONObject("next").getString("version"))
        phone.activity.isChangingConfigurations = false
        phone.replaced { phone.bridge.stop() }
        assertEquals("1.0.0", phone.page)
    }

    @Test fun `the system's word that it ended the process gives a launch back, once`() {
        val phone = Phone(shop, shop.settings()).start()
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

    @Test fun `before Android 11 a launch that ends out of sight is given back, once`() {
        Build.VERSION.SDK_INT = 29
        val phone = Phone(shop, shop.settings()).start()
        phone.ask("sync")
        repeat(3) {
            phone.start()
            assertEquals("1.0.0", phone.page)
            phone.bridge.pause()
            phone.bridge.stop()
            // Answered after what is written down.
            phone.ask("getState")
        }
        phone.start()
        assertEquals("built in", phone.page)
    }

    @Test fun `the end of a process that had no web view says nothing of the one before it`() {
        val phone = Phone(shop, shop.settings()).start()
        phone.ask("sync")
        repeat(2) {
            phone.start()
            assertEquals("1.0.0", phone.page)
            val note = phone.activity.activities.summary
            val now = System.currentTimeMillis()
            phone.activity.activities.ends = listOf(
                // Begun for a message, and not needed any more.
                ApplicationExitInfo(ApplicationExitInfo.REASON_LOW_MEMORY, 0, now, APP, null),
                ApplicationExitInfo(ApplicationExitInfo.REASON_CRASH, 0, now, APP, note),
            )
        }
        phone.start()
        assertEquals("both launches crashed", "built in", phone.page)
    }

    @Test fun `a confirmed bundle that crashes early three times rests`() {
        val phone = Phone(shop, shop.settings()).start()
        phone.ask("sync")
        phone.start().ready("page")
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
        val phone = Phone(shop, shop.settings()).start()
        assertNull(phone.activity.activities.summary)
        assertEquals("built in", phone.page)
    }

    @Test fun `a folder that a page chose does not survive a start`() {
        val phone = Phone(shop, shop.settings()).start(WebView::class.java)
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
        val phone = Phone(shop, shop.settings()).start()
        phone.ask("sync")
        phone.activity.getSharedPreferences("CapWebViewSettings", 0).all.clear()
        phone.start()
        assertEquals("1.0.0", phone.page)
    }

    @Test fun `a new native app runs what it brought along`() {
        val phone = Phone(shop, shop.settings()).start()
        phone.ask("sync")
        phone.start().ready("page")
        phone.activity.packageManager.info.longVersionCode = 2
        phone.start()
        assertEquals("built in", phone.page)
    }

    @Test fun `a bundle takes over while nobody looks, at the route of the old page`() {
        val phone = Phone(shop, shop.settings("apply" to "background", "keepRoute" to true)).start()
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

    @Test fun `a route that looks like a file is kept only where there is such a file`() {
        val phone = Phone(shop, shop.settings("apply" to "now", "keepRoute" to true)).start()
        phone.bridge.webView.pushState("https://localhost/users/john.doe?tab=1")
        phone.replaced { phone.ask("sync") }
        assertEquals("1.0.0", phone.page)
        assertEquals("https://localhost", phone.bridge.webView.loads.last())
        phone.ready("one")
        shop.release("1.1.0")
        phone.bridge.webView.pushState("https://localhost/index.html?tab=1")
        phone.replaced { phone.ask("sync") }
        assertEquals("https://localhost/index.html?tab=1", phone.bridge.webView.loads.last())
    }

    @Test fun `what failed leaves no route behind`() {
        val phone = Phone(shop, shop.settings("apply" to "now", "keepRoute" to true)).start()
        phone.replaced { phone.ask("sync") }
        phone.ask("attach", "nonce" to "bad")
        phone.bridge.webView.pushState("https://localhost/where/it/fails")
        phone.replaced { phone.ask("reportFailure", "nonce" to "bad") }
        assertEquals("https://localhost", phone.bridge.webView.loads.last())
    }

    @Test fun `an app that starts below a path keeps routes beside it`() {
        val phone = Phone(shop, shop.settings("apply" to "now", "keepRoute" to true))
        phone.appStartPath = "/app/"
        phone.start()
        phone.bridge.webView.pushState("https://localhost/basket")
        phone.replaced { phone.ask("sync") }
        assertEquals("https://localhost/basket", phone.bridge.webView.loads.last())
    }

    @Test fun `a page is loaded anew although its address ends in a fragment`() {
        val phone = Phone(shop, shop.settings("keepRoute" to true)).start()
        phone.bridge.webView.pushState("https://localhost/#/basket")
        phone.replaced { phone.ask("reload") }
        assertEquals("https://localhost/#/basket", phone.bridge.webView.loads.last())
    }

    @Test fun `where the library does not run the app does, on what it came with`() {
        val phone = Phone(shop, shop.settings()).start()
        phone.ask("sync")
        phone.start()
        assertEquals("1.0.0", phone.page)
        val make = Core.make
        try {
            Core.make = { throw UnsatisfiedLinkError("no library for this processor") }
            phone.start()
        } finally {
            Core.make = make
        }
        assertEquals("built in", phone.page)
        val refusal = phone.refusal("sync")
        assertEquals("config-invalid", refusal.code)
        assertEquals("config", refusal.data.getString("stage"))
        assertFalse(refusal.data.getBoolean("retryable"))
        phone.bridge.pause()
        phone.bridge.stop()
        assertFalse(phone.bridge.rendererGone(crashed = true))
    }

    @Test fun `switched off, it leaves Capacitor's folder to others`() {
        val phone = Phone(shop, shop.settings("enabled" to false))
        val other = File(shop.home, "other").apply { mkdirs() }
        File(other, "index.html").writeText("another plugin's")
        val kept = phone.activity.getSharedPreferences("CapWebViewSettings", 0)
        val app = phone.activity.packageManager.info
        kept.edit()
            .putString("serverBasePath", other.path)
            .putString("lastBinaryVersionCode", app.longVersionCode.toString())
            .putString("lastBinaryVersionName", app.versionName.orEmpty())
            .commit()
        phone.start()
        assertEquals("another plugin's", phone.page)
        assertEquals("unavailable", phone.ask("sync").getString("status"))
    }

    @Test fun `switched off, it leaves no bundle of its own behind`() {
        val phone = Phone(shop, shop.settings()).start()
        phone.ask("sync")
        phone.start().ready("page")
        assertEquals("1.0.0", phone.page)
        phone.settings = JSONObject().put("enabled", false)
        phone.start()
        assertEquals("built in", phone.page)
    }

    @Test fun `what native code may ask for, no page can`() {
        val phone = Phone(shop, shop.settings()).start()
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
        val phone = Phone(shop, shop.settings(), serverUrl = "http://10.0.0.1:5173").start()
        assertEquals("unavailable", phone.ask("sync").getString("status"))
        assertEquals("builtin", phone.ask("getState").getJSONObject("current").getString("id"))
    }

    @Test fun `what other plugins left behind goes, and an app's own folder stays`() {
        val phone = Phone(shop, shop.settings())
        val theirs = File(phone.activity.filesDir, "_capacitor_live_update_bundles/1").apply { mkdirs() }
        val own = File(phone.activity.filesDir, "versions/mine").apply { mkdirs() }
        phone.start().ask("getState")
        assertFalse(theirs.exists())
        assertTrue(own.exists())
    }

    @Test fun `Capgo's bundles go where its records lie beside them`() {
        val phone = Phone(shop, shop.settings())
        val theirs = File(phone.activity.filesDir, "versions/abc").apply { mkdirs() }
        val kept = phone.activity.getSharedPreferences("CapWebViewSettings", 0)
        kept.edit().putString("abc_info", "{}").commit()
        phone.start().ask("getState")
        assertFalse(theirs.exists())
    }

    @Test fun `the store lies where no backup takes it along`() {
        val phone = Phone(shop, shop.settings()).start()
        phone.ask("sync")
        assertTrue(File(phone.activity.noBackupFilesDir, "farad/bundles").isDirectory)
        assertEquals(0, phone.activity.filesDir.list()!!.size)
        val device = phone.ask("getDeviceInfo")
        assertEquals("android" to APP, device.getString("platform") to device.getString("appId"))
        assertNotEquals("", device.getString("installId"))
    }
}
