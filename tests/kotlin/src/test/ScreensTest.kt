package dev.farad.tests

import android.os.Build
import com.getcapacitor.Bridge
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test

/** Several activities within one process: which of them speaks for it. */
class ScreensTest {
    private lateinit var shop: Shop

    @Before fun open() {
        Build.VERSION.SDK_INT = 36
        shop = Shop()
        shop.release("1.0.0")
    }

    @After fun close() = shop.close()

    /** Opens another screen, and says which one it covers. */
    private fun Phone.cover(): Bridge {
        val before = bridge
        before.pause()
        screen()
        return before
    }

    /** Does [what] as the page of [other]. */
    private fun <T> Phone.at(other: Bridge, what: Phone.() -> T): T {
        val now = bridge
        bridge = other
        try {
            return what()
        } finally {
            bridge = now
        }
    }

    @Test fun `a screen that goes puts nothing out of sight that came in its place`() {
        val phone = Phone(shop, shop.settings("apply" to "background")).start()
        val before = phone.cover()
        phone.ask("sync")
        before.stop()
        before.destroy()
        val waits = phone.ask("getState")
        assertEquals("1.0.0", waits.getJSONObject("next").getString("version"))
        phone.replaced {
            phone.bridge.pause()
            phone.bridge.stop()
        }
        assertEquals("1.0.0", phone.page)
    }

    @Test fun `the page of a screen that was replaced confirms nothing and reports nothing`() {
        val phone = Phone(shop, shop.settings()).start()
        phone.ask("sync")
        val before = phone.cover()
        assertEquals("1.0.0", phone.page)
        phone.at(before) {
            for (method in listOf("attach", "ready", "reportFailure")) {
                val refusal = refusal(method, "nonce" to "old")
                assertEquals(method, "stale-token", refusal.code)
                assertEquals("call", refusal.data.getString("stage"))
                assertEquals(false, refusal.data.getBoolean("retryable"))
            }
        }
        phone.ready("new")
    }

    @Test fun `a renderer that all screens shared is mourned once`() {
        val phone = Phone(shop, shop.settings()).start()
        phone.ask("sync")
        val before = phone.cover()
        before.stop()
        assertTrue("the app would be ended", before.rendererGone(crashed = true))
        assertTrue(phone.bridge.rendererGone(crashed = true))
        phone.bridge.settle()
        assertEquals(1, phone.activity.recreated)
        phone.screen()
        assertEquals("its second launch", "1.0.0", phone.page)
    }

    @Test fun `a screen that was covered and never stopped speaks again when it is in front`() {
        val phone = Phone(shop, shop.settings("apply" to "background")).start()
        val first = phone.cover()
        val second = phone.bridge
        second.pause()
        phone.bridge = first
        first.resume()
        second.stop()
        second.destroy()
        phone.ready("built in")
        phone.ask("sync")
        phone.replaced {
            first.pause()
            first.stop()
        }
        assertEquals("1.0.0", phone.page)
        assertEquals(0, phone.activity.recreated)
    }

    @Test fun `a screen beside one that is closed speaks for it, and is made anew where it shows another bundle`() {
        val phone = Phone(shop, shop.settings()).start()
        val beside = phone.bridge
        for (version in listOf("built in", "1.0.0")) {
            phone.bridge = beside
            phone.screen()
            assertEquals(version, phone.page)
            phone.ready(version)
            assertEquals("stale-token", phone.at(beside) { refusal("attach", "nonce" to "beside") }.code)
            phone.bridge.pause()
            phone.bridge.stop()
            phone.bridge.destroy()
            phone.bridge.settle()
            beside.settle()
            if (version == "built in") {
                phone.at(beside) { ready("beside, $version") }
                phone.at(beside) { ask("sync") }
            }
        }
        assertEquals(1, phone.activity.recreated)
    }

    @Test fun `a screen that comes back speaks again where it shows what runs, and is made anew where not`() {
        val phone = Phone(shop, shop.settings("apply" to "background")).start()
        val first = phone.cover()
        first.stop()
        val second = phone.bridge
        second.pause()
        phone.bridge = first
        first.start()
        first.resume()
        second.stop()
        second.destroy()
        assertEquals(0, phone.activity.recreated)
        phone.ask("sync")
        phone.replaced {
            first.pause()
            first.stop()
        }
        assertEquals("1.0.0", phone.page)
        phone.ready("one")

        first.start()
        first.resume()
        shop.release("1.1.0")
        phone.ask("sync", "apply" to "next-start")
        phone.cover()
        assertEquals("1.1.0", phone.page)
        phone.ready("two")
        phone.bridge.pause()
        first.start()
        first.resume()
        phone.bridge.stop()
        phone.bridge.destroy()
        phone.bridge.settle()
        first.settle()
        assertEquals("its bundle is not the one that runs", 1, phone.activity.recreated)
    }
}
