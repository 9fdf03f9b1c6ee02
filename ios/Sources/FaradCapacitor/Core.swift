// The process's one pilot, its queues and timers. Web views and plugins come and go; it stays.

import Capacitor
import Foundation
import UIKit
import os

#if canImport(FaradCore)
import FaradCore
#endif

final class Core: @unchecked Sendable {
    private let lock = NSLock()
    private var calls: [String: CAPPluginCall] = [:]
    private var lastCall = 0
    private(set) var timers: [Int64: DispatchWorkItem] = [:]
    /// Those that are there, the newest last.
    private var screens: [Screen] = []
    /// Who speaks for the process: the plugin of the newest web view.
    private var speaker: ObjectIdentifier?
    private var starts = 0

    /// A web view's plugin, and what it shows: a folder, or the built-in bundle.
    private struct Screen {
        /// A plugin that goes is not to be had by its reference any more, but says so once.
        let id: ObjectIdentifier
        weak var plugin: FaradPlugin?
        var shows: String?
    }

    /// Calls by which a page speaks for its own launch.
    private static let ofAPage: Set = ["attach", "ready", "reportFailure"]

    // Capacitor's plugins share one queue, which is not for work.
    let clock = DispatchQueue(label: "farad-timer", qos: .userInitiated)
    let short = DispatchQueue(label: "farad-store", qos: .userInitiated)
    private let long = DispatchQueue(label: "farad-sync", qos: .utility)
    private let network = NetworkWatch()

    private var pilot: Pilot?
    /// What stands below, for native code; nil while idle.
    private(set) var updater: Updater?

    private init(_ setup: Setup) {
        let pilot = Pilot.open(setup: setup, shell: self, keys: Farad.openingKeys)
        self.pilot = pilot
        updater = guarded { try pilot.updater() } ?? nil
    }

    var isLive: Bool { updater != nil }

    /// A web view begins: the folder to begin with. On the main thread. `seen` unless the system began
    /// the app out of sight, for a push message, say: nobody would see a new bundle come up.
    func start(_ plugin: FaradPlugin, seen: Bool) -> String? {
        let id = ObjectIdentifier(plugin)
        lock.sync {
            screens.removeAll { $0.id == id }
            screens.append(Screen(id: id, plugin: plugin))
            speaker = id
        }
        let begun = DispatchTime.now()
        // How the last process ended is not to be had here.
        let start = guarded { try pilot?.start(exit: nil, seen: seen) } ?? nil
        let took = (DispatchTime.now().uptimeNanoseconds - begun.uptimeNanoseconds) / 1000
        Log.farad.info("start decided in \(took, privacy: .public) us")
        starts += 1
        if starts == 1, isLive { short.async { Leftovers.remove() } }
        note(plugin, shows: start?.folder)
        return start?.folder
    }

    // A screen may begin over others, and they be there again when it goes: of all that are there one
    // speaks, and what becomes of the others says nothing of the launch that runs.

    func isSpeaker(_ plugin: FaradPlugin) -> Bool {
        lock.sync { speaker == ObjectIdentifier(plugin) }
    }

    /// The web view of `plugin` goes. Another one that shows the same speaks from now on; one that shows
    /// something else begins anew. With none, no time runs for a launch that nobody can see.
    func forget(_ plugin: FaradPlugin) {
        let id = ObjectIdentifier(plugin)
        let left = lock.sync { () -> (Screen, [Screen])? in
            guard let at = screens.firstIndex(where: { $0.id == id }) else { return nil }
            let gone = screens.remove(at: at)
            // Its successor may have come before it went.
            return speaker == id ? (gone, screens) : nil
        }
        guard let (gone, others) = left else { return }
        // Not with the lock: whoever holds the last reference to a plugin has it forgotten.
        let there = others.compactMap { screen in screen.plugin.map { (plugin: $0, shows: screen.shows) } }
        let heir = there.last { $0.shows == gone.shows } ?? there.last
        lock.sync { if speaker == id { speaker = heir.map { ObjectIdentifier($0.plugin) } } }
        guard let heir else {
            guarded { try pilot?.tell(seen: .inactive) }
            return
        }
        if heir.shows != gone.shows { heir.plugin.recreate() }
    }

    func call(_ call: CAPPluginCall, by sender: FaradPlugin) {
        // Its page came from an earlier launch than the one that runs, whenever it says so.
        if isLive, !isSpeaker(sender), Core.ofAPage.contains(call.methodName ?? "") {
            let data: [String: Any] = ["stage": "call", "retryable": false]
            return call.reject("another screen has taken the place of this page's", "stale-token", nil, data)
        }
        let id = lock.sync {
            lastCall += 1
            calls[String(lastCall)] = call
            return String(lastCall)
        }
        let options = JSON.text(call.options)
        guarded { try pilot?.call(call: id, method: call.methodName ?? "", options: options) }
    }

    func tell(_ seen: Seen, by sender: FaradPlugin) {
        if isSpeaker(sender) { guarded { try pilot?.tell(seen: seen) } }
    }

    /// WebKit asks about each navigation in its turn, so that the core need take none for granted; and an
    /// old page that could not be left is loaded over.
    func shown(_ launch: Int64, _ folder: String?, by sender: FaradPlugin) {
        note(sender, shows: folder)
        if isSpeaker(sender) { guarded { try pilot?.shown(launch: launch, alone: false) } }
    }

    private func note(_ plugin: FaradPlugin, shows folder: String?) {
        lock.sync {
            guard let at = screens.firstIndex(where: { $0.id == ObjectIdentifier(plugin) }) else { return }
            screens[at].shows = folder
        }
    }

    /// The process ends when this returns, on the main thread: that it ended out of sight is on disk by then.
    private func end() {
        guarded { try pilot?.tell(seen: .background) }
        // What that led to, and what came of it.
        for _ in 0..<2 { short.sync {} }
    }

    func rendererGone(of sender: FaradPlugin) {
        if isSpeaker(sender) { guarded { try pilot?.rendererGone() } }
    }

    private func setTimer(_ timer: Int64, after: Int64) {
        let fire = DispatchWorkItem { [self] in
            lock.sync { timers[timer] = nil }
            guarded { try pilot?.timer(timer: timer) }
        }
        lock.sync { timers[timer] = fire }
        let after = Int(clamping: after)
        clock.asyncAfter(deadline: .now() + .milliseconds(after), execute: fire)
    }

    private func take(_ call: String) -> CAPPluginCall? {
        lock.sync { calls.removeValue(forKey: call) }
    }

    private var screen: FaradPlugin? { lock.sync { screens.first { $0.id == speaker }?.plugin } }

    /// Nothing that goes wrong in the core may end the app; the log should have it.
    @discardableResult
    private func guarded<Result>(_ work: () throws -> Result) -> Result? {
        do {
            return try work()
        } catch {
            Log.farad.error("the core: \(String(describing: error), privacy: .public)")
            return nil
        }
    }
}

// The shell, as the core calls it.
extension Core: Shell {
    func order(order: Order) {
        switch order {
        case let .show(folder, keepRoute, launch): screen?.show(folder, keepRoute: keepRoute, launch: launch)
        case let .reload(keepRoute): screen?.reloadPage(keepRoute: keepRoute)
        case .recreate: screen?.recreate()
        case let .setTimer(timer, after): setTimer(timer, after: after)
        case let .stopTimer(timer): lock.sync { timers.removeValue(forKey: timer) }?.cancel()
        case let .work(lane, job):
            (lane == .short ? short : long).async { [self] in guarded { try pilot?.work(job: job) } }
        case let .tell(event, data, retain): screen?.emit(event, JSON.object(data) ?? [:], retain: retain)
        case let .resolve(call, data):
            guard let call = take(call) else { return }
            if let data = JSON.object(data) { call.resolve(data) } else { call.resolve() }
        case let .reject(call, code, text, data):
            take(call)?.reject(text, code, nil, JSON.object(data) ?? [:])
        // The system keeps nothing for a process that is gone.
        case .note: break
        }
    }

    func metered() -> Bool { network.isMetered }

    func log(level: LogLevel, line: String) {
        switch level {
        case .error: Log.farad.error("\(line, privacy: .public)")
        case .warning: Log.farad.warning("\(line, privacy: .public)")
        case .info: Log.farad.info("\(line, privacy: .public)")
        }
    }
}

extension Core {
    private static let instance = NSLock()
    private static var made: Core?
    /// Not by a plugin: the system may take all screens of an app before the app itself.
    private static let ending = NotificationCenter.default.addObserver(
        forName: UIApplication.willTerminateNotification, object: nil, queue: nil
    ) { _ in Core.current?.end() }

    /// The process's core, made for the first plugin that asks.
    static func of(_ plugin: FaradPlugin) -> Core {
        instance.sync {
            _ = ending
            let core = made ?? Core(App.main.setup(plugin))
            made = core
            return core
        }
    }

    static var current: Core? { instance.sync { made } }

    /// For tests, in which one process stands for several.
    static func forgetAll() {
        instance.sync { made = nil }
    }
}

extension NSLock {
    fileprivate func sync<Result>(_ what: () throws -> Result) rethrows -> Result {
        lock()
        defer { unlock() }
        return try what()
    }
}

enum Log {
    static let farad = Logger(subsystem: "dev.farad.capacitor", category: "Farad")
}
