// swift-tools-version: 5.9
// The plugin's Swift as `cargo xtask swift` compiles and runs it on Linux: the plugin and the bindings
// as they are shipped, and a module of stand-ins for each of Apple's and for Capacitor.

import PackageDescription

let package = Package(
    name: "FaradTests",
    targets: [
        .systemLibrary(name: "FaradFFI"),
        .target(name: "FaradCore", dependencies: ["FaradFFI"]),
        .target(name: "UIKit"),
        .target(name: "WebKit"),
        .target(name: "Network"),
        .target(name: "Security"),
        .target(name: "os"),
        .target(name: "Capacitor", dependencies: ["UIKit", "WebKit"]),
        .target(
            name: "FaradCapacitor",
            dependencies: ["Capacitor", "FaradCore", "Network", "Security", "UIKit", "WebKit", "os"]
        ),
        .testTarget(name: "FaradTests", dependencies: ["FaradCapacitor"]),
    ]
)
