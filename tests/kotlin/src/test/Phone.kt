package dev.farad.tests

import androidx.appcompat.app.AppCompatActivity
import com.getcapacitor.Bridge
import com.getcapacitor.CapConfig
import com.getcapacitor.JSObject
import com.getcapacitor.Rejected
import dev.farad.capacitor.Core
import dev.farad.capacitor.FaradPlugin
import java.io.File
import java.nio.file.Files
import java.util.concurrent.CountDownLatch
import java.util.concurrent.ExecutionException
import java.util.concurrent.TimeUnit
import java.util.zip.ZipEntry
import java.util.zip.ZipOutputStream
import org.json.JSONObject

const val APP = "com.example.shop"

/** A publisher's folder and its server, through the real command. */
class Shop : AutoCloseable {
    val home: File = Files.createTempDirectory("farad-kotlin").toFile()
    private var server: Process? = null

    init {
        farad("init", "--app", APP, "--no-passphrase")
    }

    fun farad(vararg args: String): String {
        val command = listOf(System.getProperty("farad.command")) + args
        val process = ProcessBuilder(command).directory(home).redirectErrorStream(true).start()
        val said = process.inputStream.bufferedReader().readText()
        check(process.waitFor() == 0) { "$args: $said" }
        return said
    }

    fun release(version: String) {
        val web = File(home, "web-$version").apply { mkdirs() }
        File(web, "index.html").writeText(version)
        farad("release", web.path, "--channel", "production", "--version", version)
    }

    /** Serves the repository, and says where. */
    fun serve(): String {
        val command = listOf(System.getProperty("farad.command"), "serve", "--port", "0", "--json")
        val process = ProcessBuilder(command).directory(home).start().also { server = it }
        return JSONObject(process.inputStream.bufferedReader().readLine()).getString("url")
    }

    /** Settings of an app that updates from here, when it is asked to. */
    fun settings(vararg more: Pair<String, Any>) = JSONObject().apply {
        put("url", serve())
        put("channel", "production")
        put("autoSync", "off")
        more.forEach { (key, value) -> put(key, value) }
    }

    override fun close() {
        server?.destroyForcibly()
        home.deleteRecursively()
    }
}

/** A phone with one app on it; its process ends and starts as often as a test likes. */
class Phone(private val shop: Shop, var settings: JSONObject?, var serverUrl: String? = null) {
    val home = File(shop.home, "phone").apply { mkdirs() }
    val activity = AppCompatActivity(home)
    lateinit var bridge: Bridge
    var appStartPath = ""

    init {
        activity.applicationInfo.sourceDir = apk().path
        File(home, "assets").mkdirs()
        File(home, "assets/capacitor.config.json").writeText("""{"appId":"$APP"}""")
    }

    private fun apk(): File = File(home, "base.apk").also { apk ->
        ZipOutputStream(apk.outputStream()).use { zip ->
            val entry = { name: String, bytes: ByteArray ->
                zip.putNextEntry(ZipEntry(name))
                zip.write(bytes)
            }
            entry("assets/public/index.html", "built in".toByteArray())
            entry("assets/farad-root.json", File(shop.home, "farad-root.json").readBytes())
        }
    }

    /** A new process. */
    fun start(vararg before: Class<out com.getcapacitor.Plugin>): Phone {
        Core.forgetAll()
        return screen(*before)
    }

    /** A new activity within the process. */
    fun screen(vararg before: Class<out com.getcapacitor.Plugin>): Phone {
        val plugins = before.toList() + FaradPlugin::class.java
        bridge = Bridge(activity, CapConfig(settings), plugins, serverUrl, appStartPath)
        bridge.start()
        bridge.resume()
        bridge.settle()
        return this
    }

    fun ask(method: String, vararg options: Pair<String, Any?>): JSONObject {
        val all = JSObject()
        options.forEach { (key, value) -> all.put(key, value ?: JSONObject.NULL) }
        try {
            return bridge.call("Farad", method, all).get(60, TimeUnit.SECONDS)
        } catch (error: ExecutionException) {
            throw error.cause!!
        }
    }

    /** The page of this nonce says that it is ready. */
    fun ready(nonce: String): JSONObject {
        ask("attach", "nonce" to nonce)
        return ask("ready", "nonce" to nonce)
    }

    fun refusal(method: String, vararg options: Pair<String, Any?>): Rejected =
        try {
            throw AssertionError("$method resolved: ${ask(method, *options)}")
        } catch (refused: Rejected) {
            refused
        }

    /** What the page is served from; null is the built-in bundle. */
    val folder: String?
        get() = bridge.serverBasePath.takeUnless { it == "public" }

    val page: String
        get() = folder?.let { File(it, "index.html").readText() } ?: "built in"

    /** Waits for something to become true of the web view. */
    fun until(what: (android.webkit.WebView) -> Boolean) {
        val end = System.nanoTime() + TimeUnit.SECONDS.toNanos(120)
        while (!bridge.onWebView(what)) {
            check(System.nanoTime() < end) { "never; it shows ${bridge.webView.url}" }
            Thread.sleep(5)
        }
    }

    /** Does [what], and waits until the page was replaced after it. */
    fun replaced(what: () -> Unit) {
        val loaded = CountDownLatch(1)
        val before = bridge.webView.onLoad
        bridge.webView.onLoad = { url ->
            before(url)
            if (!url.startsWith("about:")) loaded.countDown()
        }
        what()
        check(loaded.await(60, TimeUnit.SECONDS)) { "nothing was loaded" }
        bridge.webView.onLoad = before
        bridge.settle()
    }
}
