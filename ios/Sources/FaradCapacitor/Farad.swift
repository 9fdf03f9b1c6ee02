// What native code of the app may ask for.

import Foundation

#if canImport(FaradCore)
import FaradCore
#endif

public enum Farad {
    private static let lock = NSLock()
    private static var keys: OpeningKeys?

    /// Where to get keys that open sealed bundles, besides those that ship with the app: such as
    /// `KeychainKeys`. To be set before the first web view.
    public static var openingKeys: OpeningKeys? {
        get {
            lock.lock()
            defer { lock.unlock() }
            return keys
        }
        set {
            lock.lock()
            defer { lock.unlock() }
            keys = newValue
        }
    }

    /// The updater below the plugin; nil before the first web view, and while the plugin is idle.
    public static var updater: Updater? { Core.current?.updater }
}
