package dev.farad.tests

import dev.farad.core.CancelToken
import dev.farad.core.FaradException
import dev.farad.core.FailReason
import dev.farad.core.Listener
import dev.farad.core.LogLevel
import dev.farad.core.Order
import dev.farad.core.Pilot
import dev.farad.core.Platform
import dev.farad.core.Setup
import dev.farad.core.Shell
import dev.farad.core.Source
import dev.farad.core.Updater
import java.io.File
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test

/** The generated bindings, without Capacitor. */
class BindingsTest {
    private lateinit var shop: Shop

    @Before fun open() {
        shop = Shop()
    }

    @After fun close() = shop.close()

    private fun setup(url: String) = Setup(
        settings = """{"url":"$url","channel":"production","autoSync":"off"}""",
        appId = APP,
        liveReload = false,
        debug = true,
        platform = Platform.Android(1),
        nativeVersion = "1.0",
        built = 0,
        home = File(shop.home, "phone").path,
        source = Source.Folders(File(shop.home, "none").path, shop.home.path),
    )

    @Test fun `an updater fetches, tries and confirms a release`() {
        shop.release("1.0.0")
        val updater = Updater.open(setup(shop.serve()), null)
        assertEquals("builtin", updater.boot(false).bundle.id)
        val steps = ArrayList<Pair<Long, Long>>()
        val done = updater.sync(false, CancelToken(), object : Listener {
            override fun progress(bytes: Long, total: Long) {
                steps.add(bytes to total)
            }
        })
        assertEquals("staged", done.status)
        assertEquals("1.0.0", done.release?.version)
        assertEquals("pack", done.via)
        assertTrue(steps.isNotEmpty() && steps.last().let { it.first == it.second })
        val launch = updater.boot(false)
        assertEquals("1.0.0", File(launch.folder!!, "index.html").readText())
        val stale = assertThrows(FaradException.Misuse::class.java) { updater.ready("not a token") }
        assertEquals("stale-token", stale.code())
        updater.ready(launch.token!!)
        assertNull(updater.boot(false).token)
        assertEquals("1.0.0", updater.state().confirmed.version)
        assertEquals(32, updater.state().installId.length)
    }

    @Test fun `a bundle that fails twice is given up`() {
        shop.release("1.0.0")
        val updater = Updater.open(setup(shop.serve()), null)
        updater.boot(false)
        updater.sync(false, CancelToken(), null)
        assertEquals(false, updater.fail(updater.boot(false).token!!, FailReason.REPORTED))
        assertEquals(true, updater.fail(updater.boot(false).token!!, FailReason.REPORTED))
        assertEquals("builtin", updater.boot(false).bundle.id)
        assertEquals(1, updater.state().blocked.size)
        assertEquals("blocked", updater.sync(false, CancelToken(), null).status)
    }

    @Test fun `a bundle is deleted, and blocks are forgotten by a debug build alone`() {
        shop.release("1.0.0")
        val setup = setup(shop.serve())
        val shipped = Updater.open(setup.copy(debug = false), null)
        shipped.boot(false)
        shipped.sync(false, CancelToken(), null)
        val next = shipped.state().next!!.id
        assertTrue(shipped.deleteBundle(next))
        assertNull(shipped.state().next)
        assertEquals("staged", shipped.sync(false, CancelToken(), null).status)
        repeat(2) { shipped.fail(shipped.boot(false).token!!, FailReason.REPORTED) }
        shipped.boot(false)
        assertEquals(listOf(next), shipped.state().blocked)
        val refused = assertThrows(FaradException.Misuse::class.java) { shipped.clearBlocks() }
        assertEquals("not-allowed", refused.code())
        val debug = Updater.open(setup, null)
        debug.clearBlocks()
        assertEquals("staged", debug.sync(false, CancelToken(), null).status)
        debug.boot(false)
        val tried = assertThrows(FaradException.Misuse::class.java) { debug.deleteBundle(next) }
        assertEquals("not-allowed", tried.code())
        val noId = assertThrows(FaradException.Misuse::class.java) { debug.deleteBundle("builtin") }
        assertEquals("argument-invalid", noId.code())
    }

    @Test fun `a listener that throws breaks nothing`() {
        shop.release("1.0.0")
        val updater = Updater.open(setup(shop.serve()), null)
        val done = updater.sync(false, CancelToken(), object : Listener {
            override fun progress(bytes: Long, total: Long) = throw IllegalStateException("a bug")
        })
        assertEquals("staged", done.status)
    }

    @Test fun `errors say what can be done, with the code of the table`() {
        shop.release("1.0.0")
        val nobody = setup("http://127.0.0.1:9")
        val cancelled = CancelToken().apply { cancel() }
        val refused = assertThrows(FaradException.Cancelled::class.java) {
            Updater.open(nobody, null).check(cancelled)
        }
        assertEquals("cancelled", refused.code())
        val config = assertThrows(FaradException.Misuse::class.java) {
            Updater.open(nobody.copy(settings = "{}"), null)
        }
        assertEquals("config-invalid", config.code())
        assertTrue(config.text(), config.text().contains("plugins.Farad.url is missing"))
    }

    @Test fun `a shell may call from within an order, and throw`() {
        val orders = ArrayList<Order>()
        lateinit var pilot: Pilot
        val shell = object : Shell {
            override fun order(order: Order) {
                orders.add(order)
                if (order is Order.Work) pilot.work(order.job)
                if (order is Order.Resolve && order.call == "1") pilot.call("2", "getState", "")
                throw IllegalStateException("a bug")
            }

            override fun metered() = throw IllegalStateException("a bug")

            override fun log(level: LogLevel, line: String) = throw IllegalStateException("a bug")
        }
        pilot = Pilot.open(setup("http://127.0.0.1:9"), shell, null)
        assertNull(pilot.start(null, true).folder)
        pilot.call("1", "attach", """{"nonce":"page"}""")
        val answer = orders.filterIsInstance<Order.Resolve>().find { it.call == "2" }
        assertNotNull(orders.toString(), answer)
        assertTrue(answer!!.data.contains("\"current\":{\"channel\":null,\"id\":\"builtin\""))
        pilot.call("3", "noSuchMethod", "")
        val refusal = orders.filterIsInstance<Order.Reject>().single()
        assertEquals("3" to "argument-invalid", refusal.call to refusal.code)
    }
}
