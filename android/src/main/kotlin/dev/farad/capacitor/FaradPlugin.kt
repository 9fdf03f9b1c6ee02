// The plugin as Capacitor knows it: hands calls of pages and the life of the app to the core, and
// carries out on the web view what the core orders. It decides nothing.

package dev.farad.capacitor

import android.content.Context
import android.webkit.RenderProcessGoneDetail
import android.webkit.WebView
import com.getcapacitor.Bridge
import com.getcapacitor.JSObject
import com.getcapacitor.Plugin
import com.getcapacitor.PluginCall
import com.getcapacitor.PluginMethod
import com.getcapacitor.WebViewListener
import com.getcapacitor.annotation.CapacitorPlugin
import dev.farad.core.Seen
import java.io.File

@CapacitorPlugin(name = "Farad")
class FaradPlugin : Plugin() {
    private lateinit var core: Core

    /** What the web view was told to begin with; null is the built-in bundle. */
    private var begun: String? = null
    private var listening = false

    // For what cannot be left there is a new web view, which begins with what was decided on.
    private val departure by lazy { Departure(bridge.webView, ::recreate) }

    // Runs on the main thread before the local server exists and before the first page is asked for.
    // What is persisted now is what Capacitor's bridge reads right after.
    override fun load() {
        core = Core.of(this)
        begun = core.start(this)
        BasePath.persist(context, begun)
    }

    override fun handleOnStart() {
        if (listening) return
        listening = true
        // Only now: a listener that is added in load() is dropped when the bridge is complete.
        bridge.addWebViewListener(Listener())
        // Whatever made the bridge see it otherwise, the page must be the one that was decided on.
        if (core.isLive() && served(bridge) != begun) show(begun, false, 0)
    }

    override fun handleOnResume() = core.tell(Seen.ACTIVE)

    override fun handleOnPause() = core.tell(Seen.INACTIVE)

    override fun handleOnStop() = core.tell(Seen.BACKGROUND)

    override fun handleOnDestroy() {
        departure.cancel()
        core.forget(this)
    }

    @PluginMethod fun attach(call: PluginCall) = core.call(call)

    @PluginMethod fun ready(call: PluginCall) = core.call(call)

    @PluginMethod fun check(call: PluginCall) = core.call(call)

    @PluginMethod fun sync(call: PluginCall) = core.call(call)

    @PluginMethod fun apply(call: PluginCall) = core.call(call)

    @PluginMethod fun reload(call: PluginCall) = core.call(call)

    @PluginMethod fun reset(call: PluginCall) = core.call(call)

    @PluginMethod fun getState(call: PluginCall) = core.call(call)

    @PluginMethod fun reportFailure(call: PluginCall) = core.call(call)

    @PluginMethod fun getChannel(call: PluginCall) = core.call(call)

    @PluginMethod fun setChannel(call: PluginCall) = core.call(call)

    @PluginMethod fun setHold(call: PluginCall) = core.call(call)

    @PluginMethod fun getDeviceInfo(call: PluginCall) = core.call(call)

    @PluginMethod fun cancel(call: PluginCall) = core.call(call)

    // What the core orders. Each may come on any thread.

    /**
     * Leaves the old page; once it is gone, serves [folder], or the built-in bundle, and loads its
     * page. What the old page had begun to load could otherwise come up after the folder was switched,
     * and be taken for the new one.
     */
    internal fun show(folder: String?, keepRoute: Boolean, launch: Long) = bridge.executeOnMainThread {
        departure.leave(launch, address(keepRoute), keepRoute) { address ->
            begun = folder
            if (folder == null) bridge.localServer.hostAssets(Bridge.DEFAULT_WEB_ASSET_DIR)
            else bridge.localServer.hostFiles(folder)
            inOrder { core.shown(launch) }
            bridge.webView.loadUrl(address)
        }
    }

    internal fun reloadPage(keepRoute: Boolean) = bridge.executeOnMainThread {
        // What is to be shown loads a page anyway.
        if (!departure.isUnderWay) bridge.webView.loadUrl(address(keepRoute))
    }

    /** The web view is dead: a new activity makes a new one, and a new plugin with it. */
    internal fun recreate() = bridge.executeOnMainThread { activity.recreate() }

    /** On the thread of calls: the map of listeners is only safe there. */
    internal fun emit(event: String, data: JSObject, retain: Boolean) = inOrder {
        notifyListeners(event, data, retain)
    }

    /**
     * Runs in the order in which this thread and calls of pages come. A page's call waits in the same
     * queue, so that it is judged by the navigation it came before or after.
     */
    private fun inOrder(what: () -> Unit) = bridge.execute(what)

    /** Where the app's page is loaded: at its start, or at the route of the page that is shown. */
    private fun address(keepRoute: Boolean): String {
        val origin = bridge.appUrl.trimEnd('/')
        val url = bridge.webView.url.takeIf { keepRoute }.orEmpty()
        return if (url.startsWith("$origin/")) url else bridge.appUrl
    }

    private inner class Listener : WebViewListener() {
        // Comes once the document stands, whoever asked for it.
        override fun onPageStarted(webView: WebView) {
            val pages = webView.copyBackForwardList()
            if (!Departure.isBlank(pages.currentItem?.url)) {
                inOrder { core.tell(Seen.NAVIGATED) }
                // Nobody goes back to an empty document, nor to routes of the page before it.
                val blanks = (0 until pages.size).any { Departure.isBlank(pages.getItemAtIndex(it).url) }
                if (blanks) webView.clearHistory()
            }
            departure.look()
        }

        override fun onPageLoaded(webView: WebView) = departure.look()

        override fun onRenderProcessGone(webView: WebView, detail: RenderProcessGoneDetail): Boolean {
            if (!core.isLive()) return false
            departure.cancel()
            // Memory was needed elsewhere: nothing that the bundle did.
            if (detail.didCrash()) core.rendererGone() else recreate()
            return true
        }
    }

    private companion object {
        /** The folder that is served; null is the built-in bundle. */
        fun served(bridge: Bridge): String? =
            bridge.serverBasePath.takeUnless { it == Bridge.DEFAULT_WEB_ASSET_DIR }
    }
}

/** Capacitor's memory of the folder to serve: written at every start, read by its bridge after that. */
internal object BasePath {
    fun persist(context: Context, folder: String?) {
        val app = App(context)
        val kept = context.getSharedPreferences("CapWebViewSettings", Context.MODE_PRIVATE)
        // With the versions that the bridge compares: it blanks the folder of what it takes for a new
        // app, and the core has decided about new apps already. Waits for the disk: the bridge reads
        // the same object, and a process that dies right away must not leave a page's choice behind.
        kept.edit()
            .putString("serverBasePath", folder?.takeIf { File(it).isDirectory }.orEmpty())
            .putString("lastBinaryVersionCode", app.versionCode.toInt().toString())
            .putString("lastBinaryVersionName", app.versionName)
            .commit()
    }
}
