// The process's one pilot, its queues and timers. Web views and plugins come and go; it stays.

import Capacitor
import Foundation
import os

#if canImport(FaradCore)
import FaradCore
#endif

final class Core: @unchecked Sendable {
    private let lock = NSLock()
    private var calls: [String: CAPPluginCall] = [:]
    private var lastCall = 0
    private var timers: [Int64: DispatchWorkItem] = [:]
    private weak var plugin: FaradPlugin?
    private var starts = 0

    // Capacitor's plugins share one queue, which is not for work.
    private let clock = DispatchQueue(label: "farad-timer", qos: .userInitiated)
    private let short = DispatchQueue(label: "farad-store", qos: .userInitiated)
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
        lock.sync { self.plugin = plugin }
        let begun = DispatchTime.now()
        // How the last process ended is not to be had here.
        let start = guarded { try pilot?.start(exit: nil, seen: seen) } ?? nil
        let took = (DispatchTime.now().uptimeNanoseconds - begun.uptimeNanoseconds) / 1000
        Log.farad.info("start decided in \(took, privacy: .public) us")
        starts += 1
        if starts == 1, isLive { short.async { Leftovers.remove() } }
        return start?.folder
    }

    func forget(_ plugin: FaradPlugin) {
        lock.sync {
            // Its successor may have come before it went.
            if self.plugin === plugin { self.plugin = nil }
        }
    }

    func call(_ call: CAPPluginCall) {
        let id = lock.sync {
            lastCall += 1
            calls[String(lastCall)] = call
            return String(lastCall)
        }
        let options = JSON.text(call.options)
        guarded { try pilot?.call(call: id, method: call.methodName ?? "", options: options) }
    }

    func tell(_ seen: Seen) {
        guarded { try pilot?.tell(seen: seen) }
    }

    /// WebKit asks about each navigation in its turn, so that the core need take none for granted; and an
    /// old page that could not be left is loaded over.
    func shown(_ launch: Int64) {
        guarded { try pilot?.shown(launch: launch, alone: false) }
    }

    /// The process ends when this returns, on the main thread: that it ended out of sight is on disk by then.
    func end() {
        tell(.background)
        // What that led to, and what came of it.
        for _ in 0..<2 { short.sync {} }
    }

    func rendererGone() {
        guarded { try pilot?.rendererGone() }
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

    private var screen: FaradPlugin? { lock.sync { plugin } }

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

    /// The process's core, made for the first plugin that asks.
    static func of(_ plugin: FaradPlugin) -> Core {
        instance.sync {
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
