// What a start costs on a JVM, run by `cargo xtask bench start` alone: `Measure` makes a phone with a
// confirmed release on it, starts processes of an app one after another, and prints how long each part
// took them. `Startup HOME APK` is one such process.

package dev.farad.tests

import com.sun.jna.Native
import dev.farad.core.LogLevel
import dev.farad.core.Order
import dev.farad.core.Pilot
import dev.farad.core.Platform
import dev.farad.core.Setup
import dev.farad.core.Shell
import dev.farad.core.Source
import java.io.File
import org.junit.Test

/** Not called a test, so that it runs only where it is named. */
class Measure {
    private val parts = listOf("JNA", "bindings, library, pilot", "start")

    @Test fun starts() = Shop().use { shop ->
        shop.release("1.0.0")
        val phone = Phone(shop, null)
        val apk = phone.activity.applicationInfo.sourceDir
        val home = File(shop.home, "store").path
        val updater = dev.farad.core.Updater.open(Startup.setup(home, apk, shop.serve()), null)
        updater.boot(false)
        updater.sync(false, dev.farad.core.CancelToken(), null)
        updater.ready(updater.boot(false).token!!)
        updater.close()
        val times = List(System.getProperty("farad.starts").toInt()) { once(home, apk) }
        for ((at, part) in parts.withIndex()) {
            val sorted = times.map { it[at] }.sorted()
            val ms = { percent: Int -> sorted[percent * (sorted.size - 1) / 100] / 1000.0 }
            println("$part: p50 ${ms(50)} ms, p99 ${ms(99)} ms, least ${ms(0)} ms")
        }
    }

    private fun once(home: String, apk: String): List<Long> {
        val same = listOf("java.class.path", "jna.library.path")
            .map { "-D$it=${System.getProperty(it)}" }
        val java = listOf(System.getProperty("java.home") + "/bin/java") + same
        val command = java + listOf("dev.farad.tests.Startup", home, apk)
        val process = ProcessBuilder(command).start()
        val said = process.inputStream.bufferedReader().readText()
        check(process.waitFor() == 0) { process.errorStream.bufferedReader().readText() }
        return said.trim().split(' ').map { it.toLong() }
    }
}

object Startup {
    fun setup(home: String, apk: String, url: String) = Setup(
        settings = """{"url":"$url","channel":"production","autoSync":"off"}""",
        appId = APP,
        liveReload = false,
        debug = false,
        platform = Platform.Android(1),
        nativeVersion = "1.0",
        built = 0,
        home = home,
        source = Source.Apk(apk),
    )

    @JvmStatic
    fun main(args: Array<String>) {
        val (home, apk) = args
        val setup = setup(home, apk, "https://updates.example.com")
        val shell = object : Shell {
            override fun order(order: Order) = Unit

            override fun metered() = false

            override fun log(level: LogLevel, line: String) = Unit
        }
        val marks = ArrayList<Long>()
        val mark = { marks.add(System.nanoTime()) }
        mark()
        // JNA itself: its classes and its own native part.
        Native.POINTER_SIZE
        mark()
        // The bindings, the library, its checksums, and the pilot.
        val pilot = Pilot.open(setup, shell, null)
        mark()
        val start = pilot.start(null, true)
        mark()
        check(start.folder != null) { "no bundle is confirmed in $home" }
        println(marks.zipWithNext { from, to -> (to - from) / 1000 }.joinToString(" "))
    }
}
