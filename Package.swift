// swift-tools-version: 5.9
// The iOS side of the plugin, as Capacitor's command links it into an app. The core's library lies
// prebuilt in the published package (`cargo xtask ios`); the app's build needs no Rust.

import PackageDescription

let package = Package(
    name: "FaradCapacitor",
    platforms: [.iOS(.v15)],
    products: [
        .library(name: "FaradCapacitor", targets: ["FaradCapacitor", "FaradCore"])
    ],
    dependencies: [
        .package(url: "https://github.com/ionic-team/capacitor-swift-pm.git", from: "8.0.0")
    ],
    targets: [
        .binaryTarget(name: "FaradFFI", path: "ios/Frameworks/FaradFFI.xcframework"),
        .target(
            name: "FaradCore",
            dependencies: ["FaradFFI"],
            path: "bindings/swift",
            exclude: ["FaradFFI.h", "FaradFFI.modulemap"]
        ),
        .target(
            name: "FaradCapacitor",
            dependencies: [
                .product(name: "Capacitor", package: "capacitor-swift-pm"),
                .product(name: "Cordova", package: "capacitor-swift-pm"),
                "FaradCore",
            ],
            path: "ios/Sources/FaradCapacitor",
            resources: [.process("PrivacyInfo.xcprivacy")]
        ),
    ]
)
