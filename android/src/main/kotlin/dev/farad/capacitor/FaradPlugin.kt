// The plugin as Capacitor knows it: hands calls of pages and the life of the app to the core, and
// carries out on the web view what the core orders. It decides nothing.

package dev.farad.capacitor

import android.content.Context
import android.os.Build
import android.util.Log
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
import java.io.IOException

@CapacitorPlugin(name = "Farad")
class FaradPlugin : Plugin() {
    /** There is none where its library does not run. */
    private var core: Core? = null

    /** What the web view was told to begin with; null is the built-in bundle. */
    private var begun: String? = null
    private var listening = false
    internal var inSight = false
        private set
    private var inFront = false

    /** The renderer is gone, or about to be: this web view shows nothing any more. */
    private var lost = false
    private var replaced = false

    // For what cannot be left there is a new web view, which begins with what was decided on.
    private val departure by lazy { Departure(bridge.webView, ::replaceWebView) }

    // Runs on the main thread before the local server exists and before the first page is asked for.
    // What is persisted now is what Capacitor's bridge reads right after.
    override fun load() {
        try {
            core = Core.of(this)
        } catch (error: LinkageError) {
            // An app without updates is better than one that ends at every start.
            Log.e("Farad", "the core does not run on this phone; the built-in bundle is shown", error)
        }
        begun = core?.start(this)
        // Switched off, it leaves the folder to whoever wants it.
        if (config.configJSON.optBoolean("enabled", true)) BasePath.persist(context, begun)
        else BasePath.giveBack(context)
    }

    override fun handleOnStart() {
        inSight = true
        if (!takeUp() || listening) return
        listening = true
        // Only now: a listener that is added in load() is dropped when the bridge is complete.
        bridge.addWebViewListener(Listener())
        // Whatever made the bridge see it otherwise, the page must be the one that was decided on.
        if (core?.isLive() == true && served(bridge) != begun) show(begun, false, 0)
    }

    override fun handleOnResume() {
        inFront = true
        // A screen that covered it need not have stopped it.
        takeUp()
    }

    override fun handleOnPause() {
        inFront = false
        tell(Seen.INACTIVE)
    }

    override fun handleOnStop() {
        inSight = false
        // What is made anew at once, for a turned phone say, is not out of sight.
        if (!activity.isChangingConfigurations) tell(Seen.BACKGROUND)
    }

    override fun handleOnDestroy() {
        departure.cancel()
        core?.forget(this)
    }

    /** Speaks for the process from now on; one that shows another bundle than the one that runs is made anew. */
    internal fun takeUp(): Boolean {
        val speaks = !lost && core?.takeUp(this, begun) != false
        if (!speaks) recreate() else if (inFront) tell(Seen.ACTIVE)
        return speaks
    }

    private fun tell(seen: Seen) {
        core?.tell(this, seen)
    }

    private fun pass(call: PluginCall) {
        core?.call(this, call)
            ?: Core.refuse(call, "config-invalid", "the app has no core for this phone's processor", "config")
    }

    @PluginMethod fun attach(call: PluginCall) = pass(call)

    @PluginMethod fun ready(call: PluginCall) = pass(call)

    @PluginMethod fun check(call: PluginCall) = pass(call)

    @PluginMethod fun sync(call: PluginCall) = pass(call)

    @PluginMethod fun apply(call: PluginCall) = pass(call)

    @PluginMethod fun reload(call: PluginCall) = pass(call)

    @PluginMethod fun reset(call: PluginCall) = pass(call)

    @PluginMethod fun getState(call: PluginCall) = pass(call)

    @PluginMethod fun reportFailure(call: PluginCall) = pass(call)

    @PluginMethod fun getChannel(call: PluginCall) = pass(call)

    @PluginMethod fun setChannel(call: PluginCall) = pass(call)

    @PluginMethod fun setHold(call: PluginCall) = pass(call)

    @PluginMethod fun getDeviceInfo(call: PluginCall) = pass(call)

    @PluginMethod fun cancel(call: PluginCall) = pass(call)

    // What the core orders. Each may come on any thread.

    /**
     * Leaves the old page; once it is gone, serves [folder], or the built-in bundle, and loads its
     * page. What the old page had begun to load could otherwise come up after the folder was switched,
     * and be taken for the new one.
     */
    internal fun show(folder: String?, keepRoute: Boolean, launch: Long) = bridge.executeOnMainThread {
        if (!lost) departure.leave(launch, address(keepRoute), keepRoute) { address ->
            begun = folder
            if (folder == null) bridge.localServer.hostAssets(Bridge.DEFAULT_WEB_ASSET_DIR)
            else bridge.localServer.hostFiles(folder)
            inOrder { core?.shown(this, folder, launch) }
            bridge.webView.loadUrl(if (isServed(address, folder)) address else bridge.appUrl)
        }
    }

    internal fun reloadPage(keepRoute: Boolean) = bridge.executeOnMainThread {
        // What is to be shown loads a page anyway.
        if (!lost && !departure.isUnderWay) {
            val address = address(keepRoute)
            // With a fragment, what is shown already would stay as it is.
            if (address == bridge.webView.url) bridge.webView.reload()
            else bridge.webView.loadUrl(address)
        }
    }

    /** The web view is dead: a new activity makes a new one, and a new plugin with it. */
    internal fun recreate() = bridge.executeOnMainThread {
        lost = true
        departure.cancel()
        if (!replaced) activity.recreate()
        replaced = true
    }

    /**
     * The page cannot be left. Where it [hangs], its renderer is ended first: all web views of an app
     * share one, so a new one would hang with it.
     */
    private fun replaceWebView(hangs: Boolean) {
        lost = true
        val renderer = if (hangs && Build.VERSION.SDK_INT >= 29) bridge.webView.webViewRenderProcess else null
        // Its end is told. That, too, is waited for no longer than a second.
        if (renderer?.terminate() == true) bridge.webView.postDelayed(::recreate, 1000) else recreate()
    }

    /** On the thread of calls: the map of listeners is only safe there. */
    internal fun emit(event: String, data: JSObject, retain: Boolean) = inOrder {
        notifyListeners(event, data, retain)
    }

    /**
     * Runs in the order in which this thread and calls of pages come. With Capacitor's legacy bridge those
     * come past this thread: the new page's, perhaps, before the word that it began, but none of the old
     * page's after it went.
     */
    private fun inOrder(what: () -> Unit) = bridge.execute(what)

    /** Where the app's page is loaded: at its start, or at the route of the page that is shown. */
    private fun address(keepRoute: Boolean): String {
        val url = bridge.webView.url.takeIf { keepRoute }.orEmpty()
        return if (url.startsWith("$origin/")) url else bridge.appUrl
    }

    /**
     * Whether something answers at [address] in [folder], or in the built-in bundle: the app's page does
     * where the last part of the path has no dot, and otherwise only a file of that name.
     */
    private fun isServed(address: String, folder: String?): Boolean {
        val path = address.substringBefore('#').substringBefore('?').removePrefix(origin)
        if ('.' !in path.substringAfterLast('/')) return true
        if (folder != null) return File(folder, path).isFile
        return try {
            context.assets.open(Bridge.DEFAULT_WEB_ASSET_DIR + path).close()
            true
        } catch (_: IOException) {
            false
        }
    }

    private val origin: String
        get() = bridge.localUrl.trimEnd('/')

    private inner class Listener : WebViewListener() {
        // Comes once the document stands, whoever asked for it.
        override fun onPageStarted(webView: WebView) {
            val pages = webView.copyBackForwardList()
            if (!Departure.isBlank(pages.currentItem?.url)) {
                inOrder { tell(Seen.NAVIGATED) }
                // Nobody goes back to an empty document, nor to routes of the page before it.
                val blanks = (0 until pages.size).any { Departure.isBlank(pages.getItemAtIndex(it).url) }
                if (blanks) webView.clearHistory()
            }
            departure.look()
        }

        override fun onPageLoaded(webView: WebView) = departure.look()

        override fun onRenderProcessGone(webView: WebView, detail: RenderProcessGoneDetail): Boolean {
            val core = core?.takeIf { it.isLive() } ?: return false
            departure.cancel()
            val known = lost
            lost = true
            when {
                // It was ended because its page could not be left.
                known -> recreate()
                // All web views of an app share it: the one that is shown has told of it.
                !core.isSpeaker(this@FaradPlugin) -> if (inSight) recreate()
                detail.didCrash() -> core.rendererGone(this@FaradPlugin)
                // Memory was needed elsewhere: nothing that the bundle did. One that is out of sight
                // waits until somebody looks: made anew at once, it would be taken again.
                inSight -> recreate()
            }
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
    /** Capacitor would go on serving the bundle that it was told of last. */
    fun giveBack(context: Context) {
        val kept = context.getSharedPreferences(PREFERENCES, Context.MODE_PRIVATE)
        val folder = kept.getString(PATH, null).orEmpty()
        if (File(folder).startsWith(App.home(context))) kept.edit().putString(PATH, "").commit()
    }

    fun persist(context: Context, folder: String?) {
        val app = App(context)
        val kept = context.getSharedPreferences(PREFERENCES, Context.MODE_PRIVATE)
        // With the versions that the bridge compares: it blanks the folder of what it takes for a new
        // app, and the core has decided about new apps already. Waits for the disk: the bridge reads
        // the same object, and a process that dies right away must not leave a page's choice behind.
        kept.edit()
            .putString(PATH, folder?.takeIf { File(it).isDirectory }.orEmpty())
            .putString("lastBinaryVersionCode", app.versionCode.toInt().toString())
            .putString("lastBinaryVersionName", app.versionName)
            .commit()
    }

    private const val PREFERENCES = "CapWebViewSettings"
    private const val PATH = "serverBasePath"
}
