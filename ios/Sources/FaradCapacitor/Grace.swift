// Time after the app went out of sight: the system would stop the process at once, in the middle of a
// bundle's taking over, and the user would find the page changing under their fingers.

import Foundation
import UIKit

enum Grace {
    /// What a takeover needs, with much to spare. The system gives more.
    private static let seconds = 5.0

    /// On the main thread.
    static func take() {
        let app = UIApplication.shared
        var task = UIBackgroundTaskIdentifier.invalid
        let end = {
            guard task != .invalid else { return }
            app.endBackgroundTask(task)
            task = .invalid
        }
        task = app.beginBackgroundTask(withName: "farad", expirationHandler: end)
        DispatchQueue.main.asyncAfter(deadline: .now() + seconds, execute: end)
    }
}
