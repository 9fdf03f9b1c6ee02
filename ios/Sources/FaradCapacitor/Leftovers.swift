// Bundles that another update plugin left behind in an app that has changed over to this one. Nobody
// would remove them otherwise, and they are large.

import Foundation
import os

enum Leftovers {
    /// Removes them, once in the life of the installation. Reads little where that was done.
    static func remove() {
        let files = FileManager.default
        guard let support = App.main.support, let library = App.main.library else { return }
        let done = support.appendingPathComponent("farad/leftovers-removed")
        if files.fileExists(atPath: done.path) { return }
        // Where Capacitor itself looks for bundles that were persisted: Capgo's and Capawesome's.
        let theirs = library.appendingPathComponent("NoCloud/ionic_built_snapshots")
        if files.fileExists(atPath: theirs.path) {
            Log.farad.info("removing ionic_built_snapshots, which another update plugin left behind")
            try? files.removeItem(at: theirs)
        }
        _ = files.createFile(atPath: done.path, contents: nil)
    }
}
