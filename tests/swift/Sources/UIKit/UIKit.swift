// Stands in for UIKit: the one application, its state, whether the phone is locked, and its background
// tasks.

import Foundation

public struct UIBackgroundTaskIdentifier: Hashable {
    public let rawValue: Int
    public static let invalid = UIBackgroundTaskIdentifier(rawValue: 0)

    init(rawValue: Int) {
        self.rawValue = rawValue
    }
}

public final class UIApplication {
    public enum State {
        case active
        case inactive
        case background
    }

    nonisolated(unsafe) public static let shared = UIApplication()
    public static let didBecomeActiveNotification = Notification.Name("UIApplicationDidBecomeActiveNotification")
    public static let willResignActiveNotification = Notification.Name("UIApplicationWillResignActiveNotification")
    public static let didEnterBackgroundNotification =
        Notification.Name("UIApplicationDidEnterBackgroundNotification")

    public static let willTerminateNotification = Notification.Name("UIApplicationWillTerminateNotification")

    public private(set) var applicationState = State.inactive
    /// Not while the phone is locked.
    public var isProtectedDataAvailable = true
    /// Background tasks that run.
    public private(set) var tasks: Set<UIBackgroundTaskIdentifier> = []
    private var lastTask = 0

    public func beginBackgroundTask(
        withName name: String?,
        expirationHandler: (() -> Void)? = nil
    ) -> UIBackgroundTaskIdentifier {
        lastTask += 1
        tasks.insert(UIBackgroundTaskIdentifier(rawValue: lastTask))
        return UIBackgroundTaskIdentifier(rawValue: lastTask)
    }

    public func endBackgroundTask(_ identifier: UIBackgroundTaskIdentifier) {
        precondition(tasks.remove(identifier) != nil, "a task ends once")
    }

    /// A process begins so; nobody is there to be told.
    public func begin(_ state: State) {
        applicationState = state
    }

    /// The system ends the app, and says so.
    public func terminate() {
        NotificationCenter.default.post(name: UIApplication.willTerminateNotification, object: nil)
    }

    /// What the system tells.
    public func become(_ state: State) {
        applicationState = state
        let names: [State: Notification.Name] = [
            .active: UIApplication.didBecomeActiveNotification,
            .inactive: UIApplication.willResignActiveNotification,
            .background: UIApplication.didEnterBackgroundNotification,
        ]
        if let name = names[state] { NotificationCenter.default.post(name: name, object: nil) }
    }
}
