# For apps that have not moved to Swift packages: the same sources and the same library. It is used by
# path alone, from node_modules; CocoaPods asks of such pods, too, who made them and where they are told of.

require 'json'

package = JSON.parse(File.read(File.join(__dir__, 'package.json')))

Pod::Spec.new do |s|
  s.name = 'FaradCapacitor'
  s.version = package['version']
  s.summary = package['description']
  s.homepage = "https://www.npmjs.com/package/#{package['name']}"
  s.authors = 'The Farad contributors'
  s.license = { :type => 'MIT or Apache-2.0', :file => 'LICENSE-MIT' }
  s.source = { :path => '.' }
  # One module: the plugin and the bindings.
  s.source_files = 'ios/Sources/FaradCapacitor/**/*.swift', 'bindings/swift/*.swift'
  s.resource_bundles = { 'FaradCapacitor' => ['ios/Sources/FaradCapacitor/PrivacyInfo.xcprivacy'] }
  s.vendored_frameworks = 'ios/Frameworks/FaradFFI.xcframework'
  s.ios.deployment_target = '15.0'
  s.dependency 'Capacitor'
  s.swift_version = '5.9'
end
