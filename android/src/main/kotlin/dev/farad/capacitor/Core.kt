// The process's one pilot, its threads and timers. Web views and plugins come and go; it stays.

package dev.farad.capacitor

import android.content.Context
import android.net.ConnectivityManager
import android.os.SystemClock
import android.util.Log
import com.getcapacitor.JSObject
import com.getcapacitor.PluginCall
import dev.farad.core.LogLevel
import dev.farad.core.OpeningKeys
import dev.farad.core.Order
import dev.farad.core.Pilot
import dev.farad.core.Seen
import dev.farad.core.Setup
import dev.farad.core.Shell
import dev.farad.core.Updater
import dev.farad.core.WorkLane
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.Executors
import java.util.concurrent.ScheduledFuture
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicLong

internal class Core private constructor(private val context: Context, setup: Setup) : Shell {
    private val calls = ConcurrentHashMap<String, PluginCall>()
    private val lastCall = AtomicLong()
    private val timers = ConcurrentHashMap<Long, ScheduledFuture<*>>()

    // Capacitor's plugins share one thread, which is not for work.
    private val clock = Executors.newSingleThreadScheduledExecutor { Thread(it, "farad-timer") }
    private val short = Executors.newSingleThreadExecutor { Thread(it, "farad-store") }
    private val long = Executors.newSingleThreadExecutor { Thread(it, "farad-sync") }

    /** Who speaks for the process: the plugin of the newest web view, or of one that came back since. */
    @Volatile private var plugin: FaradPlugin? = null
    /** What that one shows; null is the built-in bundle. */
    @Volatile private var shows: String? = null
    /** Those that are there, the newest last. Of the main thread. */
    private val screens = mutableListOf<FaradPlugin>()
    private var starts = 0

    private val pilot: Pilot = Pilot.open(setup, this, Farad.openingKeys)

    /** What stands below, for native code; null while idle. */
    val updater: Updater? = pilot.updater()

    fun isLive(): Boolean = updater != null

    /** A web view is being made for [plugin]: the folder to begin with. */
    fun start(plugin: FaradPlugin): String? {
        this.plugin = plugin
        screens.add(plugin)
        val begun = SystemClock.elapsedRealtimeNanos()
        // Within a process the end of the last one is known already.
        val exit = if (starts++ == 0) Exits.last(context) else null
        // A process that nobody sees (begun for a push message, say) has no activity, and begins no web view.
        val folder = guarded { pilot.start(exit, true).folder }
        shows = folder
        Log.i(TAG, "start decided in ${(SystemClock.elapsedRealtimeNanos() - begun) / 1000} us")
        if (starts == 1 && isLive()) short.execute { Leftovers.remove(context) }
        return folder
    }

    fun forget(plugin: FaradPlugin) {
        screens.remove(plugin)
        // Its successor may have come before it went.
        if (!isSpeaker(plugin)) return
        this.plugin = null
        // One that was in sight all the time hears of nothing.
        screens.lastOrNull { it.inSight }?.takeUp()
    }

    // Android stops a screen after the one that takes its place has begun, and may bring it back: of all
    // that are there one speaks, and what the others see says nothing of the app.

    fun isSpeaker(plugin: FaradPlugin): Boolean = this.plugin === plugin

    /** A screen begins or comes back, and shows [folder]; whether it speaks from now on. */
    fun takeUp(plugin: FaradPlugin, folder: String?): Boolean {
        if (folder == shows) this.plugin = plugin
        return isSpeaker(plugin)
    }

    fun call(sender: FaradPlugin, call: PluginCall) {
        // Its page came from an earlier launch than the one that runs, whenever it says so.
        if (isLive() && !isSpeaker(sender) && call.methodName in OF_A_PAGE) {
            return refuse(call, "stale-token", "another screen has taken the place of this page's", "call")
        }
        val id = lastCall.incrementAndGet().toString()
        calls[id] = call
        guarded { pilot.call(id, call.methodName, call.data.toString()) }
    }

    fun tell(sender: FaradPlugin, seen: Seen) {
        if (isSpeaker(sender)) guarded { pilot.tell(seen) }
    }

    /** Nothing of the old page's may come up any more: `Departure` has seen to that. */
    fun shown(sender: FaradPlugin, folder: String?, launch: Long) {
        if (!isSpeaker(sender)) return
        shows = folder
        guarded { pilot.shown(launch, true) }
    }

    fun rendererGone(sender: FaradPlugin) {
        if (isSpeaker(sender)) guarded { pilot.rendererGone() }
    }

    // The shell, as the core calls it.

    override fun order(order: Order) {
        when (order) {
            is Order.Show -> plugin?.show(order.folder, order.keepRoute, order.launch)
            is Order.Reload -> plugin?.reloadPage(order.keepRoute)
            is Order.Recreate -> plugin?.recreate()
            is Order.SetTimer -> setTimer(order.timer, order.after)
            is Order.StopTimer -> timers.remove(order.timer)?.cancel(false)
            is Order.Work -> {
                val lane = if (order.lane == WorkLane.SHORT) short else long
                lane.execute { guarded { pilot.work(order.job) } }
            }
            is Order.Tell -> plugin?.emit(order.event, JSObject(order.data), order.retain)
            is Order.Resolve -> calls.remove(order.call)?.let { call ->
                if (order.data == "null") call.resolve() else call.resolve(JSObject(order.data))
            }
            is Order.Reject ->
                calls.remove(order.call)?.reject(order.text, order.code, JSObject(order.data))
            is Order.Note -> Exits.keep(context, order.note)
        }
    }

    override fun metered(): Boolean {
        val network = context.getSystemService(Context.CONNECTIVITY_SERVICE) as ConnectivityManager
        return network.isActiveNetworkMetered
    }

    override fun log(level: LogLevel, line: String) {
        when (level) {
            LogLevel.ERROR -> Log.e(TAG, line)
            LogLevel.WARNING -> Log.w(TAG, line)
            LogLevel.INFO -> Log.i(TAG, line)
        }
    }

    private fun setTimer(timer: Long, after: Long) {
        val fire = Runnable {
            timers.remove(timer)
            guarded { pilot.timer(timer) }
        }
        timers[timer] = clock.schedule(fire, after, TimeUnit.MILLISECONDS)
    }

    /** Nothing that goes wrong in the core may end the app; the log should have it. */
    private fun <T> guarded(work: () -> T): T? =
        try {
            work()
        } catch (error: Exception) {
            Log.e(TAG, "the core failed", error)
            null
        }

    companion object {
        private const val TAG = "Farad"
        /** Calls by which a page speaks for its own launch. */
        private val OF_A_PAGE = setOf("attach", "ready", "reportFailure")

        /** Refuses a call in the core's place. */
        fun refuse(call: PluginCall, code: String, text: String, stage: String) =
            call.reject(text, code, JSObject().put("stage", stage).put("retryable", false))

        private var instance: Core? = null

        /** Tests put in its place what happens where the library does not run. */
        internal var make = { plugin: FaradPlugin ->
            Core(plugin.context.applicationContext, App(plugin.context).setup(plugin))
        }

        /** The process's core, made for the first plugin that asks. */
        fun of(plugin: FaradPlugin): Core = synchronized(this) {
            instance ?: make(plugin).also { instance = it }
        }

        fun current(): Core? = synchronized(this) { instance }

        /** For tests, in which one process stands for several. */
        internal fun forgetAll() = synchronized(this) { instance = null }
    }
}

/** What native code of the app may ask for. Set what is to be set before the first activity. */
object Farad {
    /** Where to get keys that open sealed bundles, besides those that ship with the app. */
    @JvmStatic
    @Volatile
    var openingKeys: OpeningKeys? = null

    /** The updater below the plugin; null before the first web view, and while the plugin is idle. */
    @JvmStatic
    val updater: Updater?
        get() = Core.current()?.updater
}
