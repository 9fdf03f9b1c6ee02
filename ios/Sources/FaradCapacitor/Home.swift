// Where bundles and their records lie: in the app's own storage, in no backup, and readable while the
// phone is locked, since an app may be started then (by a push message, say).

import Foundation
import os

enum Home {
    /// Makes the folder ready, at every start: an update of the system or of the app may have changed
    /// what holds for it. What is made in it inherits its protection.
    static func prepare(in support: URL?) -> URL {
        let home = (support ?? FileManager.default.temporaryDirectory).appendingPathComponent("farad", isDirectory: true)
        // Readable from the first unlocking after the phone was switched on.
        let protection = [FileAttributeKey.protectionKey: FileProtectionType.completeUntilFirstUserAuthentication]
        do {
            let files = FileManager.default
            try files.createDirectory(at: home, withIntermediateDirectories: true, attributes: protection)
            try files.setAttributes(protection, ofItemAtPath: home.path)
            var values = URLResourceValues()
            // What is in it is fetched again; and no backup takes it to another phone.
            values.isExcludedFromBackup = true
            var place = home
            try place.setResourceValues(values)
        } catch {
            Log.farad.error("the store's folder: \(String(describing: error), privacy: .public)")
        }
        return home
    }
}
