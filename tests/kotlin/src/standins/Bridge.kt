// Capacitor's bridge and what hangs on it, as the plugin meets them: one thread for calls of all
// plugins, one for the web view, a server of files, a bridge that reads the persisted folder only
// after plugins were loaded, and that drops listeners which came too early.

package com.getcapacitor

import android.content.Context
import android.content.Intent
import android.webkit.RenderProcessGoneDetail
import android.webkit.WebChromeClient
import android.webkit.WebView
import androidx.activity.result.ActivityResultCallback
import androidx.activity.result.ActivityResultLauncher
import androidx.activity.result.contract.ActivityResultContract
import androidx.appcompat.app.AppCompatActivity
import java.io.File
import java.util.concurrent.CompletableFuture
import java.util.concurrent.Executors
import org.json.JSONObject

class Bridge(
    val activity: AppCompatActivity,
    val config: CapConfig,
    plugins: List<Class<out Plugin>>,
    val serverUrl: String? = null,
    appStartPath: String = "",
) {
    val context: Context = activity
    val webView = WebView()
    val localUrl = "https://localhost"
    val appUrl = localUrl + appStartPath
    val isDeployDisabled = false
    private val calls = Executors.newSingleThreadExecutor { Thread(it, "CapacitorPlugins") }
    private val main = Executors.newSingleThreadExecutor { Thread(it, "main") }
    private val messages = MessageHandler()
    private var listeners = ArrayList<WebViewListener>()
    private val handles = HashMap<String, PluginHandle>()
    private var server: WebViewLocalServer? = null

    /** As in Capacitor, there is none while plugins load. */
    val localServer: WebViewLocalServer
        get() = server!!
    val serverBasePath: String
        get() = localServer.basePath

    init {
        onMain {
            for (plugin in plugins) PluginHandle(this, plugin).let { handles[it.id] = it }
            server = WebViewLocalServer()
            val kept = context.getSharedPreferences("CapWebViewSettings", Context.MODE_PRIVATE)
            val app = context.packageManager.info
            val known = kept.getString("lastBinaryVersionCode", null) == app.longVersionCode.toString() &&
                kept.getString("lastBinaryVersionName", null) == app.versionName.orEmpty()
            val path = kept.getString("serverBasePath", null)
            if (!known) {
                kept.edit().putString("serverBasePath", "").apply()
            } else if (!path.isNullOrEmpty() && File(path).exists()) {
                localServer.hostFiles(path)
            }
            webView.post = { what -> main.execute(what) }
            webView.onLoad = {
                listeners.toList().forEach { listener -> listener.onPageStarted(webView) }
                listeners.toList().forEach { listener -> listener.onPageLoaded(webView) }
            }
            webView.webChromeClient = BridgeWebChromeClient()
            webView.loadUrl(appUrl)
            listeners = ArrayList()
        }
    }

    fun execute(what: Runnable) = calls.execute(what)

    fun executeOnMainThread(what: Runnable) = main.execute(what)

    fun addWebViewListener(listener: WebViewListener) {
        listeners.add(listener)
    }

    fun setServerBasePath(path: String) = executeOnMainThread { localServer.hostFiles(path) }

    fun setServerAssetPath(path: String) = executeOnMainThread { localServer.hostAssets(path) }

    // The life of the activity.

    fun start() = onMain { handles.values.forEach { it.instance.handleOnStart() } }

    fun resume() = onMain { handles.values.forEach { it.instance.handleOnResume() } }

    fun pause() = onMain { handles.values.forEach { it.instance.handleOnPause() } }

    fun stop() = onMain { handles.values.forEach { it.instance.handleOnStop() } }

    fun destroy() = onMain { handles.values.forEach { it.instance.handleOnDestroy() } }

    /** What the listeners made of it; false ends the app. */
    fun rendererGone(crashed: Boolean): Boolean {
        val detail = RenderProcessGoneDetail(crashed)
        return onMain { listeners.map { it.onRenderProcessGone(webView, detail) }.any { it } }
    }

    // Pages.

    /** A page calls; completes with the answer, or with an error that has its `code`. */
    fun call(plugin: String, method: String, options: JSObject): CompletableFuture<JSONObject> {
        val (id, answer) = messages.expect()
        val call = PluginCall(messages, plugin, id, method, options)
        calls.execute {
            try {
                handles.getValue(plugin).invoke(method, call)
            } catch (unknown: InvalidPluginMethodException) {
                // Capacitor logs it, and never answers.
                answer.completeExceptionally(NoSuchCall(unknown))
            }
        }
        return answer
    }

    /** A page listens. */
    fun listen(plugin: String, event: String, heard: (JSONObject) -> Unit) {
        val id = messages.listen(heard)
        val options = JSObject().put("eventName", event)
        val call = PluginCall(messages, plugin, id, "addListener", options)
        calls.submit { handles.getValue(plugin).instance.addListener(call) }.get()
    }

    /** The web view, on its thread. */
    fun <T> onWebView(what: (WebView) -> T): T = onMain { what(webView) }

    /** Waits until everything that was handed to the two threads is done. */
    fun settle() {
        repeat(3) {
            calls.submit {}.get()
            main.submit {}.get()
        }
    }

    private fun <T> onMain(what: () -> T): T = main.submit(what).get()

    // What `Plugin` names and no test of ours meets.

    fun saveCall(call: PluginCall) = Unit

    fun getSavedCall(id: String?): PluginCall? = null

    fun releaseCall(call: PluginCall) = Unit

    fun releaseCall(id: String) = Unit

    fun getPluginCallForLastActivity(): PluginCall? = null

    fun setPluginCallForLastActivity(call: PluginCall) = Unit

    fun getPermissionCall(id: String): PluginCall? = null

    fun savePermissionCall(call: PluginCall) = Unit

    fun validatePermissions(plugin: Plugin, call: PluginCall?, permissions: Map<String, Boolean>) = true

    fun getPermissionStates(plugin: Plugin): Map<String, PermissionState> = emptyMap()

    fun startActivityForPluginWithResult(call: PluginCall, intent: Intent, code: Int) = Unit

    fun <I, O> registerForActivityResult(
        contract: ActivityResultContract<I, O>,
        callback: ActivityResultCallback<O>,
    ) = ActivityResultLauncher<I>()

    companion object {
        const val DEFAULT_WEB_ASSET_DIR = "public"
    }
}

/** Has no word about pages that ask before they are left. */
class BridgeWebChromeClient : WebChromeClient()

class WebViewLocalServer {
    @Volatile var basePath = Bridge.DEFAULT_WEB_ASSET_DIR

    fun hostAssets(path: String) {
        basePath = path
    }

    fun hostFiles(path: String) {
        basePath = path
    }
}

class CapConfig(private val farad: JSONObject?) {
    val isLoggingEnabled = true

    fun getPluginConfiguration(id: String) = PluginConfig(farad ?: JSONObject())
}

/** What a web view would carry back to the page. */
class MessageHandler {
    private val waiting = HashMap<String, CompletableFuture<JSONObject>>()
    private val listening = HashMap<String, (JSONObject) -> Unit>()
    private var last = 0

    @Synchronized
    fun expect(): Pair<String, CompletableFuture<JSONObject>> {
        val id = (++last).toString()
        return id to CompletableFuture<JSONObject>().also { waiting[id] = it }
    }

    @Synchronized
    fun listen(heard: (JSONObject) -> Unit): String = (++last).toString().also { listening[it] = heard }

    @Synchronized
    fun sendResponseMessage(call: PluginCall, success: PluginResult?, error: PluginResult?) {
        val id = call.callbackId
        listening[id]?.let { heard -> success?.let { heard(JSONObject(it.toString())) } }
        val answer = waiting.remove(id) ?: return
        if (error == null) {
            answer.complete(success?.let { JSONObject(it.toString()) } ?: JSONObject())
        } else {
            answer.completeExceptionally(Rejected(JSONObject(error.toString())))
        }
    }
}

class NoSuchCall(cause: Exception) : Exception(cause)

class Rejected(val error: JSONObject) : Exception(error.optString("message")) {
    val code: String = error.optString("code")
    val data: JSONObject = error.optJSONObject("data") ?: JSONObject()
}
